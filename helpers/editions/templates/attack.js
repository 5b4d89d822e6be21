// attack.html: the explorer's view, a strip of images, the reader's own photograph, a bet, a count, and an address.

const $ = (selector) => document.querySelector(selector);

// `page` is what startPage gave back.
function startAttack(page, data) {
  const { model, images } = page;
  document.querySelectorAll(".chooser, .extras").forEach((part) => { part.hidden = false; });
  const strip = buildStrip(page);
  startCrop(model.get("names"), (pixels, label) => {
    const place = images.length;
    images.push({ key: `own ${place}`, name: "your photograph", pixels, label, own: true });
    model.set("labels", images.map((image) => image.label));
    model.set("only", -1);
    strip.add(images[place], place);
    model.set("image", place);
    page.poke();
  });
  startBet(page);
  startCount(page, data.images.length);
  startAddress(page);
  const ready = () => {
    if (document.querySelector(".net[data-prediction]")) document.documentElement.dataset.ready = "";
  };
  model.on("computed", ready);
}

// One stop of the Tab key for all images; the arrow keys go from one to the next.
function buildStrip({ model, images }) {
  const strip = $(".strip"), buttons = [];
  // Two hundred canvases would be two hundred layers to put together in each frame of a drag.
  const canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const add = (image, place) => {
    const what = image.label === null ? "" : `${model.get("names")[image.label]}, `;
    const button = make(strip, "button", "", "", { type: "button", role: "radio", "aria-label": what + image.name });
    paint(canvas, (i) => image.pixels[i]);
    make(button, "img", "", "", { src: canvas.toDataURL(), alt: "" });
    button.addEventListener("click", () => model.set("image", place));
    if (image.own) strip.prepend(button);
    buttons[place] = button;
  };
  images.forEach(add);
  const show = () => {
    const only = model.get("only"), chosen = model.get("image");
    buttons.forEach((button, place) => {
      button.hidden = only >= 0 && images[place].label !== only;
      button.tabIndex = place === chosen ? 0 : -1;
      button.setAttribute("aria-checked", place === chosen);
    });
    const { offsetLeft, offsetWidth } = buttons[chosen], left = offsetLeft - strip.offsetLeft;
    if (left < strip.scrollLeft || left + offsetWidth > strip.scrollLeft + strip.clientWidth) {
      strip.scrollLeft = left - strip.clientWidth / 2;
    }
  };
  strip.addEventListener("keydown", (event) => {
    const shown = [...strip.children].filter((button) => !button.hidden), last = shown.length - 1;
    const at = shown.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const button = shown[Math.min(last, Math.max(0, to))];
    button.click();
    button.focus({ preventScroll: true });
  });
  model.on("change:image", show);
  model.on("change:only", show);
  show();
  return { add };
}

// A bet on when the prediction of the outlined network flips. The answer comes when ε has been moved there.
function startBet({ model, images, lanes, view }) {
  const form = $(".bet"), outcome = $(".outcome"), input = form.querySelector("input");
  let bet = null;
  const about = () => ({ image: images[model.get("image")], attack: model.get("attack"), target: model.get("target") });
  const flip = () => {
    const { rows, label } = lanes[pictured(model)].ray(about());
    for (let level = 0; level <= view.furthest(); level++) {
      if (!rows[level]) return null; // not computed yet
      if (argmax(rows[level]) !== label) return level;
    }
    return -1;
  };
  const changed = () => {
    $(".whose").textContent = model.get("titles")[pictured(model)];
    if (bet && !(same({ ...bet, level: 0 }, { ...about(), level: 0 }) && bet.network === pictured(model))) {
      bet = null;
      outcome.textContent = "Another view: bet again.";
    }
    judge();
  };
  const judge = () => {
    const found = bet && flip();
    if (!bet || found === null || bet.told) return;
    if (found < 0 && view.furthest() < LAST) return;
    bet.told = true;
    const apart = Math.abs(found - bet.level), off = apart ? `${apart} away from your bet` : "exactly your bet";
    outcome.textContent = found < 0 ? `It never flipped, up to ${LAST}/255.` : `It flipped at ${found}/255: ${off} of ${bet.level}/255.`;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const found = flip(), level = Number(input.value);
    bet = null;
    if (found === 0) outcome.textContent = "This one is wrong without an attack: choose another image.";
    else if (found > 0 || view.furthest() === LAST) outcome.textContent = "You have seen the answer: choose another image.";
    else {
      bet = { ...about(), network: pictured(model), level };
      outcome.textContent = `Your bet: ${level}/255. Now move ε.`;
    }
  });
  for (const key of ["image", "attack", "target", "network", "alone"]) model.on(`change:${key}`, changed);
  const judgeWhatIsDrawn = () => requestAnimationFrame(judge); // the view draws once a frame, and asked first
  model.on("change:epsilon", judgeWhatIsDrawn);
  model.on("computed", judgeWhatIsDrawn);
  changed();
}

// The experiment of 05 on all images of the page, for each network, at the ε and with the attack of the view.
function startCount({ model, images, lanes, extra, poke }, count) {
  const button = $(".count"), places = $(".counts");
  let task = null, told;
  const wants = () => task.images.flatMap((image) => [0, task.level].map((level) => ({ ...task, image, level })));
  const wanted = () => (task ? wants().filter((want) => lanes.some((lane) => lane.missing(want))) : []);
  const stop = () => {
    task = null;
    button.textContent = "How many are fooled at this ε?";
  };
  const show = () => {
    if (!task) return;
    const finished = lanes.map((lane, i) => showCount(told[i], model.get("titles")[i], lane, task));
    if (finished.every(Boolean)) stop();
  };
  button.addEventListener("click", () => {
    if (task) return stop();
    task = { images: images.slice(0, count), attack: model.get("attack"), target: model.get("target"), level: levelOf(model) };
    button.textContent = "stop";
    places.replaceChildren();
    const attack = model.get("attacks")[task.attack].replace("…", model.get("names")[task.target]);
    make(places, "p", "", `${attack}, ε = ${inWords(task.level)}:`);
    told = lanes.map((_, i) => {
      const bar = make(places, "progress", "", "", { max: count, "aria-label": `progress of the ${model.get("titles")[i]}` });
      return { bar, words: make(places, "p", "", "", { "data-count": model.get("networks")[i] }) };
    });
    show();
    poke();
  });
  extra.push(wanted);
  model.on("computed", show);
}

function showCount({ bar, words }, title, lane, task) {
  const rays = task.images.map((image) => lane.ray({ ...task, image }));
  const known = rays.filter(({ rows }) => rows[0] && rows[task.level]);
  const correct = known.filter(({ rows, label }) => argmax(rows[0]) === label);
  const fooled = correct.filter(({ rows, label }) => argmax(rows[task.level]) !== label);
  bar.value = known.length;
  words.textContent = `${title}: ${fooled.length} of ${correct.length} fooled` +
    ` (${known.length - correct.length} of ${known.length} were wrong without an attack).`;
  Object.assign(words.dataset, { fooled: fooled.length, correct: correct.length, done: known.length });
  return known.length === rays.length;
}

// image=109&attack=fgsm&epsilon=8 after the # opens that view; images are numbered as in the test set.
function startAddress({ model, images }) {
  const levels = Array.from({ length: LAST + 1 }, (_, level) => String(level));
  // Each part of the code: what the page has of it, and what it does with the one that is asked for.
  const parts = {
    image: [images.map(({ number }) => String(number)), (place) => model.set("image", place)],
    attack: [Object.keys(model.get("attacks")), (_, attack) => model.set("attack", attack)],
    target: [model.get("names"), (place) => model.set("target", place)],
    network: [model.get("networks"), (place) => model.set("alone", place)],
    epsilon: [levels, (level) => model.set("epsilon", level / 255)],
  };
  const read = () => {
    const code = new URLSearchParams(location.hash.slice(1));
    const asked = Object.keys(parts).filter((key) => code.has(key));
    const missing = asked.filter((key) => !parts[key][0].includes(code.get(key)));
    if (code.has("image")) model.set("alone", -1);
    for (const key of asked) {
      const [all, show] = parts[key], value = code.get(key);
      if (all.includes(value)) show(all.indexOf(value), value);
    }
    const words = missing.map((key) => `${key} ${code.get(key)}`).join(", no ");
    $(".trouble").textContent = words && `This page has no ${words}.`;
  };
  const write = () => {
    const image = images[model.get("image")], attack = model.get("attack"), alone = model.get("alone");
    const code = new URLSearchParams(image.own ? {} : { image: image.number });
    code.set("attack", attack);
    if (attack === "target") code.set("target", model.get("names")[model.get("target")]);
    if (alone >= 0) code.set("network", model.get("networks")[alone]);
    code.set("epsilon", levelOf(model));
    $(".code").textContent = image.own ? "your photograph stays on your device" : String(code);
    history.replaceState(null, "", `#${code}`);
  };
  read();
  window.addEventListener("hashchange", read);
  model.on("change:image", () => { $(".trouble").textContent = ""; });
  // A drag would write more often than a browser allows.
  let later;
  for (const key of ["image", "attack", "target", "alone", "epsilon"]) {
    model.on(`change:${key}`, () => {
      clearTimeout(later);
      later = setTimeout(write, 200);
    });
  }
  write();
  $(".copy").addEventListener("click", async () => {
    write();
    try {
      await navigator.clipboard.writeText(location.href);
      $(".copied").textContent = "Copied.";
    } catch {
      $(".copied").textContent = `Copy it from the address bar: ${location.hash}`;
    }
  });
}

// A page without a kernel: sliders of its own, and networks that compute in the page.

// `data` is {networks, titles, names, attacks, packed, images}: names and packed networks, images as {name, label, pixels}.
function startPage(el, data) {
  const images = data.images.map((image, i) => ({ key: String(i), ...image, pixels: fromBase64(image.pixels) }));
  const model = standIn({
    ...data, labels: images.map(({ label }) => label), epsilon: 0, image: data.first ?? 0, target: 0, network: 0, alone: -1, only: -1,
    attack: Object.keys(data.attacks)[0],
  });
  const extra = []; // functions that list further wants, the most urgent first
  const script = document.querySelector("script.fgsm-worker").textContent;
  let view;
  const slower = () => queueMicrotask(() => {
    if (!el.querySelector(".slower")) make(el, "p", "slower", "This browser starts no workers here: the page computes by itself, and more slowly.");
  });
  const wants = () => [...wantsOfView(model, images), ...extra.flatMap((wanted) => wanted())];
  // Other images are computed, too, and levels of ε that nobody has reached.
  const told = (want) => {
    const shown = want.image === images[model.get("image")] && want.attack === model.get("attack");
    if (shown && (!want.level || want.level <= Math.max(view.furthest(), levelOf(model)))) view.draw();
    model.tell("computed");
  };
  const lanes = data.packed.map((packed) => {
    const network = { layers: packed.layers, weights: fromBase64(packed.weights) };
    return startLane(startNetwork(network, script, slower), () => (view ? wants() : []), told);
  });
  const poke = () => lanes.forEach((lane) => lane.poke());
  const source = pageSource(model, images, lanes, extra, poke, () => view.tell());
  el.classList.add("page");
  if (images.length > 1 && !data.strip) addImageSlider(el, model, images);
  view = showView(el, model, source);
  addEpsilonSlider(view, model);
  for (const key of ["epsilon", "image", "attack", "target"]) model.on(`change:${key}`, poke);
  poke();
  leaveKeysToDeck(el, model);
  return { model, view, images, lanes, extra, poke };
}

// What is shown first, then the other levels of ε from here outwards: they make dragging smooth.
function wantsOfView(model, images) {
  const [attack, target] = [model.get("attack"), model.get("target")], level = levelOf(model);
  const image = images[model.get("image")];
  const levels = Array.from({ length: LAST + 1 }, (_, k) => k).sort((a, b) => Math.abs(a - level) - Math.abs(b - level));
  return [level, 0, ...levels].map((k) => ({ image, attack, target, level: k }));
}

function pageSource(model, images, lanes, extra, poke, nothing) {
  const chosen = () => ({ attack: model.get("attack"), target: model.get("target") });
  return {
    image: () => ({ ...images[model.get("image")], place: model.get("image") }),
    rays: () => lanes.map((lane) => {
      const ray = lane.ray({ image: images[model.get("image")], ...chosen() });
      return { ...ray, moved: (level) => ray.images[level] };
    }),
    seek: (level) => seek(model, images, lanes[pictured(model)], { ...chosen(), level }, extra, poke, nothing),
    late: "Still computing …",
  };
}

// Goes to the next image that is fooled: the attack runs on one image after another until it finds one.
function seek(model, images, lane, task, extra, poke, nothing) {
  const start = model.get("image"), only = model.get("only");
  const order = [...images.slice(start + 1), ...images.slice(0, start)];
  const tasks = order.filter(({ label }) => only < 0 || label === only).map((image) => ({ ...task, image }));
  const levels = (one) => [0, task.level].map((level) => ({ ...one, level }));
  const next = () => tasks.find((one) => levels(one).some(lane.missing));
  const wanted = () => (next() ? levels(next()) : []);
  const stop = () => {
    extra.splice(extra.indexOf(wanted), 1);
    model.off("computed", look);
  };
  const fooled = ({ rows, label }) => argmax(rows[0]) === label && argmax(rows[task.level]) !== label;
  const look = () => {
    const open = next(), found = tasks.find((one) => one === open || fooled(lane.ray(one)));
    if (model.get("image") !== start) return stop(); // the reader went elsewhere
    if (found && found === open) return;
    stop();
    if (found) model.set("image", images.indexOf(found.image));
    else nothing();
  };
  extra.unshift(wanted);
  model.on("computed", look);
  poke();
  look();
}

function addImageSlider(el, model, images) {
  const slider = buildSlider(el, "image", images.length - 1, (place) => model.set("image", place));
  model.on("change:image", () => {
    slider.value = model.get("image");
    slider.ariaValueText = images[model.get("image")].name;
  });
}

// The slider is the curve's own axis.
function addEpsilonSlider({ chart }, model) {
  const slider = buildSlider(chart.chart, "ε", LAST, (level) => model.set("epsilon", level / 255));
  const follow = () => {
    slider.value = levelOf(model);
    slider.ariaValueText = inWords(levelOf(model));
  };
  model.on("change:epsilon", follow);
  follow();
}

// In a deck, keys turn the slides; + and − move ε of the slide that is shown.
function leaveKeysToDeck(el, model) {
  if (!document.querySelector(".reveal")) return;
  for (const event of ["change", "click"]) el.addEventListener(event, () => document.activeElement.blur());
  document.addEventListener("keydown", ({ key }) => {
    const step = { "+": 1, "-": -1 }[key];
    if (!step || !el.closest("section")?.classList.contains("present")) return;
    model.set("epsilon", Math.min(LAST, Math.max(0, levelOf(model) + step)) / 255);
  });
}

// What anywidget's model is in a notebook.
function standIn(state) {
  const listeners = {};
  const tell = (event) => { for (const listener of [...(listeners[event] ?? [])]) listener(); };
  return {
    tell,
    get: (key) => state[key],
    set: (key, value) => {
      if (state[key] === value) return;
      state[key] = value;
      tell(`change:${key}`);
    },
    save_changes: () => {},
    on: (event, listener) => { (listeners[event] ??= []).push(listener); },
    off: (event, listener) => { listeners[event] = listeners[event].filter((one) => one !== listener); },
  };
}

function fromBase64(text) {
  const characters = atob(text), found = new Uint8Array(characters.length);
  for (let i = 0; i < found.length; i++) found[i] = characters.charCodeAt(i);
  return found;
}

// Shows one image under attack by one network or several. In a notebook notebook.js calls `showView`, and the kernel
// computes; in a page without a kernel page.js does, and the page computes. Nothing is loaded from anywhere.
//
// `model` holds epsilon, image, attack, target, network (whose adversarial example is shown), alone (the only network
// shown, or -1) and only (the class that the image slider stops at, or -1). `source` gives what was computed:
//   image()  {place, name, label, pixels} of the image that the sliders stand at, or nothing while it is on its way
//   rays()   for each network {rows, label, moved}: probabilities by level of ε where known, the class that is attacked,
//            and moved(level), the attacked image in intensity levels
//   seek(epsilon level)  look for the next image that is fooled
//   late     what to say when nothing comes

const PATIENCE = 150; // milliseconds before the view says that it waits
const LATE = 5000; // and before it says what may be wrong
const NEAR = 3; // levels of ε: while a slider is dragged, what is shown may lag by as many
const REST = 400; // milliseconds without a change before a screen reader is told: a drag is one change

function showView(el, model, source) {
  const view = buildView(el, model, source);
  const seen = new Map(); // how far ε has been moved, for each image and attack
  let waiting, late, resting, begun = false;
  // `draw` shows what is known by the next frame; `redraw` is for what the reader did.
  const draw = onceAFrame(() => {
    const level = levelOf(model), image = source.image();
    [waiting, late, resting].forEach(clearTimeout);
    if (image && drawImage(view, model, source, image, level, seen)) {
      el.classList.remove("waiting");
      // What is there at first is no change.
      if (begun) resting = setTimeout(() => sayHeard(view, model, source, image, level), REST);
      begun = true;
    } else {
      waiting = setTimeout(() => el.classList.add("waiting"), PATIENCE);
      late = setTimeout(() => write(view.said, source.late), LATE);
    }
  });
  const redraw = () => {
    write(view.said, "");
    showControls(view, model, levelOf(model));
    draw();
  };
  for (const key of ["epsilon", "attack", "target", "network", "alone"]) model.on(`change:${key}`, redraw);
  const follow = () => {
    const only = model.get("only"), labels = model.get("labels"), wanted = model.get("image");
    if (only < 0 || labels[wanted] === only) return redraw();
    // Later, because ipywidgets' link passes nothing on while it is at work.
    queueMicrotask(() => change(model, "image", nearest(labels, only, wanted, source.image()?.place ?? 0)));
  };
  model.on("change:image", follow);
  model.on("change:only", follow);
  redraw();
  const furthest = () => seen.get(seenKey(model, model.get("image"))) ?? 0;
  return { ...view, draw, furthest, tell: () => write(view.said, "No other image is fooled at this ε.") };
}

// An action that runs at once, and then at most once a frame, however often it is called.
function onceAFrame(action) {
  let frame = null, again = false;
  const run = () => {
    again = frame !== null;
    if (again) return;
    frame = requestAnimationFrame(() => {
      frame = null;
      if (again) run();
    });
    action();
  };
  return run;
}

const levelOf = (model) => Math.round(255 * model.get("epsilon"));

function change(model, key, value) {
  model.set(key, value);
  model.save_changes();
}

// The image of class `only` that comes next on the way from one image to another, or else the last one before.
function nearest(labels, only, wanted, from) {
  const way = wanted < from ? -1 : 1;
  for (const step of [way, -way]) {
    for (let place = wanted; place in labels; place += step) if (labels[place] === only) return place;
  }
}

function buildView(el, model, source) {
  const [networks, titles, names, labels] = ["networks", "titles", "names", "labels"].map((key) => model.get(key));
  el.classList.add("fgsm");
  Object.entries({ role: "group", "aria-label": "One image under attack" }).forEach((pair) => el.setAttribute(...pair));
  const stage = make(el, "div", "stage"), several = titles.length > 1;
  const pictures = make(stage, "div", "pictures"), small = make(pictures, "div", "small");
  const [original, perturbation] = [0, 1].map(() => buildPicture(small));
  const adversarial = buildPicture(pictures, "large");
  const nets = make(stage, "div", several ? "nets several" : "nets");
  const parts = titles.map((title, i) => (
    buildNetwork(nets, i, networks[i], title, names, several, () => change(model, "network", i))
  ));
  const bottom = make(el, "div", "bottom"), dock = make(bottom, "div", "dock");
  const epsilon = buildPair(dock, "p", "epsilon");
  const chart = buildChart(make(dock, "div", "ray"), titles.length);
  const switches = buildSwitches(make(dock, "div", "switches"), model, names);
  const controls = buildControls(make(bottom, "div", "controls"), model, source, titles, names, labels);
  const said = make(el, "p", "told", "", { role: "status" });
  const heard = make(el, "p", "unseen", "", { role: "status" });
  return { el, stage, nets, original, perturbation, adversarial, parts, epsilon, chart, ...switches, ...controls, said, heard };
}

function buildSwitches(parent, model, names) {
  const attack = buildChoice(parent, "attack", model.get("attacks"), (value) => change(model, "attack", value));
  const target = buildMenu(parent, "target", names.map((name, i) => [i, name]), (value) => change(model, "target", value));
  return { attack, target };
}

function buildControls(parent, model, source, titles, names, labels) {
  const set = (key) => (value) => change(model, key, value), view = parent.closest(".fgsm");
  const which = [[-1, "side by side"], ...titles.map((title, i) => [i, `only ${title}`])];
  const alone = buildMenu(parent, "networks", which, set("alone"));
  const classes = names.map((name, i) => [i, name, !labels.includes(i)]);
  const only = buildMenu(parent, "images of class", [[-1, "any"], ...classes], set("only"));
  const next = make(parent, "button", "next", "next fooled image", { type: "button" });
  next.addEventListener("click", () => {
    const level = levelOf(model);
    write(view.querySelector(".told"), level ? "Searching …" : "ε = 0 changes nothing: move ε first.");
    if (level) source.seek(level);
  });
  // On a narrow screen the ten probabilities are folded away.
  const all = make(parent, "button", "next all-ten", "all ten probabilities", { type: "button", "aria-expanded": false });
  all.addEventListener("click", () => all.setAttribute("aria-expanded", view.classList.toggle("unfolded")));
  alone.field.hidden = titles.length < 2;
  next.hidden = only.field.hidden = labels.length < 2;
  return { alone, only };
}

function showControls(view, model, level) {
  for (const key of ["attack", "target", "alone", "only"]) view[key].show(model.get(key));
  view.target.field.hidden = model.get("attack") !== "target";
  view.epsilon.write(`ε = ${inWords(level)}`, level ? ` = ${(level / 255).toFixed(3)}` : "");
  const alone = model.get("alone");
  view.nets.classList.toggle("several", view.parts.length > 1 && alone < 0);
  view.parts.forEach(({ section, head }, i) => {
    section.hidden = alone >= 0 && alone !== i;
    section.toggleAttribute("data-pictured", pictured(model) === i);
    if (head.tagName === "BUTTON") head.setAttribute("aria-pressed", pictured(model) === i);
  });
}

const seenKey = (model, place) => [place, model.get("attack"), model.get("target")].join();

const pictured = (model) => (model.get("alone") < 0 ? model.get("network") : model.get("alone"));

// Draws each network for which `level` is computed, and says whether it was for all of them.
function drawImage(view, model, source, image, level, seen) {
  const names = model.get("names"), rays = source.rays().map((ray, number) => ({ ...ray, number }));
  const key = seenKey(model, image.place);
  seen.set(key, Math.max(level, seen.get(key) ?? 0));
  const visible = rays.filter(({ number }) => !view.parts[number].section.hidden);
  for (const ray of visible) {
    const part = view.parts[ray.number], reach = part.drawn === key ? NEAR : LAST; // anything, where nothing is shown yet
    const near = ray.rows[0] && nearestKnown(ray.rows, level, reach);
    if (ray.rows[0] && ray.rows[level]) drawNetwork(part, ray, level, model);
    else if (near) drawNetwork(part, ray, near, model); // a drag that is quicker than the network
    else if (part.drawn !== key) clearNetwork(part); // another image's prediction would be beside this one
    if (part.section.dataset.prediction) part.drawn = key;
  }
  drawChart(view.chart, visible, seen.get(key), level, (number) => model.get("titles")[number]);
  drawPictures(view, model, image, rays[pictured(model)], level, names);
  return visible.every(({ rows }) => rows[0] && rows[level]);
}

function drawPictures(view, model, image, ray, level, names) {
  const { pixels } = image, title = image.label === null ? image.name : `${names[image.label]}, ${image.name}`;
  view.original.paint(pixels, (i) => pixels[i]);
  write(view.original.caption, title);
  if (!ray.rows[level]) return;
  const moved = ray.moved(level), factor = level ? Math.min(32, Math.floor(127 / level)) : 1;
  view.perturbation.paint(moved, (i) => 128 + factor * (moved[i] - pixels[i]));
  view.adversarial.paint(moved, (i) => moved[i]);
  write(view.perturbation.caption, level ? `perturbation ×${factor}` : "no perturbation");
  const whose = view.parts.length > 1 ? `: ${model.get("titles")[ray.number]}` : "";
  // Noise is the control: nothing was aimed at a network.
  const result = model.get("attack") === "random" ? "with random-sign noise" : `adversarial example${whose}`;
  write(view.adversarial.caption, level ? result : "move ε");
}

function drawNetwork({ section, said, verdict, mark, judged, bars }, { rows, label }, level, model) {
  const names = model.get("names"), [clean, moved] = [rows[0], rows[level]];
  const before = argmax(clean), after = argmax(moved), [kind, words, detail] = judge(names, label, before, after);
  said.write(names[after], ` ${percent(moved[after])}`);
  verdict.className = `verdict ${kind}`;
  write(mark, MARKS[kind]);
  judged.write(` ${words}`, ` ${detail}`);
  Object.assign(section.dataset, { prediction: names[after], probability: moved[after].toFixed(4) });
  Object.assign(section.dataset, { epsilon: level, attack: model.get("attack") });
  bars.forEach((bar, number) => {
    bar.row.classList.toggle("winner", number === after);
    bar.row.classList.toggle("miss", number === after && after !== label);
    bar.title.classList.toggle("true", number === label);
    bar.before.style.width = `${100 * clean[number]}%`;
    bar.after.style.transform = `scaleX(${moved[number]})`;
    [clean, moved].forEach((row, side) => write(bar.numbers[side], percent(row[number])));
  });
}

// The computed level of ε that is nearest, if one is at most `reach` away.
function nearestKnown(rows, level, reach) {
  const known = [...rows.keys()].filter((k) => k && rows[k] && Math.abs(k - level) <= reach);
  return known.sort((a, b) => Math.abs(a - level) - Math.abs(b - level))[0];
}

function clearNetwork({ section, said, mark, judged }) {
  said.write("…", "");
  write(mark, "");
  judged.write("", "");
  for (const key of ["prediction", "probability", "epsilon", "attack"]) delete section.dataset[key];
}

function judge(names, label, before, after) {
  if (before !== label) return ["wrong", "wrong without an attack", `(true: ${names[label]})`];
  return before === after
    ? ["holds", "not fooled:", `still ${names[after]}`]
    : ["fooled", "fooled:", `${names[before]} → ${names[after]}`];
}

// A screen reader reads it out each time it is written.
function sayHeard({ heard, parts }, model, source, image, level) {
  const names = model.get("names"), titles = model.get("titles");
  const words = source.rays().flatMap(({ rows, label }, i) => {
    if (parts[i].section.hidden || !rows[0] || !rows[level]) return [];
    const [, verdict, detail] = judge(names, label, argmax(rows[0]), argmax(rows[level]));
    return `${titles[i]}: ${verdict} ${detail}`;
  });
  const all = `${image.name}, ${model.get("attacks")[model.get("attack")]}, ε = ${inWords(level)}. ${words.join(". ")}`;
  if (heard.textContent !== all) heard.textContent = all;
}

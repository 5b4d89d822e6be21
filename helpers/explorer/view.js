// Draws what the two sliders stand at. There is one renderer: anywidget calls `render` in a notebook, and the pages
// written by FgsmExplorer.to_html call `handout`, which adds sliders of its own. Nothing is loaded from anywhere.
// Names come from outside: they are set as text and never as HTML.

const SIDE = 32; // pixels
const GREY = 128; // a perturbation of zero
const SLIDES_EPSILON = 0.1;
const PATIENCE = 150; // milliseconds before the view says that it waits
const REST = 400; // milliseconds without a change before a screen reader is told: a drag is one change
const MARKS = { fooled: "✗", holds: "✓", wrong: "≠" };
const ATTACKS = {
  fgsm: { choice: "the gradient’s sign (FGSM)", short: "FGSM", sum: "adversarial image" },
  random: { choice: "random signs", short: "random signs", sum: "with random signs" },
};

// The palette of Okabe and Ito; where it carries text, shades that reach a contrast of 4.5 : 1.
const DARK = `--ink:#f0f2f4; --soft:#b4bbc3; --line:#495059; --paper:#111; color-scheme:dark;
  --after:#56b4e9; --miss:#e69f00; --fooled:#f0a92a; --holds:#2fc496; --wrong:#e39ac4;`;
const STYLE = `
.fgsm { --ink:#1b1f24; --soft:#4f5862; --line:#c9d0d8; --paper:#fff; color-scheme:light;
  --after:#0072b2; --miss:#d55e00; --fooled:#b04800; --holds:#00785a; --wrong:#9b4f83;
  --label:56px; container-type:inline-size; box-sizing:border-box; max-width:1240px; padding:2px 0 6px;
  color:var(--jp-ui-font-color0, var(--ink)); font:16px/1.35 var(--jp-ui-font-family, system-ui, sans-serif); }
[data-jp-theme-light="false"] .fgsm { ${DARK} }
@media (prefers-color-scheme: dark) { .fgsm.handout { ${DARK} } }
.fgsm.handout { background:var(--paper); }
.fgsm :is(button, select, input) { font:inherit; }
.fgsm .slider { display:flex; align-items:center; gap:4px; height:32px; }
.fgsm.handout .slider { padding-right:20px; }
.fgsm .slider span { width:var(--label); text-align:right; }
.fgsm .slider input { flex:1; min-width:0; margin:0 4px; accent-color:var(--after); }
.fgsm .scale { position:relative; height:42px; margin:0 32px 0 calc(var(--label) + 16px); font-size:14px;
  color:var(--soft); white-space:nowrap; }
.fgsm .tick { position:absolute; top:8px; transform:translateX(-50%); }
.fgsm .tick::before { content:""; position:absolute; left:50%; top:-7px; height:7px; border-left:1.5px solid; }
.fgsm .flip { position:absolute; top:25px; color:var(--fooled); font-weight:600; }
.fgsm .controls { display:flex; flex-wrap:wrap; gap:6px 24px; align-items:center; margin:8px 0 0; }
.fgsm fieldset { display:flex; flex-wrap:wrap; gap:2px 14px; margin:0; padding:0; border:0; }
.fgsm legend { float:left; padding:0; margin-right:14px; color:var(--soft); }
.fgsm label input[type=radio] { width:18px; height:18px; margin:0 6px 0 0; vertical-align:-3px;
  accent-color:var(--after); }
.fgsm button { padding:3px 14px; min-height:32px; }
.fgsm .told { color:var(--soft); }
.fgsm .state { display:flex; flex-wrap:wrap; gap:2px 28px; align-items:baseline; margin:8px 0 10px; font-size:21px; }
.fgsm .state > * { margin:0; }
.fgsm .epsilon { min-width:10.5em; font-variant-numeric:tabular-nums; }
.fgsm .verdict { font-weight:650; }
.fgsm .verdict small { display:inline-block; font-weight:400; font-size:16px; color:var(--soft); }
.fgsm .fooled { color:var(--fooled); }
.fgsm .holds { color:var(--holds); }
.fgsm .wrong { color:var(--wrong); }
.fgsm .body { --side:192px; display:flex; flex-wrap:wrap; gap:14px 30px; }
.fgsm .pictures { display:flex; flex-wrap:wrap; gap:8px; }
.fgsm .term { display:flex; gap:8px; }
.fgsm .sign { width:20px; line-height:var(--side); font-size:30px; text-align:center; color:var(--soft); }
.fgsm figure { margin:0; width:var(--side); }
.fgsm canvas { display:block; width:100%; aspect-ratio:1; margin-bottom:4px; border-radius:3px;
  image-rendering:pixelated; }
.fgsm figcaption { color:var(--soft); overflow-wrap:anywhere; }
.fgsm figcaption b { display:block; font-weight:650; color:var(--jp-ui-font-color0, var(--ink)); }
.fgsm .bars { flex:1 1 230px; max-width:648px; display:grid; align-content:start;
  grid-template-columns:auto minmax(40px, 1fr) auto auto; grid-auto-rows:20px; column-gap:8px; font-size:15px;
  line-height:20px; white-space:nowrap; }
.fgsm .bars [role=row] { display:contents; }
.fgsm .name { text-align:right; max-width:12em; overflow:hidden; text-overflow:ellipsis; }
.fgsm .true::before { content:"● "; }
.fgsm .number { text-align:right; font-variant-numeric:tabular-nums; color:var(--soft); }
.fgsm .answer .name, .fgsm .answer .number:last-child { font-weight:700; color:var(--jp-ui-font-color0, var(--ink)); }
.fgsm .pair { border-left:1px solid var(--line); padding-top:3px; }
.fgsm .bar { height:7px; width:0; box-sizing:border-box; border-radius:0 2px 2px 0; forced-color-adjust:none; }
.fgsm .before { border:1.5px solid var(--soft); border-left:0; }
.fgsm .after { background:var(--after); }
.fgsm .miss .after { background:var(--miss); }
.fgsm .note { margin:8px 0 0; font-size:14px; color:var(--soft); }
.fgsm.waiting .body { opacity:0.35; }
.fgsm .heard { position:absolute; width:1px; height:1px; margin:-1px; overflow:hidden; clip-path:inset(50%); }
.fgsm details { margin-top:8px; }
.fgsm summary { width:fit-content; padding:3px 8px 3px 0; cursor:pointer; }
.fgsm details p { margin:6px 0; }
.fgsm select { min-height:32px; max-width:100%; margin-left:6px; }
.fgsm .key { display:flex; flex-wrap:wrap; gap:0 24px; }
.fgsm .key span::before { content:""; display:inline-block; width:30px; margin-right:8px; vertical-align:4px;
  border-top:3px solid var(--after); }
.fgsm .key .winner::before { border-top:3px dashed var(--miss); }
.fgsm .chart { max-width:800px; }
.fgsm svg { display:block; }
.fgsm svg text { fill:currentColor; font-size:14px; }
.fgsm svg .who { paint-order:stroke; stroke:var(--jp-layout-color0, var(--paper)); stroke-width:4px; }
.fgsm svg :is(polyline, line) { fill:none; stroke:var(--line); stroke-width:1; }
.fgsm svg .truth { stroke:var(--after); stroke-width:3; }
.fgsm svg .winner { stroke:var(--miss); stroke-width:3; stroke-dasharray:7 5; }
.fgsm svg .now { stroke:currentColor; stroke-width:1.5; }
@container (min-width: 1010px) { .fgsm .body { --side:224px; } }
@container (min-width: 1200px) { .fgsm .body { --side:256px; } }
@container (max-width: 690px) {
  .fgsm .body { --side:160px; }
  .fgsm .sign { width:14px; font-size:24px; }
  .fgsm .minor { display:none; }
}
@container (max-width: 400px) { .fgsm .tick { font-size:12px; } }`;

export default { render };

function render({ model, el }) {
  const names = model.get("names"), labels = model.get("labels");
  const view = build(el, names, labels);
  let shown, waiting, resting;
  const attack = () => model.get("attack");
  const level = () => Math.round(255 * model.get("epsilon"));
  const redraw = () => {
    view.told.textContent = "";
    view.only.value = model.get("only");
    draw(view, names, shown, attack(), level());
    clearTimeout(waiting);
    clearTimeout(resting);
    if (model.get("image") !== shown.place) waiting = setTimeout(() => sayWaiting(view), PATIENCE);
    else resting = setTimeout(() => sayHeard(view, names, shown, attack(), level()), REST);
  };
  const redrawAll = () => {
    drawRay(view, names, shown, attack());
    redraw();
  };
  const receive = () => {
    shown = unpack(model.get("shown"), names.length);
    redrawAll();
  };
  const follow = () => {
    const only = model.get("only"), wanted = model.get("image");
    if (only < 0 || labels[wanted] === only) return redraw();
    // Later, because jslink passes nothing on while it is at work.
    queueMicrotask(() => change(model, "image", nearest(labels, only, wanted, shown.place)));
  };
  model.on("change:epsilon", redraw);
  model.on("change:image", follow);
  model.on("change:only", follow);
  model.on("change:shown", receive);
  model.on("change:attack", redrawAll);
  model.on("msg:custom", () => { view.told.textContent = "no other image is fooled at this ε"; });
  listen(view, model, level);
  receive();
  clearTimeout(resting); // what stands there at first is no change
  new ResizeObserver(() => drawChart(view, names, shown, attack(), level())).observe(view.chart);
  whenAttached(el, () => adoptSliders(el.parentElement));
}

function change(model, key, value) {
  model.set(key, value);
  model.save_changes();
}

function listen({ attacks, only, next, told }, model, level) {
  attacks.forEach((input) => input.addEventListener("change", () => change(model, "attack", input.value)));
  only.addEventListener("change", () => change(model, "only", Number(only.value)));
  next.addEventListener("click", () => {
    told.textContent = level() ? "searching …" : "ε = 0 changes nothing: move ε first";
    const [place, attack, chosen] = ["image", "attack", "only"].map((key) => model.get(key));
    if (level()) model.send({ place, level: level(), attack, only: chosen });
  });
}

// A page without a kernel: two native sliders, and every image's data at hand.
function handout(el, { names, images }) {
  images.forEach((image, place) => { image.place = place; });
  const labels = images.map((image) => image.label);
  const model = standIn({ names, labels, epsilon: 0, image: 0, shown: images[0], attack: "fgsm", only: -1 });
  model.send = ({ place, level, attack, only }) => {
    const order = [...images.slice(place + 1), ...images.slice(0, place)];
    const found = order.find((image) => {
      if (only >= 0 && image.label !== only) return false;
      const { answers } = unpack(image, names.length).rays[attack];
      return answers[0] === image.label && answers[level] !== image.label;
    });
    if (found) model.set("image", found.place);
    else model.tell("msg:custom");
  };
  el.classList.add("handout");
  if (images.length > 1) {
    const slider = buildSlider(el, "image", images.length - 1, (place) => model.set("image", place));
    const follow = () => {
      const place = slider.value = model.get("image"), only = model.get("only");
      slider.ariaValueText = images[place].name;
      if (only < 0 || labels[place] === only) model.set("shown", images[place]);
    };
    follow();
    model.on("change:image", follow);
  }
  const last = unpack(images[0], names.length).rays.fgsm.rows.length - 1;
  const epsilon = buildSlider(el, "ε", last, (k) => {
    model.set("epsilon", k / 255);
    epsilon.ariaValueText = inWords(k);
  });
  epsilon.ariaValueText = inWords(0);
  render({ model, el });
}

// What anywidget's model is in a notebook.
function standIn(state) {
  const listeners = {};
  const tell = (event) => { for (const listener of listeners[event] ?? []) listener(); };
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
  };
}

function buildSlider(el, name, last, listener) {
  const row = make(el, "label", "slider");
  make(row, "span", "", name);
  const input = make(row, "input");
  Object.assign(input, { type: "range", min: 0, max: last, value: 0 });
  input.addEventListener("input", () => listener(Number(input.value)));
  return input;
}

// --- from what the kernel sent to what is drawn

function unpack({ place, name, label, pixels, rays }, classes) {
  const unpacked = Object.entries(rays).map(([attack, ray]) => [attack, unpackRay(ray, label, classes)]);
  return { place, name, label, pixels: bytes(pixels), rays: Object.fromEntries(unpacked) };
}

// `flip` is the first level of ε at which the answer is wrong: 0 if it is wrong already, -1 if it never is.
function unpackRay({ sign, probabilities }, label, classes) {
  const all = new Float32Array(bytes(probabilities).buffer);
  const rows = Array.from({ length: all.length / classes }, (_, k) => all.subarray(k * classes, (k + 1) * classes));
  const answers = rows.map((row) => row.indexOf(Math.max(...row)));
  return { sign: new Int8Array(bytes(sign).buffer), rows, answers, flip: answers.findIndex((answer) => answer !== label) };
}

// A copy, because the kernel's buffers may start at any offset, and floats must start at a multiple of four.
function bytes(data) {
  if (typeof data === "string") return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

// The image of class `only` that comes next on the way from one image to another, or else the last one before.
function nearest(labels, only, wanted, from) {
  const way = wanted < from ? -1 : 1;
  for (const step of [way, -way]) {
    for (let place = wanted; place in labels; place += step) if (labels[place] === only) return place;
  }
}

function judge(names, label, before, after) {
  const change = before === after ? `still ${names[after]}` : `${names[before]} → ${names[after]}`;
  if (before !== label) return ["wrong", `wrong already: ${change}`];
  return before === after ? ["holds", `not fooled: ${change}`] : ["fooled", `fooled: ${change}`];
}

// Up to 16 times, and never so much that the amplified perturbation would leave the range of grey levels.
const amplification = (k) => Math.min(16, Math.floor((GREY - 1) / Math.max(k, 1)));

const inWords = (k) => (k ? `${k}/255` : "0");

function percent(share) {
  if (share > 0.99 && share < 1) return ">99%";
  return share > 0 && share < 0.01 ? "<1%" : `${Math.round(100 * share)}%`;
}

// --- the page

function make(parent, tag, className = "", text = "") {
  const node = parent.appendChild(document.createElement(tag));
  node.className = className;
  node.textContent = text;
  return node;
}

function build(el, names, labels) {
  make(el, "style", "", STYLE);
  el.classList.add("fgsm");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "The Fast Gradient Sign Method on one image");
  const scale = make(el, "div", "scale");
  scale.setAttribute("aria-hidden", "true");
  const controls = buildControls(el);
  const state = make(el, "div", "state");
  const epsilon = make(state, "p", "epsilon");
  const verdict = make(state, "p", "verdict");
  const heard = make(el, "p", "heard");
  heard.setAttribute("role", "status");
  const body = make(el, "div", "body");
  const pictures = make(body, "div", "pictures");
  const [original, perturbation, sum] = ["", "+", "="].map((sign) => buildPicture(pictures, sign));
  const bars = buildBars(body, names);
  make(el, "p", "note", "● true label.  Sums darker than black or brighter than white are clipped.");
  const fold = buildFold(el, names, labels);
  controls.next.hidden = fold.only.parentElement.hidden = labels.length < 2;
  return { el, scale, ...controls, epsilon, verdict, heard, original, perturbation, sum, bars, ...fold };
}

function buildControls(parent) {
  const controls = make(parent, "div", "controls");
  const choice = make(controls, "fieldset");
  make(choice, "legend", "", "step along");
  const group = `fgsm-${Math.random()}`; // one for each view, or they would switch each other off
  const attacks = Object.entries(ATTACKS).map(([value, words]) => {
    const label = make(choice, "label");
    const input = make(label, "input");
    Object.assign(input, { type: "radio", name: group, value });
    label.append(words.choice);
    return input;
  });
  const next = make(controls, "button", "", "next fooled image");
  next.type = "button";
  const told = make(controls, "span", "told");
  told.setAttribute("role", "status");
  return { attacks, next, told };
}

function buildPicture(parent, sign) {
  const term = make(parent, "div", "term");
  if (sign) make(term, "span", "sign", sign);
  const figure = make(term, "figure");
  const canvas = make(figure, "canvas");
  canvas.width = canvas.height = SIDE;
  canvas.setAttribute("aria-hidden", "true"); // the caption says what it shows
  const caption = make(figure, "figcaption");
  return { canvas, title: make(caption, "span"), words: make(caption, "b") };
}

function buildBars(parent, names) {
  const table = make(parent, "div", "bars");
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", "probability of each class before and after the attack");
  const cell = (row, role, className, text) => {
    const node = make(row, "div", className, text);
    node.setAttribute("role", role);
    return node;
  };
  const head = make(table, "div", "head");
  head.setAttribute("role", "row");
  for (const [className, text] of [["name", "class"], ["", ""], ["number", "▭ before"], ["number", "■ after"]]) {
    cell(head, "columnheader", className, text);
  }
  return names.map((name) => {
    const row = make(table, "div");
    row.setAttribute("role", "row");
    const title = cell(row, "rowheader", "name", name);
    const pair = cell(row, "cell", "pair", "");
    const [before, after] = ["before", "after"].map((kind) => make(pair, "div", `bar ${kind}`));
    return { row, title, before, after, numbers: [cell(row, "cell", "number", ""), cell(row, "cell", "number", "")] };
  });
}

function buildFold(parent, names, labels) {
  const fold = make(parent, "details");
  make(fold, "summary", "", "more");
  const filter = make(make(fold, "p"), "label", "", "images of class");
  const only = make(filter, "select");
  make(only, "option", "", `any (${labels.length})`).value = -1;
  names.forEach((name, number) => {
    const count = labels.filter((label) => label === number).length;
    Object.assign(make(only, "option", "", `${name} (${count})`), { value: number, disabled: !count });
  });
  const smallest = make(fold, "p", "smallest");
  const key = make(fold, "p", "key");
  const truth = make(key, "span");
  make(key, "span", "winner", "the class that wins");
  return { only, smallest, truth, chart: make(fold, "div", "chart") };
}

// --- drawn once for each image and attack

function drawRay(view, names, shown, attack) {
  drawScale(view.scale, shown.rays[attack]);
  view.attacks.forEach((input) => { input.checked = input.value === attack; });
  const last = shown.rays[attack].rows.length - 1;
  const found = Object.entries(shown.rays).map(([name, { flip }]) => {
    return `${flip < 0 ? `none up to ${inWords(last)}` : inWords(flip)} with ${ATTACKS[name].short}`;
  });
  view.smallest.textContent = `Smallest fooling ε: ${
    shown.rays.fgsm.flip ? found.join(", ") : "0, because the answer is wrong without any change"}.`;
  view.truth.textContent = `true class: ${names[shown.label]}`;
  drawChart(view, names, shown, attack, 0);
}

function drawScale(scale, { rows, flip }) {
  const last = rows.length - 1;
  const place = (node, k) => { node.style.left = `${(100 * k) / last}%`; };
  scale.replaceChildren();
  for (const k of [0, 4, 8, 16, last]) place(make(scale, "span", k % 8 ? "tick minor" : "tick", inWords(k)), k);
  const slides = make(scale, "span", "tick", String(SLIDES_EPSILON));
  make(slides, "span", "minor", " (slides)");
  place(slides, 255 * SLIDES_EPSILON);
  if (flip < 1) return;
  const right = 2 * flip > last; // the words go where there is room
  const mark = make(scale, "span", "flip", right ? "" : "▲ ");
  make(mark, "span", "minor", "first ");
  mark.append(`fooled at ${inWords(flip)}${right ? " ▲" : ""}`);
  mark.style.transform = right ? "translateX(calc(-100% + 0.45em))" : "translateX(-0.45em)";
  place(mark, flip);
}

const CHART = { height: 220, left: 52, right: 30, top: 26, bottom: 46 };

// Probability against ε, at the size that the fold has: a folded chart has none and is not drawn.
function drawChart(view, names, { name, label, rays }, attack, k) {
  const width = view.chart.clientWidth, { rows, answers } = rays[attack], last = rows.length - 1;
  view.chart.replaceChildren();
  view.now = null;
  if (!width) return;
  const x = (level) => CHART.left + (level / last) * (width - CHART.left - CHART.right);
  const y = (share) => CHART.height - CHART.bottom - share * (CHART.height - CHART.top - CHART.bottom);
  const svg = shape(view.chart, "svg", { width, height: CHART.height, role: "img" });
  svg.setAttribute("aria-label", chartInWords(names, name, label, rays[attack], attack));
  for (const share of [0, 0.5, 1]) {
    shape(svg, "line", { x1: x(0), x2: x(last), y1: y(share), y2: y(share) });
    shape(svg, "text", { x: x(0) - 8, y: y(share) + 5, "text-anchor": "end" }, percent(share));
  }
  for (let level = 0; level <= last; level += 8) {
    shape(svg, "line", { x1: x(level), x2: x(level), y1: y(0), y2: y(0) + 5 });
    shape(svg, "text", { x: x(level), y: y(0) + 21, "text-anchor": "middle" }, inWords(level));
  }
  shape(svg, "text", { x: 4, y: 14 }, "probability");
  const below = { x: (x(0) + x(last)) / 2, y: CHART.height - 5, "text-anchor": "middle" };
  shape(svg, "text", below, `ε, ${ATTACKS[attack].short}`);
  const line = (share) => rows.map((row, level) => `${x(level)},${y(share(row, level))}`).join(" ");
  shape(svg, "polyline", { class: "truth", points: line((row) => row[label]) });
  shape(svg, "polyline", { class: "winner", points: line((row, level) => row[answers[level]]) });
  for (const [from, to] of stretches(answers)) {
    if (answers[from] === label || x(to) - x(from) < 8 * names[answers[from]].length) continue;
    const middle = (from + to) >> 1, height = y(rows[middle][answers[from]]);
    const place = { class: "who", x: x((from + to) / 2), y: height < y(0.85) ? height + 22 : height - 10 };
    shape(svg, "text", { ...place, "text-anchor": "middle" }, names[answers[from]]);
  }
  view.now = shape(svg, "line", { class: "now", x1: 0, x2: 0, y1: y(1) - 4, y2: y(0) });
  view.moveNow = (level) => view.now.setAttribute("transform", `translate(${x(level)})`);
  view.moveNow(k);
}

function shape(parent, tag, attributes, text = "") {
  const node = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

// The levels, first and last, between which the answer stays the same.
function stretches(answers) {
  const starts = [...answers.keys()].filter((k) => answers[k] !== answers[k - 1]);
  return starts.map((start, i) => [start, (starts[i + 1] ?? answers.length) - 1]);
}

function chartInWords(names, name, label, { rows, answers }, attack) {
  const won = stretches(answers).map(([from]) => `${names[answers[from]]} from ε = ${inWords(from)}`).join(", ");
  return `${name}, ${ATTACKS[attack].short}: the probability of ${names[label]}, the true class, goes from ` +
    `${percent(rows[0][label])} to ${percent(rows.at(-1)[label])}. The class that wins: ${won}.`;
}

// --- drawn for each ε

function draw(view, names, { name, label, pixels, rays }, attack, k) {
  const { sign, rows, answers } = rays[attack];
  const before = answers[0], after = answers[k], factor = amplification(k);
  paint(view.original.canvas, (i) => pixels[i]);
  paint(view.perturbation.canvas, (i) => GREY + factor * k * sign[i]);
  paint(view.sum.canvas, (i) => pixels[i] + k * sign[i]);
  view.epsilon.textContent = k ? `ε = ${inWords(k)} = ${(k / 255).toFixed(3)}` : "ε = 0";
  sayCaption(view.original, `original: ${name}`, `${names[before]}, ${percent(rows[0][before])}`);
  const size = sign.some(Boolean) ? `±${inWords(k)}` : "zero gradient";
  sayCaption(view.perturbation, k ? `perturbation, ×${factor}` : "perturbation", k ? size : "none");
  sayCaption(view.sum, ATTACKS[attack].sum, `${names[after]}, ${percent(rows[k][after])}`);
  sayVerdict(view, judge(names, label, before, after), names[label]);
  view.bars.forEach((bar, number) => {
    bar.row.classList.toggle("answer", number === after);
    bar.row.classList.toggle("miss", number === after && after !== label);
    bar.title.classList.toggle("true", number === label);
    [rows[0][number], rows[k][number]].forEach((share, side) => {
      (side ? bar.after : bar.before).style.width = `${100 * share}%`;
      bar.numbers[side].textContent = percent(share);
    });
  });
  if (view.now) view.moveNow(k);
}

// `level(i)` is the grey level of value i of 32 · 32 · 3; an ImageData clips it to 0–255 by itself.
function paint(canvas, level) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(SIDE, SIDE);
  for (let i = 0, target = 0; target < picture.data.length; target += 4) {
    for (let colour = 0; colour < 3; colour++) picture.data[target + colour] = level(i++);
    picture.data[target + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

function sayCaption(picture, title, words) {
  picture.title.textContent = title;
  picture.words.textContent = words;
}

function sayVerdict({ el, verdict }, [kind, words], truth) {
  el.classList.remove("waiting");
  verdict.className = `verdict ${kind}`;
  verdict.replaceChildren();
  make(verdict, "span", "", MARKS[kind]).setAttribute("aria-hidden", "true");
  verdict.append(` ${words} `);
  make(verdict, "small", "", `(true label: ${truth})`);
}

// A screen reader reads it out each time it is written. ε is left out: the slider says it.
function sayHeard({ heard }, names, { name, label, rays }, attack, level) {
  const { answers } = rays[attack];
  const [, words] = judge(names, label, answers[0], answers[level]);
  const all = `${name}, ${ATTACKS[attack].short}: ${words}, true label ${names[label]}`;
  if (heard.textContent !== all) heard.textContent = all;
}

function sayWaiting({ el, verdict }) {
  el.classList.add("waiting");
  verdict.className = "verdict";
  verdict.textContent = "computing …";
}

// --- the sliders of ipywidgets, which stand beside the view

function whenAttached(el, action) {
  new ResizeObserver((_, observer) => { observer.disconnect(); action(); }).observe(el);
}

// A key typed on a slider or a button would be a command to JupyterLab: x cuts the cell, Enter edits it. And the
// handles have no name for screen readers, which would read ε as a long decimal.
function adoptSliders(box) {
  box.addEventListener("keydown", (event) => {
    const plain = event.key.length === 1 || !event.shiftKey;
    if (plain && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  for (const handle of box.querySelectorAll(".noUi-handle")) {
    const name = handle.closest(".jupyter-widgets").querySelector("label").textContent;
    handle.setAttribute("aria-label", name);
    handle.closest(".noUi-target").noUiSlider.on("update", (_, __, [value]) => {
      handle.setAttribute("aria-valuetext", name === "ε" ? inWords(Math.round(255 * value)) : Math.round(value));
    });
  }
}

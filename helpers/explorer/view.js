// Draws what the two sliders stand at. There is one renderer: anywidget calls `render` in a notebook, and the pages
// written by FgsmExplorer.to_html call `handout`, which adds sliders of its own. Nothing is loaded from anywhere.

const SIDE = 32; // pixels
const GREY = 128; // a perturbation of zero
const SLIDES_EPSILON = 0.1;
const PATIENCE = 150; // milliseconds before the view says that it waits
const MARKS = { fooled: "✗", holds: "✓", wrong: "≠" };

// The palette of Okabe and Ito; where it carries text, shades that reach a contrast of 4.5 : 1.
const DARK = `--ink:#f0f2f4; --soft:#b4bbc3; --line:#495059; --paper:#111;
  --after:#56b4e9; --miss:#e69f00; --fooled:#f0a92a; --holds:#2fc496; --wrong:#e39ac4;`;
const STYLE = `
.fgsm { --ink:#1b1f24; --soft:#4f5862; --line:#c9d0d8; --paper:#fff;
  --after:#0072b2; --miss:#d55e00; --fooled:#b04800; --holds:#00785a; --wrong:#9b4f83;
  --label:56px; container-type:inline-size; box-sizing:border-box; max-width:1080px; padding:2px 0 6px;
  color:var(--jp-ui-font-color0, var(--ink)); font:16px/1.35 var(--jp-ui-font-family, system-ui, sans-serif); }
[data-jp-theme-light="false"] .fgsm { ${DARK} }
@media (prefers-color-scheme: dark) { .fgsm.handout { ${DARK} } }
.fgsm.handout { background:var(--paper); }
.fgsm.handout .scale { margin-right:12px; }
.fgsm .slider { display:flex; align-items:center; gap:4px; height:32px; }
.fgsm .slider span { width:var(--label); text-align:right; }
.fgsm .slider input { flex:1; min-width:0; margin:0 4px; accent-color:var(--after); }
.fgsm .scale { position:relative; height:42px; margin:0 32px 0 calc(var(--label) + 16px); font-size:14px;
  color:var(--soft); white-space:nowrap; }
.fgsm .tick { position:absolute; top:8px; transform:translateX(-50%); }
.fgsm .tick::before { content:""; position:absolute; left:50%; top:-7px; height:7px; border-left:1.5px solid; }
.fgsm .flip { position:absolute; top:25px; color:var(--fooled); font-weight:600; }
.fgsm .state { display:flex; flex-wrap:wrap; gap:2px 28px; align-items:baseline; margin:8px 0 10px; font-size:21px; }
.fgsm .state > * { margin:0; }
.fgsm .epsilon { min-width:10.5em; font-variant-numeric:tabular-nums; }
.fgsm .verdict { font-weight:650; }
.fgsm .verdict small { display:inline-block; font-weight:400; font-size:16px; color:var(--soft); }
.fgsm .fooled { color:var(--fooled); }
.fgsm .holds { color:var(--holds); }
.fgsm .wrong { color:var(--wrong); }
.fgsm .body { display:flex; flex-wrap:wrap; gap:14px 30px; }
.fgsm .pictures { display:flex; flex-wrap:wrap; gap:8px; }
.fgsm .term { display:flex; gap:8px; }
.fgsm .sign { width:20px; line-height:192px; font-size:30px; text-align:center; color:var(--soft); }
.fgsm figure { margin:0; width:192px; }
.fgsm canvas { display:block; width:100%; aspect-ratio:1; margin-bottom:4px; border-radius:3px;
  image-rendering:pixelated; }
.fgsm figcaption { color:var(--soft); }
.fgsm figcaption b { display:block; font-weight:650; color:var(--jp-ui-font-color0, var(--ink)); }
.fgsm .bars { flex:1 1 340px; max-width:648px; display:grid; grid-template-columns:auto 1fr auto auto;
  grid-auto-rows:20px; column-gap:8px; font-size:15px; line-height:20px; white-space:nowrap; }
.fgsm .bars [role=row] { display:contents; }
.fgsm .name { text-align:right; }
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
@container (max-width: 690px) {
  .fgsm figure { width:160px; }
  .fgsm .sign { width:14px; line-height:160px; font-size:24px; }
  .fgsm .minor { display:none; }
}
@container (max-width: 400px) { .fgsm .tick { font-size:12px; } }`;

export default { render };

function render({ model, el }) {
  const names = model.get("names");
  const view = build(el, names);
  let shown, timer;
  const redraw = () => {
    const wanted = model.get("image");
    draw(view, names, shown, Math.round(255 * model.get("epsilon")));
    clearTimeout(timer);
    if (wanted !== shown.index) timer = setTimeout(() => sayWaiting(view, wanted), PATIENCE);
  };
  const receive = () => {
    shown = unpack(model.get("shown"), names.length);
    drawScale(view.scale, shown);
    redraw();
  };
  model.on("change:epsilon", redraw);
  model.on("change:image", redraw);
  model.on("change:shown", receive);
  receive();
  whenAttached(el, () => adoptSliders(el.parentElement));
}

// A page without a kernel: two native sliders, and every image's data at hand.
function handout(el, { names, images }) {
  const state = { names, epsilon: 0, image: images[0].index, shown: images[0] };
  const listeners = {};
  const model = { get: (key) => state[key], on: (event, listener) => { listeners[event] = listener; } };
  const change = (key, value) => { state[key] = value; listeners[`change:${key}`](); };
  const slider = (label, last, listener) => {
    const row = make(el, "label", "slider");
    make(row, "span", "", label);
    const input = make(row, "input");
    Object.assign(input, { type: "range", min: 0, max: last, value: 0 });
    input.addEventListener("input", () => listener(Number(input.value)));
    return input;
  };
  el.classList.add("handout");
  if (images.length > 1) {
    slider("image", images.length - 1, (place) => {
      state.image = images[place].index;
      change("shown", images[place]);
    });
  }
  const last = unpack(images[0], names.length).rows.length - 1;
  const epsilon = slider("ε", last, (k) => { change("epsilon", k / 255); epsilon.ariaValueText = `${k}/255`; });
  render({ model, el });
}

// --- from what the kernel sent to what is drawn

function unpack({ index, label, pixels, sign, probabilities }, classes) {
  const all = new Float32Array(bytes(probabilities).buffer);
  const rows = Array.from({ length: all.length / classes }, (_, k) => all.subarray(k * classes, (k + 1) * classes));
  const answers = rows.map((row) => row.indexOf(Math.max(...row)));
  const flip = answers[0] === label ? answers.findIndex((answer) => answer !== label) : -1;
  return { index, label, pixels: bytes(pixels), sign: new Int8Array(bytes(sign).buffer), rows, answers, flip };
}

// A copy, because the kernel's buffers may start at any offset, and floats must start at a multiple of four.
function bytes(data) {
  if (typeof data === "string") return Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  return new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
}

function judge(names, label, before, after) {
  const change = before === after ? `still ${names[after]}` : `${names[before]} → ${names[after]}`;
  if (before !== label) return ["wrong", `wrong already: ${change}`];
  return before === after ? ["holds", `not fooled: ${change}`] : ["fooled", `fooled: ${change}`];
}

// Up to 16 times, and never so much that the amplified perturbation would leave the range of grey levels.
const amplification = (k) => Math.min(16, Math.floor((GREY - 1) / Math.max(k, 1)));

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

function build(el, names) {
  make(el, "style", "", STYLE);
  el.classList.add("fgsm");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "The Fast Gradient Sign Method on one image");
  const scale = make(el, "div", "scale");
  scale.setAttribute("aria-hidden", "true");
  const state = make(el, "div", "state");
  const epsilon = make(state, "p", "epsilon");
  const verdict = make(state, "p", "verdict");
  verdict.setAttribute("role", "status");
  const body = make(el, "div", "body");
  const pictures = make(body, "div", "pictures");
  const [original, perturbation, adversarial] = ["", "+", "="].map((sign) => buildPicture(pictures, sign));
  const bars = buildBars(body, names);
  make(el, "p", "note", "● true label.  Sums darker than black or brighter than white are clipped.");
  return { el, scale, epsilon, verdict, original, perturbation, adversarial, bars };
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

function drawScale(scale, { rows, flip }) {
  const last = rows.length - 1;
  const place = (node, k) => { node.style.left = `${(100 * k) / last}%`; };
  scale.replaceChildren();
  for (const k of [0, 4, 8, 16, last]) {
    place(make(scale, "span", k % 8 ? "tick minor" : "tick", k ? `${k}/255` : "0"), k);
  }
  const slides = make(scale, "span", "tick", String(SLIDES_EPSILON));
  make(slides, "span", "minor", " (slides)");
  place(slides, 255 * SLIDES_EPSILON);
  if (flip < 0) return;
  const right = 2 * flip > last; // the words go where there is room
  const words = `first fooled at ${flip}/255`;
  const mark = make(scale, "span", "flip", right ? `${words} ▲` : `▲ ${words}`);
  mark.style.transform = right ? "translateX(calc(-100% + 0.45em))" : "translateX(-0.45em)";
  place(mark, flip);
}

function draw(view, names, { index, label, pixels, sign, rows, answers }, k) {
  const before = answers[0], after = answers[k], factor = amplification(k);
  paint(view.original.canvas, (i) => pixels[i]);
  paint(view.perturbation.canvas, (i) => GREY + factor * k * sign[i]);
  paint(view.adversarial.canvas, (i) => pixels[i] + k * sign[i]);
  view.epsilon.textContent = k ? `ε = ${k}/255 = ${(k / 255).toFixed(3)}` : "ε = 0";
  sayCaption(view.original, `original: image ${index}`, `${names[before]}, ${percent(rows[0][before])}`);
  const size = sign.some(Boolean) ? `±${k}/255` : "zero gradient";
  sayCaption(view.perturbation, k ? `perturbation, ×${factor}` : "perturbation", k ? size : "none");
  sayCaption(view.adversarial, "adversarial image", `${names[after]}, ${percent(rows[k][after])}`);
  sayVerdict(view, judge(names, label, before, after), names[label]);
  view.bars.forEach((bar, name) => {
    bar.row.classList.toggle("answer", name === after);
    bar.row.classList.toggle("miss", name === after && after !== label);
    bar.title.classList.toggle("true", name === label);
    [rows[0][name], rows[k][name]].forEach((share, side) => {
      (side ? bar.after : bar.before).style.width = `${100 * share}%`;
      bar.numbers[side].textContent = percent(share);
    });
  });
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

// Written only when it changes: a screen reader reads it out each time it is written.
function sayVerdict({ el, verdict }, [kind, words], truth) {
  el.classList.remove("waiting");
  const aside = `(true label: ${truth})`;
  if (verdict.textContent === `${MARKS[kind]} ${words} ${aside}`) return;
  verdict.className = `verdict ${kind}`;
  verdict.replaceChildren();
  make(verdict, "span", "", MARKS[kind]).setAttribute("aria-hidden", "true");
  verdict.append(` ${words} `);
  make(verdict, "small", "", aside);
}

function sayWaiting({ el, verdict }, image) {
  el.classList.add("waiting");
  verdict.className = "verdict";
  verdict.textContent = `computing image ${image} …`;
}

// --- the sliders of ipywidgets, which stand beside the view

function whenAttached(el, action) {
  new ResizeObserver((_, observer) => { observer.disconnect(); action(); }).observe(el);
}

// A letter typed while a slider has the focus would be a command to JupyterLab: x cuts the cell. And the handles have
// no name for screen readers.
function adoptSliders(box) {
  box.addEventListener("keydown", (event) => {
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  for (const handle of box.querySelectorAll(".noUi-handle")) {
    handle.setAttribute("aria-label", handle.closest(".jupyter-widgets").querySelector("label").textContent);
  }
}

// What the view is made of: elements without a state. Names come from outside: they are set as text, never as HTML.

const SIDE = 32; // pixels; ε runs from 0 to LAST/255, which page.py puts in front
const MARKS = { fooled: "✗", holds: "✓", wrong: "≠" };

const inWords = (level) => (level ? `${level}/255` : "0");

function percent(fraction) {
  if (fraction > 0.99 && fraction < 1) return ">99%";
  return fraction > 0 && fraction < 0.01 ? "<1%" : `${Math.round(100 * fraction)}%`;
}

const argmax = (values) => values.indexOf(Math.max(...values));

function make(parent, tag, className = "", text = "", attributes = {}) {
  const node = parent.appendChild(document.createElement(tag));
  if (className) node.className = className;
  node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// Only what changes is written: each text that a drag of ε leaves as it is need not be laid out again.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A text, and a smaller one beside it.
function buildPair(parent, tag, className) {
  const node = make(parent, tag, className), [large, small] = ["span", "small"].map((kind) => make(node, kind));
  return { node, write: (one, other) => { write(large, one); write(small, other); } };
}

let groups = 0; // radio buttons of one view must not switch off those of another

// A row of radio buttons: {value: words}. `chosen(value)` is called with what the reader chose.
function buildChoice(parent, name, options, chosen) {
  const field = make(parent, "fieldset", `choice ${name}`);
  make(field, "legend", "unseen", name);
  const group = `fgsm-${name}-${groups++}`;
  const inputs = Object.entries(options).map(([value, words]) => {
    const label = make(field, "label");
    const input = make(label, "input", "", "", { type: "radio", name: group, value });
    make(label, "span", "", words);
    input.addEventListener("change", () => chosen(value));
    return input;
  });
  return { field, show: (value) => inputs.forEach((input) => { input.checked = input.value === String(value); }) };
}

// A menu: [[value, words], …].
function buildMenu(parent, name, options, chosen) {
  const label = make(parent, "label", `menu ${name.replaceAll(" ", "-")}`);
  make(label, "span", "", name);
  const menu = make(label, "select");
  for (const [value, words, disabled] of options) {
    Object.assign(make(menu, "option", "", words), { value, disabled: Boolean(disabled) });
  }
  menu.addEventListener("change", () => chosen(Number(menu.value)));
  return { field: label, show: (value) => { menu.value = value; } };
}

function buildSlider(parent, name, last, moved) {
  const label = make(parent, "label", `slider ${name === "ε" ? "of-epsilon" : "of-image"}`);
  make(label, "span", "", name);
  const input = make(label, "input", "", "", { type: "range", min: 0, max: last, step: 1, "aria-label": name });
  input.value = 0;
  input.addEventListener("input", () => moved(Number(input.value)));
  return input;
}

function buildPicture(parent, className) {
  const figure = make(parent, "figure", className);
  const canvas = make(figure, "canvas", "", "", { width: SIDE, height: SIDE, "aria-hidden": "true" });
  const caption = make(figure, "figcaption"); // says what the canvas shows
  let shown;
  // `what` is the array that is drawn: the same one need not be drawn again.
  const paintAnew = (what, level) => {
    if (what !== shown) paint(canvas, level);
    shown = what;
  };
  return { figure, canvas, caption, paint: paintAnew };
}

// One network: what it predicts, the verdict, and the probabilities before and after the attack.
function buildNetwork(parent, number, network, title, names, several, picked) {
  // Not a section, which a deck would take for a slide.
  const section = make(parent, "div", `net n${number % 4}`, "", { role: "group", "aria-label": title, "data-network": network });
  const head = several
    ? make(section, "button", "title", title, { type: "button", title: "show the adversarial example of this network" })
    : make(section, "p", "title", title);
  if (several) section.addEventListener("click", picked);
  const said = buildPair(section, "p", "said"), verdict = make(section, "p", "verdict");
  const mark = make(verdict, "span", "", "", { "aria-hidden": "true" });
  return { section, head, said, verdict, mark, judged: buildPair(verdict, "span"), bars: buildBars(section, names) };
}

function buildBars(parent, names) {
  const table = make(parent, "div", "bars", "", { role: "table", "aria-label": "probabilities before and after" });
  const cell = (row, role, className, text) => make(row, "div", className, text, { role });
  const head = make(table, "div", "head", "", { role: "row" });
  cell(head, "columnheader", "name", "class");
  cell(head, "columnheader", "pair", "");
  cell(head, "columnheader", "number", "▭ before");
  cell(head, "columnheader", "number", "■ after");
  return names.map((name) => {
    const row = make(table, "div", "", "", { role: "row" });
    const title = cell(row, "rowheader", "name", name);
    const pair = cell(row, "cell", "pair", "");
    const [before, after] = ["before", "after"].map((kind) => make(pair, "div", `bar ${kind}`));
    return { row, title, before, after, numbers: [0, 1].map(() => cell(row, "cell", "number", "")) };
  });
}

// `level(i)` is the intensity of value i of 32 · 32 · 3; an ImageData clips it to 0–255 by itself.
function paint(canvas, level) {
  const context = canvas.getContext("2d"), picture = context.createImageData(SIDE, SIDE);
  for (let i = 0, target = 0; target < picture.data.length; target += 4) {
    for (let colour = 0; colour < 3; colour++) picture.data[target + colour] = level(i++);
    picture.data[target + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}

// The probability of the true class against ε, drawn as far as ε has been moved: the rest would give the answer away.
function buildChart(parent, count) {
  const chart = make(parent, "div", "chart");
  const svg = shape(chart, "svg", { viewBox: `0 0 ${LAST} 1`, preserveAspectRatio: "none", role: "img" });
  for (const height of [0, 0.5, 1]) shape(svg, "line", { x1: 0, x2: LAST, y1: height, y2: height });
  const lines = Array.from({ length: count }, (_, number) => shape(svg, "polyline", { class: `n${number % 4}` }));
  const now = shape(svg, "line", { class: "now", y1: 0, y2: 1 });
  const scale = make(chart, "div", "scale", "", { "aria-hidden": "true" });
  for (const level of [4, ...Array.from({ length: LAST / 8 + 1 }, (_, k) => 8 * k)]) {
    make(scale, "span", level % 8 ? "minor" : "", inWords(level)).style.left = `${(100 * level) / LAST}%`;
  }
  return { chart, svg, lines, now };
}

function drawChart({ svg, lines, now }, rays, seen, level, title) {
  const points = lines.map(() => ""), told = rays.map(({ rows, label, number }) => {
    const known = [...rows.keys()].filter((k) => rows[k] && k <= seen), last = known.at(-1);
    if (!known.length) return "";
    // A line needs two ends; at the beginning it is a dot.
    const ends = known.length > 1 ? known : [known[0], known[0]];
    points[number] = ends.map((k) => `${k},${1 - rows[k][label]}`).join(" ");
    return `${title(number)} from ${percent(rows[0][label])} to ${percent(rows[last][label])} at ${inWords(last)}`;
  });
  lines.forEach((line, number) => adjust(line, { points: points[number] }));
  adjust(now, { x1: level, x2: level });
  adjust(svg, { "aria-label": `Probability of the true class, as far as ε has been moved: ${told.join("; ")}` });
}

// Writes those attributes of an element that are not so already.
function adjust(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
  }
}

function shape(parent, tag, attributes) {
  const node = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

// The view in a notebook: anywidget calls `render`, and the kernel computes.

export default { render };

function render({ model, el }) {
  const source = kernelSource(model);
  const view = showView(el, model, source);
  source.listen(view.draw, view.tell);
  adoptSliders(el);
}

function kernelSource(model) {
  let shown, rays;
  const receive = () => {
    shown = model.get("shown");
    const pixels = bytes(shown.pixels), label = shown.label;
    rays = shown.rays.map((ray) => unpackRay(ray, pixels, label, model.get("names").length));
    shown = { ...shown, pixels };
  };
  const fresh = () => ["image", "attack", "target"].every((key) => model.get(key) === shown[key]);
  receive();
  return {
    image: () => fresh() && shown,
    rays: () => rays,
    seek: (level) => model.send({ level }),
    late: "No answer yet. If the kernel was restarted, run all cells above, then this one; otherwise move a slider again.",
    listen: (draw, tell) => {
      model.on("change:shown", () => { receive(); draw(); });
      model.on("msg:custom", tell);
    },
  };
}

function unpackRay({ probabilities, sign, moved }, pixels, label, classes) {
  const all = new Float32Array(bytes(probabilities).buffer);
  const rows = Array.from({ length: all.length / classes }, (_, k) => all.subarray(k * classes, (k + 1) * classes));
  const signs = sign && new Int8Array(bytes(sign).buffer);
  const images = Object.fromEntries(Object.entries(moved ?? {}).map(([level, image]) => [level, bytes(image)]));
  return {
    label,
    rows: rows.map((row) => (Number.isNaN(row[0]) ? undefined : row)),
    moved: (level) => images[level] ?? Uint8ClampedArray.from(pixels, (value, i) => value + level * signs[i]),
  };
}

// A copy, because the kernel's buffers may start at any offset, and floats must start at a multiple of four.
const bytes = (data) => new Uint8Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));

// The sliders of ipywidgets are beside the view, in a box of our class; their handles have no name for screen readers.
function adoptSliders(el) {
  new ResizeObserver((_, observer) => {
    observer.disconnect();
    const box = el.closest(".fgsm-explorer");
    if (!box) return;
    keepKeys(box);
    // After Shift+Enter the output may have grown out of the screen: JupyterLab scrolls before it is there.
    const cell = box.closest(".jp-Cell");
    if ([cell, cell?.nextElementSibling].some((one) => one?.classList.contains("jp-mod-active"))) {
      box.scrollIntoView({ block: "nearest" });
    }
    const name = () => {
      for (const [place, name] of [["image", "image"], ["epsilon", "ε"]]) {
        box.querySelector(`.fgsm-${place} [role=slider]`)?.setAttribute("aria-label", name);
      }
    };
    name();
    // VS Code draws them after the view, and says after that which is which.
    new MutationObserver(name).observe(box, { childList: true, subtree: true, attributeFilter: ["class"] });
  }).observe(el);
}

// A key typed here would be a command to JupyterLab: x cuts the cell, Enter edits it.
function keepKeys(box) {
  box.addEventListener("keydown", (event) => {
    const plain = event.key.length === 1 || !event.shiftKey;
    if (plain && !event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
}

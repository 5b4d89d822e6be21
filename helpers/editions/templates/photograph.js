// The reader's own photograph: chosen, cropped with a finger or keys, and shrunk as helpers/photographs.py does it.

const LARGEST = 1024; // pixels of the shorter side that are kept: more cost memory and change nothing that is seen

function startCrop(names, use) {
  const dialog = $(".crop"), whole = $(".whole"), input = $(".own input"), menu = $(".class"), trouble = $(".trouble");
  let photo, square, drawing;
  names.forEach((name, i) => { Object.assign(make(menu, "option", "", name), { value: i }); });
  const draw = () => {
    const { left, top, size } = square, context = whole.getContext("2d");
    context.drawImage(photo.canvas, left, top, size, size, 0, 0, whole.width, whole.height);
    const pixels = shrunk(photo.pixels, photo.canvas.width, photo.canvas.height, left, top, size);
    paint($(".shrunk"), (i) => pixels[i]);
  };
  // The square moves by dx, dy and changes its size by a factor, about its middle, and stays inside the photograph.
  const move = (dx, dy, factor = 1) => {
    const { width, height } = photo.canvas, most = Math.min(width, height);
    const size = Math.min(most, Math.max(SIDE, square.size * factor)), grown = (size - square.size) / 2;
    const inside = (value, length) => Math.min(length - size, Math.max(0, value));
    square = { size, left: inside(square.left + dx - grown, width), top: inside(square.top + dy - grown, height) };
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(draw);
  };
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (!file) return;
    trouble.textContent = "";
    try {
      photo = await opened(file);
    } catch {
      trouble.textContent = `${file.name} cannot be opened as an image here. Save it as JPEG or PNG, and try that.`;
      return;
    }
    const { width, height } = photo.canvas, size = Math.min(width, height);
    square = { size, left: (width - size) / 2, top: (height - size) / 2 };
    menu.value = "";
    dialog.showModal();
    draw();
  });
  followFingers(whole, (dx, dy, factor) => {
    const scale = square.size / whole.clientWidth;
    move(-dx * scale, -dy * scale, factor);
  });
  whole.addEventListener("keydown", (event) => {
    const step = square.size / 20, way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const factor = { "+": 0.9, "=": 0.9, "-": 1 / 0.9 }[event.key];
    if (!way && !factor) return;
    event.preventDefault();
    move(...(way ?? [0, 0]).map((one) => one * step), factor);
  });
  $(".in").addEventListener("click", () => move(0, 0, 0.8));
  $(".out").addEventListener("click", () => move(0, 0, 1.25));
  $(".cancel").addEventListener("click", () => dialog.close());
  $(".use").addEventListener("click", () => {
    const { left, top, size } = square;
    dialog.close();
    use(
      shrunk(photo.pixels, photo.canvas.width, photo.canvas.height, left, top, size),
      menu.value === "" ? null : Number(menu.value),
    );
  });
}

// One finger drags, two fingers or a wheel resize.
function followFingers(canvas, moved) {
  const fingers = new Map();
  const apart = () => {
    const [one, two] = [...fingers.values()];
    return two && Math.hypot(one.x - two.x, one.y - two.y);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  canvas.addEventListener("pointermove", (event) => {
    const from = fingers.get(event.pointerId);
    if (!from) return;
    const before = apart();
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (before) moved(0, 0, before / apart());
    else moved(event.clientX - from.x, event.clientY - from.y, 1);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    moved(0, 0, Math.exp(event.deltaY / 500));
  }, { passive: false });
}

// The browser turns a photograph as its camera says, and converts its colours to sRGB. Transparent parts become white.
async function opened(file) {
  let bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const factor = LARGEST / Math.min(bitmap.width, bitmap.height);
  if (factor < 1) {
    const [resizeWidth, resizeHeight] = [bitmap.width, bitmap.height].map((side) => Math.round(side * factor));
    bitmap = await createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: "high" });
  }
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  return { canvas, pixels: context.getImageData(0, 0, canvas.width, canvas.height).data };
}

// A square of an RGBA image as 32 × 32 pixels of RGB: Pillow's bicubic filter, first along rows, then along columns.
function shrunk(pixels, width, height, left, top, size) {
  const across = windows(width, left, size), down = windows(height, top, size);
  const first = down[0].start, last = Math.max(...down.map(({ start, weights }) => start + weights.length));
  const rows = new Uint8ClampedArray((last - first) * SIDE * 3), out = new Uint8ClampedArray(SIDE * SIDE * 3);
  for (let y = first; y < last; y++) across.forEach(({ start, weights }, x) => {
    for (let colour = 0; colour < 3; colour++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * pixels[(y * width + start + k) * 4 + colour];
      rows[((y - first) * SIDE + x) * 3 + colour] = Math.round(sum);
    }
  });
  down.forEach(({ start, weights }, y) => {
    for (let i = 0; i < SIDE * 3; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * rows[(start - first + k) * SIDE * 3 + i];
      out[y * SIDE * 3 + i] = Math.round(sum);
    }
  });
  return new Uint8Array(out.buffer);
}

// For each of 32 outputs along one axis: the first input that counts, and the weights from there on.
function windows(length, from, size) {
  const scale = size / SIDE, stretch = Math.max(1, scale), reach = 2 * stretch;
  return Array.from({ length: SIDE }, (_, i) => {
    const centre = from + (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5)), end = Math.min(length, Math.trunc(centre + reach + 0.5));
    const weights = Array.from({ length: end - start }, (__, k) => bicubic((start + k - centre + 0.5) / stretch));
    const sum = weights.reduce((a, b) => a + b);
    return { start, weights: weights.map((weight) => weight / sum) };
  });
}

function bicubic(x) {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

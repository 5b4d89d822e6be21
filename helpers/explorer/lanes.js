// The attacks, in a page without a kernel. Each network has a lane of its own that always computes what is wanted most.

// `wants()` lists {image, attack, target, level}, the most urgent first; `told(want)` is called after each answer.
// An image is {key, pixels, label}; a label of null lets the network attack what it predicts.
function startLane(network, wants, told) {
  const rays = new Map(), clean = new Map();
  let wake;
  const rayOf = ({ image, attack, target }) => {
    const key = [image.key, attack, attack === "target" ? target : ""].join();
    if (!rays.has(key)) rays.set(key, { rows: Array(LAST + 1), images: [], label: image.label, pixels: image.pixels });
    const ray = rays.get(key);
    if (!ray.rows[0] && clean.has(image.key)) startRay(ray, clean.get(image.key));
    return ray;
  };
  const missing = (want) => !rayOf(want).rows[want.level];
  const first = () => wants().find(missing);
  const run = async () => {
    for (;;) {
      const want = first();
      if (!want) {
        await new Promise((go) => { wake = go; });
      } else if (!clean.has(want.image.key)) {
        clean.set(want.image.key, await network.probabilities(scaled(want.image.pixels)));
        told({ ...want, level: 0 });
      } else if (await computeLevel(network, rayOf(want), want, () => same(want, first()))) {
        told(want);
      }
    }
  };
  run();
  return { ray: rayOf, missing, poke: () => wake?.() };
}

function startRay(ray, row) {
  ray.rows[0] = row;
  ray.label ??= argmax(row);
  ray.images[0] = ray.pixels;
}

const same = (one, other) => other && ["image", "attack", "target", "level"].every((key) => one[key] === other[key]);

const scaled = (pixels) => Float32Array.from(pixels, (value) => value / 255);

// Fills in one level of a ray; false when it is not wanted any more before it is done.
async function computeLevel(network, ray, want, wanted) {
  const { image, attack, target, level } = want, x = scaled(image.pixels), epsilon = Math.fround(level / 255);
  let moved;
  if (attack === "pgd") {
    moved = await climb(network, x, ray.label, epsilon, image.key, wanted);
    if (!moved) return false;
  } else {
    ray.sign ??= await direction(network, x, attack, ray.label, target, image.key);
    moved = stepped(x, ray.sign, epsilon, x, 1);
  }
  ray.rows[level] = await network.probabilities(moved);
  ray.images[level] = Uint8ClampedArray.from(moved, (value) => 255 * value);
  return true;
}

async function direction(network, x, attack, label, target, key) {
  if (attack === "fgsm") return network.signs(x, label);
  if (attack === "target") return (await network.signs(x, target)).map((sign) => -sign); // down the loss of the target
  if (attack !== "random") throw new Error(`attack ${attack}: lanes.js computes no such attack`);
  const draw = generator(key);
  return Int8Array.from(x, () => (draw() < 0.5 ? -1 : 1));
}

// Madry et al. 2018: from a random point, steps of FGSM, each followed by a return to within ε of the image.
async function climb(network, x, label, epsilon, key, wanted) {
  const draw = generator(key);
  let moved = stepped(x, Array.from(x, () => 2 * draw() - 1), epsilon, x, 1);
  for (let step = 0; step < PGD_STEPS; step++) {
    if (!wanted()) return null;
    moved = stepped(moved, await network.signs(moved, label), epsilon * PGD_STEP, x, epsilon);
  }
  return moved;
}

// One step of `size` along `signs`, then back to within `reach` of x and into [0, 1].
function stepped(from, signs, size, x, reach) {
  return Float32Array.from(from, (value, i) => {
    const moved = Math.min(x[i] + reach, Math.max(x[i] - reach, value + size * signs[i]));
    return Math.min(1, Math.max(0, moved));
  });
}

// Numbers in [0, 1), the same ones for the same key: mulberry32.
function generator(key) {
  let state = [...String(key)].reduce((hash, letter) => Math.imul(hash ^ letter.charCodeAt(0), 16777619), 2166136261);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

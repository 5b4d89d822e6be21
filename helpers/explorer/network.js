// A small convolutional network in plain JavaScript: its prediction, and the gradient that FGSM follows.
// weights.py packs a Keras network for it. All sums are in float64, so signs are exact. Taught in 05-fgsm.

// Output channels that are summed at once: as many sums fit into a processor's registers.
const LANES = 8;

// `packed` is {layers, weights}: what weights.py wrote, with `weights` as the bytes of its float16 numbers.
// Images are arrays of 32 · 32 · 3 numbers in [0, 1], row by row, colour by colour.
function createNetwork({ layers, weights }) {
  const numbers = fromHalves(weights);
  let shape = [32, 32, 3], used = 0;
  const take = (count) => numbers.subarray(used, (used += count));
  const steps = layers.map((layer) => {
    const step = STEPS[layer.kind](layer, shape, take);
    shape = step.shape ?? shape;
    return step;
  });
  const forward = (image, tapes) => steps.reduce((values, step, i) => step.forward(values, tapes?.[i]), image);
  return {
    logits: (image) => forward(image),
    probabilities: (image) => softmax(forward(image)),
    // Of log Σ exp(z_j) − z_label over the classes j other than `label`: the cross-entropy's gradient up to a positive
    // factor, without the difference p − 1 that rounds to 0 where a network is confident.
    gradient: (image, label) => {
      const tapes = steps.map(() => ({}));
      const logits = forward(image, tapes);
      const start = softmax(logits.map((logit, j) => (j === label ? -Infinity : logit)));
      start[label] = -1;
      return steps.reduceRight((slopes, step, i) => step.backward(slopes, tapes[i]), start);
    },
  };
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// float16 → float64: browsers have had a Float16Array only since 2025.
function fromHalves(bytes) {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  return Float64Array.from(halves, (half) => {
    const exponent = (half >> 10) & 31, fraction = (half & 1023) / 1024;
    const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction;
    return half & 32768 ? -size : size;
  });
}

// Each kind of layer, made once: (layer, shape of its input, take) → {shape of its output, forward, backward}.
// `forward` notes on the tape, where there is one, what `backward` needs.
const STEPS = { conv, dense, pool, relu, silu, affine };

function conv({ kernel: [high, wide], filters, padding }, [h, w, channels], take) {
  const same = padding === "same", top = same ? (high - 1) >> 1 : 0, left = same ? (wide - 1) >> 1 : 0;
  const shape = same ? [h, w, filters] : [h - high + 1, w - wide + 1, filters];
  const kernel = take(high * wide * channels * filters), bias = take(filters);
  const at = (tap, i, o) => kernel[(tap * channels + i) * filters + o], last = high * wide - 1;
  const there = { high, wide, top, left, bias, kernel: inBlocks(last + 1, channels, filters, at) };
  // The way back is a convolution, too: taps in reverse, inputs and outputs exchanged.
  const back = {
    high, wide, top: high - 1 - top, left: wide - 1 - left, bias: new Float64Array(channels),
    kernel: inBlocks(last + 1, filters, channels, (tap, o, i) => at(last - tap, i, o)),
  };
  return {
    shape,
    forward: (values) => convolve(values, [h, w, channels], there, shape),
    backward: (slopes) => convolve(slopes, shape, back, [h, w, channels]),
  };
}

// A dense layer is a convolution whose image has one pixel.
function dense({ units }, shape, take) {
  const channels = shape.reduce((a, b) => a * b);
  return conv({ kernel: [1, 1], filters: units, padding: "valid" }, [1, 1, channels], take);
}

// The kernel in the order in which `convolve` reads it: [block of LANES outputs][tap][input][output in the block].
function inBlocks(taps, inputs, outputs, at) {
  const blocks = Math.ceil(outputs / LANES), kernel = new Float64Array(blocks * taps * inputs * LANES);
  let place = 0;
  for (let block = 0; block < blocks; block++) {
    for (let tap = 0; tap < taps; tap++) {
      for (let input = 0; input < inputs; input++) {
        for (let o = block * LANES; o < (block + 1) * LANES; o++) kernel[place++] = o < outputs ? at(tap, input, o) : 0;
      }
    }
  }
  return kernel;
}

// What is not zero in each pixel of an image, values and channels: ReLU and max pooling leave few of them.
function nonzero(values, pixels, channels) {
  const found = new Float64Array(values.length), places = new Int32Array(values.length);
  const starts = new Int32Array(pixels + 1);
  let count = 0;
  for (let pixel = 0, i = 0; pixel < pixels; pixel++) {
    starts[pixel] = count;
    for (let channel = 0; channel < channels; channel++, i++) {
      if (values[i] === 0) continue;
      found[count] = values[i];
      places[count++] = channel * LANES;
    }
  }
  starts[pixels] = count;
  return { found, places, starts };
}

// Block by block, so that a block's weights stay in the processor's cache while the image passes by.
function convolve(values, [h, w, inputs], { high, wide, top, left, bias, kernel }, [rows, columns, outputs]) {
  const sums = new Float64Array(rows * columns * outputs), input = nonzero(values, h * w, inputs);
  const { found, places, starts } = input, tapSize = inputs * LANES, sum = new Float64Array(LANES);
  for (let block = 0; block * LANES < outputs; block++) {
    const first = block * LANES, count = Math.min(LANES, outputs - first), base = block * high * wide * tapSize;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        for (let y = Math.max(0, top - r), lowest = Math.min(high, h + top - r); y < lowest; y++) {
          for (let x = Math.max(0, left - c), end = Math.min(wide, w + left - c); x < end; x++) {
            const pixel = (r + y - top) * w + c + x - left, tap = base + (y * wide + x) * tapSize;
            for (let j = starts[pixel], stop = starts[pixel + 1]; j < stop; j++) {
              const value = found[j], at = tap + places[j];
              s0 += value * kernel[at];
              s1 += value * kernel[at + 1];
              s2 += value * kernel[at + 2];
              s3 += value * kernel[at + 3];
              s4 += value * kernel[at + 4];
              s5 += value * kernel[at + 5];
              s6 += value * kernel[at + 6];
              s7 += value * kernel[at + 7];
            }
          }
        }
        sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3, sum[4] = s4, sum[5] = s5, sum[6] = s6, sum[7] = s7;
        const target = (r * columns + c) * outputs + first;
        for (let lane = 0; lane < count; lane++) sums[target + lane] = sum[lane] + bias[first + lane];
      }
    }
  }
  return sums;
}

function pool({ size }, [h, w, channels]) {
  const rows = Math.floor(h / size), columns = Math.floor(w / size);
  const winners = (values) => {
    const places = new Int32Array(rows * columns * channels);
    for (let r = 0, i = 0; r < rows; r++) for (let c = 0; c < columns; c++) for (let k = 0; k < channels; k++, i++) {
      let best = (r * size * w + c * size) * channels + k;
      for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
        const place = ((r * size + y) * w + c * size + x) * channels + k;
        if (values[place] > values[best]) best = place;
      }
      places[i] = best;
    }
    return places;
  };
  return {
    shape: [rows, columns, channels],
    forward: (values, tape) => {
      const places = winners(values);
      if (tape) tape.places = places;
      return Float64Array.from(places, (place) => values[place]);
    },
    backward: (slopes, { places }) => {
      const spread = new Float64Array(h * w * channels);
      places.forEach((place, i) => { spread[place] = slopes[i]; });
      return spread;
    },
  };
}

// A layer that works on each value by itself: `of(x)`, and its slope at x.
function each(of, slope) {
  return {
    forward: (values, tape) => {
      if (tape) tape.values = values;
      const out = new Float64Array(values.length);
      for (let i = 0; i < out.length; i++) out[i] = of(values[i]);
      return out;
    },
    backward: (slopes, { values }) => {
      const out = new Float64Array(slopes.length);
      for (let i = 0; i < out.length; i++) out[i] = slopes[i] === 0 ? 0 : slopes[i] * slope(values[i]);
      return out;
    },
  };
}

function relu() {
  return each((x) => (x > 0 ? x : 0), (x) => (x > 0 ? 1 : 0));
}

function silu() {
  const gate = (x) => 1 / (1 + Math.exp(-x));
  return each((x) => x * gate(x), (x) => gate(x) * (1 + x * (1 - gate(x))));
}

// One factor and one summand for each channel: rescaling, and batch normalisation that could not be folded.
function affine(_, shape, take) {
  const channels = shape.at(-1), factors = take(channels), summands = take(channels);
  return {
    forward: (values) => Float64Array.from(values, (x, i) => x * factors[i % channels] + summands[i % channels]),
    backward: (slopes) => slopes.map((slope, i) => slope * factors[i % channels]),
  };
}

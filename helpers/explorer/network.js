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
  const logits = (image) => steps.reduce((values, step) => step.forward(values), image).slice();
  return {
    logits,
    probabilities: (image) => softmax(logits(image)),
    // Of log Σ exp(z_j) − z_label over the classes j other than `label`: the cross-entropy's gradient up to a positive
    // factor, without the difference p − 1 that rounds to 0 where a network is confident.
    gradient: (image, label) => {
      const start = softmax(logits(image).map((logit, j) => (j === label ? -Infinity : logit)));
      start[label] = -1;
      return steps.reduceRight((slopes, step) => step.backward(slopes), start).slice();
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

// Each kind of layer, made once: (layer, shape of its input, take) → {shape of its output, forward, backward}. What
// these give lies in arrays that the next image overwrites, and `backward` belongs to the image that `forward` saw last.
const STEPS = { conv, dense, pool, relu, silu, affine };

function conv({ kernel: [high, wide], filters, padding }, [h, w, channels], take) {
  const same = padding === "same", top = same ? (high - 1) >> 1 : 0, left = same ? (wide - 1) >> 1 : 0;
  const shape = same ? [h, w, filters] : [h - high + 1, w - wide + 1, filters];
  const kernel = take(high * wide * channels * filters), bias = take(filters);
  const at = (tap, i, o) => kernel[(tap * channels + i) * filters + o], last = high * wide - 1;
  // The way back is a convolution, too: taps in reverse, inputs and outputs exchanged.
  return {
    shape,
    forward: convolution([h, w, channels], shape, {
      high, wide, top, left, bias, kernel: inBlocks(last + 1, channels, filters, at),
    }),
    backward: convolution(shape, [h, w, channels], {
      high, wide, top: high - 1 - top, left: wide - 1 - left, bias: new Float64Array(channels),
      kernel: inBlocks(last + 1, filters, channels, (tap, o, i) => at(last - tap, i, o)),
    }),
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

// What is not zero in an image, pixel by pixel: ReLU and max pooling leave few values. `places` says where, in its row.
function sparse(pixels, columns, channels) {
  const found = new Float64Array(pixels * channels), places = new Int32Array(pixels * channels);
  const starts = new Int32Array(pixels + 1), row = columns * channels;
  return (values) => {
    let count = 0;
    for (let i = 0, pixel = 0; pixel < pixels; pixel++) {
      starts[pixel] = count;
      for (const end = i + channels; i < end; i++) {
        const value = values[i];
        if (value === 0) continue;
        found[count] = value;
        places[count++] = (i % row) * LANES;
      }
    }
    starts[pixels] = count;
    return { found, places, starts };
  };
}

// Block by block, so that a block's weights stay in the processor's cache while the image passes by. The weights of
// one row of the kernel follow each other as the values of one row of the image do: a single loop takes them together.
function convolution([h, w, inputs], [rows, columns, outputs], { high, wide, top, left, bias, kernel }) {
  const tapSize = inputs * LANES, sums = new Float64Array(rows * columns * outputs), sum = new Float64Array(LANES);
  const nonzero = sparse(h * w, w, inputs);
  return (values) => {
    const { found, places, starts } = nonzero(values);
    for (let block = 0; block * LANES < outputs; block++) {
      const first = block * LANES, count = Math.min(LANES, outputs - first), base = block * high * wide * tapSize;
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          const begin = Math.max(0, c - left), end = Math.min(w, c - left + wide);
          let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
          for (let y = Math.max(0, top - r), lowest = Math.min(high, h + top - r); y < lowest; y++) {
            const row = (r + y - top) * w, tap = base + (y * wide - c + left) * tapSize;
            for (let j = starts[row + begin], stop = starts[row + end]; j < stop; j++) {
              const value = found[j], at = tap + places[j]; // a multiple of LANES
              s0 += value * kernel[at];
              s1 += value * kernel[at | 1];
              s2 += value * kernel[at | 2];
              s3 += value * kernel[at | 3];
              s4 += value * kernel[at | 4];
              s5 += value * kernel[at | 5];
              s6 += value * kernel[at | 6];
              s7 += value * kernel[at | 7];
            }
          }
          sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3, sum[4] = s4, sum[5] = s5, sum[6] = s6, sum[7] = s7;
          const target = (r * columns + c) * outputs + first;
          for (let lane = 0; lane < count; lane++) sums[target + lane] = sum[lane] + bias[first + lane];
        }
      }
    }
    return sums;
  };
}

function pool({ size }, [h, w, channels]) {
  const rows = Math.floor(h / size), columns = Math.floor(w / size), spread = new Float64Array(h * w * channels);
  const out = new Float64Array(rows * columns * channels), places = new Int32Array(out.length);
  return {
    shape: [rows, columns, channels],
    forward: (values) => {
      for (let r = 0, i = 0; r < rows; r++) for (let c = 0; c < columns; c++) for (let k = 0; k < channels; k++, i++) {
        let best = (r * size * w + c * size) * channels + k, largest = values[best];
        for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
          const place = ((r * size + y) * w + c * size + x) * channels + k, value = values[place];
          if (value > largest) largest = value, best = place;
        }
        out[i] = largest;
        places[i] = best;
      }
      return out;
    },
    backward: (slopes) => {
      spread.fill(0);
      for (let i = 0; i < places.length; i++) spread[places[i]] = slopes[i];
      return spread;
    },
  };
}

// A layer that works on each value by itself: `of(x)`, and its slope at x.
function each(shape, of, slope) {
  const size = shape.reduce((a, b) => a * b), out = new Float64Array(size), back = new Float64Array(size);
  let seen;
  return {
    forward: (values) => {
      seen = values;
      for (let i = 0; i < size; i++) out[i] = of(values[i], i);
      return out;
    },
    backward: (slopes) => {
      for (let i = 0; i < size; i++) back[i] = slopes[i] === 0 ? 0 : slopes[i] * slope(seen[i], i);
      return back;
    },
  };
}

function relu(_, shape) {
  return each(shape, (x) => (x > 0 ? x : 0), (x) => (x > 0 ? 1 : 0));
}

function silu(_, shape) {
  const gate = (x) => 1 / (1 + Math.exp(-x));
  return each(shape, (x) => x * gate(x), (x) => gate(x) * (1 + x * (1 - gate(x))));
}

// One factor and one summand for each channel: rescaling, and batch normalisation that could not be folded.
function affine(_, shape, take) {
  const channels = shape.at(-1), factors = take(channels), summands = take(channels);
  return each(shape, (x, i) => x * factors[i % channels] + summands[i % channels], (_x, i) => factors[i % channels]);
}

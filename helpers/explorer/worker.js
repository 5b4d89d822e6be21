// One network that computes apart from the page, so that the page stays responsive: in a Web Worker, or, where a policy
// bars workers, in slices of the page's own time. This file and network.js are also the worker's whole source.

function answerer() {
  let network;
  return ({ packed, image, label }) => {
    if (packed) network = createNetwork(packed);
    if (!image) return true;
    if (label === undefined) return network.probabilities(image);
    return Int8Array.from(network.gradient(image, label), Math.sign);
  };
}

if (typeof WorkerGlobalScope !== "undefined") {
  const answer = answerer();
  self.onmessage = ({ data }) => self.postMessage(answer(data));
}

// {probabilities(image), signs(image, label)}: promises, answered one after another. `source` is the text of this
// script; without it the page computes itself, and calls `slower`.
function startNetwork(packed, source, slower) {
  const waiting = []; // tasks without an answer, the oldest first
  let worker = source && startWorker(source);
  const settle = (result) => waiting.shift().done(result);
  const slices = new MessageChannel(); // a timer would wait 4 ms each time
  const slice = () => slices.port2.postMessage(null);
  const computeHere = () => {
    slower();
    const answer = answerer();
    answer({ packed });
    slices.port1.onmessage = () => settle(answer(waiting[0].task));
    waiting.forEach(slice);
  };
  if (worker) {
    worker.onmessage = ({ data }) => settle(data);
    worker.onerror = () => {
      worker.terminate();
      worker = null;
      computeHere();
    };
  } else computeHere();
  const ask = (task) => new Promise((done) => {
    waiting.push({ task, done });
    if (worker) worker.postMessage(task);
    else slice();
  });
  if (worker) ask({ packed });
  return { probabilities: (image) => ask({ image }), signs: (image, label) => ask({ image, label }) };
}

function startWorker(source) {
  try {
    return new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  } catch {
    return null;
  }
}

"""What needs a process of its own, because peak memory belongs to a process. Prints its finding as JSON.

python alone.py load here|keras
python alone.py growth images|epsilons|batch
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

from helpers import data

STATUS, REFRESH = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SIZES = {
    "images": (100, 300, 1000, 3000, 10_000),
    "epsilons": (1, 4, 16, 64, 256),
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
}


def memory(name):
    """Megabytes that this process has ("VmRSS"), or had at most ("VmHWM"); None where this is not Linux."""
    lines = STATUS.read_text().splitlines() if STATUS.exists() else ()
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:")), None)


def costs(actions):
    """Of each action: its seconds, and by how many MB it raises the memory above what it was before the first."""
    before = memory("VmRSS")
    for action in actions:
        if before:
            REFRESH.write_text("5")  # forgets the peak
        begin = time.perf_counter()
        kept = action()  # noqa: F841  the result counts, too
        yield {"seconds": time.perf_counter() - begin, "megabytes": before and memory("VmHWM") - before}
        del kept


def load(way):
    """CIFAR-10 from disk: memory of the first time, seconds of the best of three."""
    action = data.load
    if way == "keras":
        from keras.datasets import cifar10

        # A copy whose bytes are not the official ones would be downloaded anew, so its own checksum is expected.
        (archive,) = (Path(os.environ["KERAS_HOME"]) / "datasets").iterdir()
        own = {"file_hash": hashlib.sha256(archive.read_bytes()).hexdigest()}
        names = cifar10.load_data.__globals__
        fetch = names["get_file"]
        names["get_file"] = lambda **options: fetch(**options | own)
        action = cifar10.load_data
    first, *more = costs([action] * 3)
    return first | {"seconds": min(one["seconds"] for one in (first, *more))}


def growth(axis):
    """FGSM at growing `axis`; a batch is timed on at least 256 images."""
    from helpers import attacks, runs

    dataset, sizes = data.load(), SIZES[axis]
    network = runs.load("vgg3", dataset.name).model
    sizes = [size for size in sizes if size <= len(dataset.x_test)]
    images, labels = data.to_float(dataset.x_test[: max(sizes)]), dataset.y_test[: max(sizes)]
    attacks.epsilon_sweep(network, images[:1], labels[:1], [0])  # traces both passes

    def fgsm(count, **options):
        return attacks.fgsm(network, images[:count], labels[:count], 8 / 255, **options)

    actions = {
        "images": fgsm,
        "epsilons": lambda size: attacks.epsilon_sweep(
            network, images[:100], labels[:100], [k / 255 for k in range(size)]
        ),
        "batch": lambda size: fgsm(max(size, 256), batch_size=size),
    }
    return dict(zip(sizes, costs([lambda size=size: actions[axis](size) for size in sizes])))


if __name__ == "__main__":
    what, which = sys.argv[1:]
    print(json.dumps({"load": load, "growth": growth}[what](which)))

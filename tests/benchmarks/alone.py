"""What needs a process of its own, because peak memory belongs to a process. Prints its finding as JSON.

python alone.py load here|keras
python alone.py growth images|epsilons|batch
"""

import json
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
        import keras.src.utils.file_utils as files
        from keras.datasets import cifar10

        # A copy whose bytes are not the official ones would be downloaded anew. The check is made, and not heeded.
        check = files.validate_file
        files.validate_file = lambda *arguments, **options: check(*arguments, **options) or True
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

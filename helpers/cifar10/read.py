"""Read the six files of CIFAR-10 into arrays, calling nothing that they name."""

import hashlib
import struct

import numpy as np

# The files and the MD5 of the official ones, which torchvision pins as well. It decides nothing but what is said about
# them: a copy from elsewhere is read just so, and a download is trusted by the SHA-256 of its archive.
BATCHES = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
# How far a file is followed before it is refused: a batch has 31 MB and about 40,000 opcodes.
LARGEST_BATCH, MOST_OPCODES = 40_000_000, 100_000

# The arrays that `fill` fills. "official" says of each file whether it is the official one.
LAYOUT = (
    ("x_train", "u1", (50_000, 32, 32, 3)),
    ("y_train", "i8", (50_000,)),
    ("x_test", "u1", (10_000, 32, 32, 3)),
    ("y_test", "i8", (10_000,)),
    ("official", "?", (len(BATCHES),)),
)


def fill(folder, arrays):
    """Fill `arrays`, one for each name in LAYOUT, from the files in `folder`. Raises ValueError for a broken file."""
    for number, (name, md5) in enumerate(BATCHES.items()):
        part, place = ("test", 0) if name == "test_batch" else ("train", 10_000 * number)
        rows = slice(place, place + 10_000)
        found = read_batch(folder / name, arrays[f"x_{part}"][rows], arrays[f"y_{part}"][rows])
        arrays["official"][number] = found == md5


def read_batch(path, images, labels):
    """Fill `images` and `labels` from one file and return its MD5. Raises ValueError if it is not such a file."""
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_BATCH)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); let this user read it, or use another copy"
        ) from None
    try:
        batch = _BatchReader(content).read()
        numbers = batch[b"labels"]
        if len(numbers) != 10_000 or not all(type(label) is int and 0 <= label <= 9 for label in numbers):
            raise ValueError("labels: expected 10,000 whole numbers from 0 to 9")
        pixels = _pixels(batch[b"data"]).reshape(-1, 3, 32, 32)
        for channel in range(3):  # twice as quick as one transposed copy
            images[..., channel] = pixels[:, channel]
        labels[:] = numbers
    except Exception as error:  # a broken file can raise anything
        raise ValueError(
            f"{path} is not a batch of CIFAR-10 ({type(error).__name__}: {error}); delete it, unset CIFAR10_DIR "
            "if you have set it, and run `make data`"
        ) from None
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _pixels(made):
    """The pixels of one batch, uint8 (10000, 3072), from what its pickle says of them."""
    _, shape, dtype, fortran, raw = made.state
    made_of = made.function, shape, dtype.function, dtype.arguments[0], fortran
    if made_of != (_BatchReader.ARRAY, (10_000, 3072), _BatchReader.DTYPE, b"u1", False):
        raise ValueError("pixels: expected uint8 of shape (10000, 3072)")
    return np.frombuffer(raw, np.uint8).reshape(shape)


class _Made:
    """What a pickle says is to be made by a function: its name, its arguments, and the state set later; all data."""

    def __init__(self, function, arguments):
        self.function, self.arguments, self.state = function, arguments, ()


class _BatchReader:
    """Reads the pickle of a CIFAR-10 batch, by the few opcodes that Python 2 wrote there.

    Python's own unpickler calls what a file names, and a subclass of it that allows no name can still be made to
    fill the memory (memo entry 2 billion) or to compute for ever (the hash of 60 nested pairs). This one calls
    nothing, hashes bytes alone, and stops after MOST_OPCODES.
    """

    ARRAY, DTYPE = "numpy.core.multiarray _reconstruct", "numpy dtype"
    NAMES = (ARRAY, DTYPE, "numpy ndarray")
    CONSTANTS = {b"}": dict, b"]": list, b"N": lambda: None, b"\x88": lambda: True, b"\x89": lambda: False}
    BYTE, SHORT, INTEGER, SIZE = map(struct.Struct, ("<B", "<H", "<i", "<I"))
    NUMBERS = {b"K": BYTE, b"M": SHORT, b"J": INTEGER}
    STRINGS = {b"U": BYTE, b"T": SIZE}
    PUT, GET = {b"q": BYTE, b"r": SIZE}, {b"h": BYTE, b"j": SIZE}
    TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}

    def __init__(self, content):
        self.content, self.place = content, 0
        self.stack, self.marks, self.memo = [], [], {}

    def read(self):
        """The value that the pickle holds. Raises ValueError, or what Python raises, for anything unexpected."""
        if self.take(2) != b"\x80\x02":
            raise ValueError("no pickle of protocol 2")
        for _ in range(MOST_OPCODES):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            self.step(code)
        raise ValueError("it does not end")

    def step(self, code):
        """Follow one opcode: the most frequent ones come first."""
        stack = self.stack
        if code in self.NUMBERS:
            stack.append(self.number(self.NUMBERS[code]))
        elif code in self.PUT:
            self.memo[self.number(self.PUT[code])] = stack[-1]
        elif code in self.STRINGS:
            stack.append(self.take(self.number(self.STRINGS[code])))
        elif code in self.CONSTANTS:
            stack.append(self.CONSTANTS[code]())
        elif code in self.GET:
            stack.append(self.memo[self.number(self.GET[code])])
        elif code == b"(":
            self.marks.append(len(stack))
        elif code in self.TUPLES:
            stack.append(tuple(self.pop_from(len(stack) - self.TUPLES[code])))
        elif code == b"t":
            stack.append(tuple(self.pop_from(self.marks.pop())))
        elif code == b"c":
            stack.append(self.name())
        else:
            self.fill(code)

    def fill(self, code):
        """Follow an opcode that puts something into what lies on the stack already."""
        if code == b"R":
            function, arguments = self.pop_from(len(self.stack) - 2)
            self.stack.append(_Made(function, arguments))
            return
        items = [self.stack.pop()] if code == b"b" else self.pop_from(self.marks.pop()) if code in b"eu" else []
        target = self.stack[-1] if self.stack else None
        if code == b"e" and type(target) is list:
            target.extend(items)
        elif code == b"u" and type(target) is dict and all(type(key) is bytes for key in items[::2]):
            target.update(zip(items[::2], items[1::2], strict=True))
        elif code == b"b" and type(target) is _Made:
            target.state = items[0]
        else:
            raise ValueError(f"opcode {code!r} does not belong there")

    def take(self, size):
        """The next bytes; as a view where they are many, because the pixels need no second copy."""
        begin, self.place = self.place, self.place + size
        if self.place > len(self.content):
            raise ValueError("it ends too early")
        return (memoryview(self.content) if size > 255 else self.content)[begin : self.place]

    def number(self, form):
        (value,) = form.unpack_from(self.content, self.place)
        self.place += form.size
        return value

    def name(self):
        """The two lines that name a function, which has to be one of NAMES."""
        end = self.content.find(b"\n", self.content.find(b"\n", self.place) + 1)
        name = " ".join(self.content[self.place : end].decode("ascii", "replace").split("\n"))
        if name not in self.NAMES:
            raise ValueError(f"{name[:80]!r} does not belong there")
        self.place = end + 1
        return name

    def pop_from(self, place):
        items = self.stack[place:]
        del self.stack[place:]
        return items

"""Files as cameras, browsers and drawing programs write them, made here, and what is no picture at all."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from helpers.photographs import photograph

# Red, green, blue and grey quarters: large even areas, so that JPEG leaves their middles as they are.
COLOURS = np.array([[[220, 30, 40], [30, 170, 60]], [[40, 60, 200], [128, 128, 128]]], np.uint8)
GREYS = np.array([[0, 90], [180, 255]], np.uint8)
TURNS = {  # EXIF's number for how the camera was held → what has to be done to the pixels for it to be stored so
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, -1),
}


def large(quarters):
    return quarters.repeat(64, axis=0).repeat(64, axis=1)


def saved(picture, kind, **options):
    """The bytes of a file."""
    memory = io.BytesIO()
    picture.save(memory, kind, **options)
    return memory.getvalue()


def png(width, height, depth, colour, rows):
    """A PNG written by hand, for what Pillow does not write."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def middles(square):
    """The four quarters' middles."""
    assert square.shape == (32, 32, 3) and square.dtype == np.uint8
    return square[8::16, 8::16].astype(int)


def close(square, wanted, margin=3):
    return abs(middles(square) - wanted).max() <= margin


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_camera_is_turned_back(turn, kind):
    exif = Image.Exif()
    exif[0x0112] = turn
    stored = Image.fromarray(np.ascontiguousarray(TURNS[turn](large(COLOURS))))
    assert close(photograph(saved(stored, kind, exif=exif)), COLOURS, 8)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "BMP", "TIFF"])
def test_palette(kind):
    assert close(photograph(saved(Image.fromarray(large(COLOURS)).quantize(8), kind)), COLOURS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF"])
def test_grey(kind):
    assert close(photograph(saved(Image.fromarray(large(GREYS)), kind)), GREYS[..., None])


def test_black_and_white():
    quarters = np.array([[0, 255], [255, 0]], np.uint8)
    assert close(photograph(saved(Image.fromarray(large(quarters)).convert("1"), "PNG")), quarters[..., None])


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_of_grey(kind):
    deep = large(GREYS).astype(np.uint16) * 257
    assert close(photograph(saved(Image.fromarray(deep), kind)), GREYS[..., None], 0)


def test_16_bits_of_grey_in_32():
    deep = large(GREYS).astype(np.int32) * 257
    assert close(photograph(saved(Image.fromarray(deep), "TIFF")), GREYS[..., None], 0)


def test_16_bits_of_each_colour():
    deep = (large(COLOURS).astype(">u2") * 257).astype(">u2").reshape(128, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    assert close(photograph(png(128, 128, 16, 2, rows)), COLOURS, 1)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_for_print(kind):
    assert close(photograph(saved(Image.fromarray(large(COLOURS)).convert("CMYK"), kind)), COLOURS, 8)


@pytest.mark.parametrize(("depth", "photometric"), [(8, 0), (8, 1), (12, 1), (16, 0), (16, 1)])
def test_grey_tiffs_of_any_depth_whichever_end_is_white(depth, photometric):
    top = 2**depth - 1
    pixels = large(GREYS).astype(int) * top // 255
    content = tiff(pixels if photometric else top - pixels, depth, photometric)
    assert close(photograph(content), GREYS[..., None], 1)


def tiff(pixels, depth, photometric):
    """A grey TIFF written by hand: one strip, little-endian; 0 is white with `photometric` 0."""
    if depth == 12:  # two values in three bytes
        even, odd = pixels[:, ::2], pixels[:, 1::2]
        strip = np.stack([even >> 4, (even & 15) << 4 | odd >> 8, odd & 255], axis=-1).astype(np.uint8).tobytes()
    else:
        strip = pixels.astype("<u2" if depth == 16 else np.uint8).tobytes()
    height, width = pixels.shape
    entries = [
        (256, width),
        (257, height),
        (258, depth),
        (259, 1),
        (262, photometric),
        (273, 8),
        (277, 1),
        (278, height),
    ]
    table = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    table += struct.pack("<HHII", 279, 4, 1, len(strip))
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + struct.pack("<H", len(entries) + 1) + table + bytes(4)


# Colour spaces by their published primaries and white points (x, y), and how a value becomes light.
D50, D65 = (0.3457, 0.3585), (0.3127, 0.3290)
SPACES = {
    "sRGB": (((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), D65, None),
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65, None),
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, 563 / 256),
    "ProPhoto RGB": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), D50, 1.8),
}


def xyz(x, y):
    return np.array([x / y, 1, (1 - x - y) / y])


def to_d50(space):
    """The matrix from linear red, green and blue to XYZ, adapted to D50 as Bradford does."""
    primaries, white, _ = SPACES[space]
    columns = np.stack([xyz(*primary) for primary in primaries], axis=1)
    matrix = columns * np.linalg.solve(columns, xyz(*white))
    cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gain = np.diag(cones @ xyz(*D50) / (cones @ xyz(*white)))
    return np.linalg.solve(cones, gain @ cones) @ matrix


def profile(space):
    """An ICC profile of version 4 with a matrix and a curve, written by hand."""

    def fixed(*numbers):
        return b"".join(struct.pack(">i", round(65536 * number)) for number in numbers)

    gamma = SPACES[space][2]
    srgb = 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045
    curve = (
        b"para"
        + bytes(4)
        + (struct.pack(">HH", 0, 0) + fixed(gamma) if gamma else struct.pack(">HH", 3, 0) + fixed(*srgb))
    )
    words = space.encode("utf-16-be")
    text = b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words
    tags = [(b"desc", text), (b"cprt", text), (b"wtpt", b"XYZ " + bytes(4) + fixed(*xyz(*D50)))]
    tags += [
        (name, b"XYZ " + bytes(4) + fixed(*column))
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), to_d50(space).T)
    ]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, content, begin = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, body in tags:
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", begin + len(content), len(body))
        content += body
    size = begin + len(content)
    header = struct.pack(">I4xI4s4s4s12x4s", size, 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"acsp") + bytes(28)
    return header + fixed(*xyz(*D50)) + bytes(48) + table + content


def in_srgb(colours, space):
    """The same colours in sRGB, 0–255, by the definitions."""
    value, gamma = colours / 255, SPACES[space][2]
    light = value**gamma if gamma else np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ to_d50(space).T @ np.linalg.inv(to_d50("sRGB")).T, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "transparent PNG"])
def test_colours_are_converted_by_the_pictures_own_profile(space, kind):
    rng = np.random.default_rng(0)
    for _ in range(25):
        colours = rng.integers(0, 256, (2, 2, 3), np.uint8)
        picture = Image.fromarray(large(colours))
        if kind.startswith("transparent"):
            picture.putalpha(255)
        file = saved(picture, kind.split()[-1], icc_profile=profile(space), lossless=True)
        assert abs(middles(photograph(file)) - in_srgb(colours, space)).max() <= 1


def test_a_damaged_profile_or_one_for_other_channels_is_ignored():
    for picture, wanted in ((large(COLOURS), COLOURS), (large(GREYS), GREYS[..., None])):
        for icc in (b"not a profile", profile("Display P3")[:200]):
            assert close(photograph(saved(Image.fromarray(picture), "PNG", icc_profile=icc)), wanted)
    assert close(photograph(saved(Image.fromarray(large(GREYS)), "PNG", icc_profile=profile("sRGB"))), GREYS[..., None])


def test_lab_is_converted():
    lab = ImageCms.profileToProfile(
        Image.fromarray(large(COLOURS)), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert close(photograph(saved(lab, "TIFF")), COLOURS, 10)  # 8 bits of LAB are coarse


def test_transparent_parts_become_white():
    seen = np.array([[255, 0], [128, 255]], np.uint8)
    picture = Image.fromarray(np.dstack([large(COLOURS), large(seen)]))
    wanted = 255 + (COLOURS.astype(int) - 255) * seen[..., None] / 255
    for kind in ("PNG", "WEBP", "TIFF"):
        assert close(photograph(saved(picture, kind, lossless=True)), wanted), kind
    grey = Image.fromarray(np.dstack([large(GREYS), large(seen)]), "LA")
    assert close(photograph(saved(grey, "PNG")), 255 + (GREYS.astype(int) - 255)[..., None] * seen[..., None] / 255)


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_transparent_colour_of_a_palette_becomes_white(kind):
    picture = Image.fromarray(large(np.array([[0, 1], [2, 3]], np.uint8)), "P")
    picture.putpalette(COLOURS.tobytes())
    wanted = COLOURS.copy()
    wanted[0, 1] = 255
    assert close(photograph(saved(picture, kind, transparency=1)), wanted)


def test_a_moving_picture_gives_its_first():
    frames = [Image.fromarray(large(x)) for x in (COLOURS, 255 - COLOURS)]
    assert close(photograph(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])), COLOURS)


def test_the_square_lies_where_it_is_wanted():
    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, 30:60], wide[:, 60:] = (200, 0, 0), (0, 0, 200)
    file = saved(Image.fromarray(wide), "PNG")
    for across, colour in ((0, (0, 0, 0)), (0.5, (200, 0, 0)), (1, (0, 0, 200))):
        assert (photograph(file, centre=(across, 0.5))[16, 16] == colour).all()
    assert photograph(file, side=64).shape == (64, 64, 3)
    assert photograph(saved(Image.new("RGB", (1, 300), "red"), "PNG")).shape == (32, 32, 3)


def test_shrinking_averages():
    """A board of single black and white pixels becomes grey, not black or white."""
    board = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert abs(photograph(saved(Image.fromarray(board), "PNG")).astype(int) - 128).max() <= 3


def test_paths_and_all_kinds_of_bytes(tmp_path):
    file = saved(Image.fromarray(large(COLOURS)), "PNG")
    (tmp_path / "mine.png").write_bytes(file)
    for given in (tmp_path / "mine.png", str(tmp_path / "mine.png"), bytearray(file), memoryview(file)):
        assert close(photograph(given), COLOURS)
    with pytest.raises(FileNotFoundError, match="no such file"):
        photograph(tmp_path / "yours.png")
    with pytest.raises(FileNotFoundError, match="this is a folder"):
        photograph(tmp_path)
    with pytest.raises(FileNotFoundError, match="~nobody_of_this_name/mine.png: there is no such file"):
        photograph("~nobody_of_this_name/mine.png")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        photograph("x" * 5000)
    for nothing in ("", " ", '""'):
        with pytest.raises(FileNotFoundError, match="expected the path of a file"):
            photograph(nothing)
    with pytest.raises(TypeError, match="expected a path or the bytes of a file, got ndarray"):
        photograph(large(COLOURS))


@pytest.mark.parametrize("given", ["~/mine.png", '"~/mine.png"', "'{home}/mine.png'", " {home}/mine.png\n"])
def test_paths_as_people_paste_them(given, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.png").write_bytes(saved(Image.fromarray(large(COLOURS)), "PNG"))
    assert close(photograph(given.format(home=tmp_path)), COLOURS)
    with pytest.raises(FileNotFoundError, match="no such file"):
        photograph(given.format(home=tmp_path).replace("mine", "yours"))


PHOTOGRAPH = saved(Image.effect_noise((300, 300), 80).convert("RGB"), "JPEG")
NO_PICTURES = {
    "nothing": b"",
    "words": b"dear diary, today I took a photograph",
    "a web page": b"<!doctype html><img src='x.png'>",
    "half of a JPEG": PHOTOGRAPH[: len(PHOTOGRAPH) // 2],
    "a PNG without its pixels": png(64, 64, 8, 2, b""),
    "a program for a printer": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF",
    "a kind that is not promised": saved(Image.fromarray(large(COLOURS)), "PPM"),
    "a telephone's HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
    "pixels on an unknown scale": saved(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF"),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name} cannot be used as a photograph: expected a whole JPEG.* as JPEG"):
        photograph(NO_PICTURES[name], name=name)


@pytest.mark.parametrize("side", [10_000, 50_000])
def test_what_is_far_too_large_is_refused_before_it_is_unpacked(side, tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(side, side, 8, 2, bytes(1000)))
    with pytest.raises(ValueError, match="^bomb.png cannot .*: it has more than 89,478,485 pixels"):
        photograph(tmp_path / "bomb.png")

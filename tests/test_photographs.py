"""Files as cameras, browsers and drawing programs write them, made here, and what is no picture at all."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

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

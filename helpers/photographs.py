"""Make any picture one that the networks take. Taught in notebooks/05-fgsm."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

# What cameras and browsers write. Pillow knows more kinds, some of which start other programs.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")


def photograph(file, *, name="the file", side=32, centre=(0.5, 0.5)):
    """The largest square of a picture, shrunk: uint8 (side, side, 3) in 0–255.

    `file` is a path, or the bytes of a file, which errors call `name`. `centre` says where the square lies in a picture
    that is none, across and down, from 0 to 1. A camera's turns are undone, transparent parts become white.
    Raises FileNotFoundError, and ValueError for what is no picture or has more than Pillow's limit of some 90 million
    pixels. Taught in notebooks/05-fgsm.
    """
    if isinstance(file, (bytes, bytearray, memoryview)):
        file = io.BytesIO(file)
    elif Path(file).is_file():
        name = Path(file).name
    else:
        raise FileNotFoundError(f"{file}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # damaged remarks beside the pixels
            with Image.open(file, formats=FORMATS) as picture:
                picture.draft(None, (8 * side, 8 * side))  # a JPEG need not be unpacked in full
                square = ImageOps.fit(_plain(ImageOps.exif_transpose(picture)), (side, side), centering=centre)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller first"
    except Exception as error:  # a broken file can raise anything
        reason = f"expected a whole JPEG, PNG, GIF, WebP, BMP or TIFF ({type(error).__name__}); save it as JPEG first"
    else:
        return np.asarray(square)
    raise ValueError(f"{name} cannot be used as a photograph: {reason}")


def _plain(picture):
    """The same in red, green and blue of 8 bits each, on white."""
    if picture.mode == "F":
        raise ValueError("pixels on a scale that the file does not name")
    if picture.mode.startswith("I"):  # 16 bits: Pillow would make white of all that is not nearly black
        picture = Image.fromarray((np.asarray(picture).clip(0, 65_535) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")

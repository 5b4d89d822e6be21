"""Turn any image file into an image that the networks take. Taught in notebooks/05-fgsm."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

# What cameras and browsers write. Pillow knows more kinds, some of which start other programs.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # TIFF's tags


def photograph(file, *, name="the file", side=32, centre=(0.5, 0.5)):
    """The largest square of an image file, shrunk: uint8 (side, side, 3) in 0–255, in the colours of sRGB.

    `file` is a path, which may begin with "~" and stand in quotation marks, or the bytes of a file, which errors call
    `name`. `centre` says where the square lies in an image that is not one, across and down, from 0 to 1. A camera's turns
    are undone, colours are converted by the file's own colour profile, transparent parts become white.
    Raises FileNotFoundError, TypeError for what is neither, and ValueError for what is not an image or has more than
    Pillow's limit of some 90 million pixels. Taught in notebooks/05-fgsm.
    """
    if isinstance(file, (bytes, bytearray, memoryview)):
        file = io.BytesIO(file)
    else:
        file = _found(file)
        name = file.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # damaged remarks beside the pixels
            with Image.open(file, formats=FORMATS) as picture:
                picture.draft(None, (8 * side, 8 * side))  # a JPEG need not be unpacked in full
                tags = getattr(picture, "tag_v2", {})
                square = ImageOps.fit(_plain(ImageOps.exif_transpose(picture), tags), (side, side), centering=centre)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller first"
    except PermissionError:
        reason = "you may not read it; check who owns it"
    except Exception as error:  # a broken file can raise anything
        reason = f"expected a whole JPEG, PNG, GIF, WebP, BMP or TIFF ({type(error).__name__}); save it as JPEG first"
    else:
        return np.asarray(square)
    raise ValueError(f"{name} cannot be used as a photograph: {reason}")


def _found(file):
    if not isinstance(file, (str, os.PathLike)):
        raise TypeError(f"file: expected a path or the bytes of a file, got {type(file).__name__}")
    text = str(file).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    path = Path(os.path.expanduser(text))  # Path's own raises RuntimeError for a user who is unknown
    if not text:
        raise FileNotFoundError(f"file={file!r}: expected the path of a file")
    if os.path.isdir(path):
        raise FileNotFoundError(f"{file}: this is a folder; name a file in it")
    if not os.path.isfile(path):  # unlike Path's own, not an error for a name that is too long
        raise FileNotFoundError(f"{file}: there is no such file" + (f" as {path}" if text.startswith("~") else ""))
    return path


def _plain(picture, tags):
    """The same in red, green and blue of 8 bits each, in sRGB, on white. `tags` are those of a TIFF."""
    profile = picture.info.get("icc_profile")
    if picture.mode == "F":
        raise ValueError("pixels on a scale that the file does not name")
    if picture.mode.startswith("I"):  # Pillow would make white of all that is not nearly black
        bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
        top = 2 ** min(bits, 16) - 1
        grey = np.asarray(picture).astype(np.int64).clip(0, top)
        if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:  # Pillow turns it for 8 bits, not for more
            grey = top - grey
        picture = Image.fromarray((grey * 255 // top).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        colours = _in_srgb(picture.convert("RGB"), profile).convert("RGBA")
        colours.putalpha(picture.getchannel("A"))
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), colours).convert("RGB")
    if picture.mode == "P":
        picture = picture.convert("RGB")
    return _in_srgb(picture, profile)


def _in_srgb(picture, profile):
    """The colours that the file's profile means, in RGB. A file without a usable profile is taken for sRGB."""
    if picture.mode == "1":
        picture = picture.convert("L")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else None
        if picture.mode == "LAB":
            source = source or ImageCms.createProfile("LAB")
        if source:
            intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
            target = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(picture, source, target, intent, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        pass  # damaged, or made for another number of channels: browsers ignore it, too
    return picture.convert("RGB")

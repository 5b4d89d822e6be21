"""Refuse images, labels and ε of the wrong kind, shape or range: one place for all modules.

Each function returns its argument in the form in which we compute with it, and changes no value.
"""

import warnings

import numpy as np


def checked_images(images, shape=None, *, dtypes=("float",)):
    """`images` as an array (n, height, width, channels): uint8 in 0–255, or float32 in [0, 1].

    `dtypes` are the kinds that the caller takes, of "float" and "uint8"; `shape` is that of one image, if fixed.
    Raises TypeError for another kind, ValueError for another shape or range.
    """
    images = np.asarray(images)
    kind = "float" if images.dtype.kind == "f" else str(images.dtype)
    if kind not in dtypes:
        taken = {"float": "floats in [0, 1]", "uint8": "uint8 in 0–255"}
        whole = "; whole numbers in 0–255 need .astype(np.uint8)" if images.dtype.kind in "iu" else ""
        fix = {
            "uint8": "; helpers.data.to_float(images) converts uint8",
            "float": "; pass them as helpers.data.load returns them",
        }.get(kind, whole)
        expected = " or ".join(taken[dtype] for dtype in dtypes)
        raise TypeError(f"images: expected {expected}, got {images.dtype}{fix}")
    if images.ndim != 4:
        expected = "height, width, channels" if shape is None else ", ".join(map(str, shape))
        grey = images.ndim == 2 or images.ndim == 3 and images.shape[-1] > 4
        fix = "grey images need images[..., None]" if grey else "one alone is images[i : i + 1]"
        raise ValueError(f"images: expected shape (n, {expected}), got {images.shape}; {fix}")
    if shape is not None and images.shape[1:] != tuple(shape):
        channels_first = (*images.shape[2:], images.shape[1]) == tuple(shape)
        raise ValueError(
            f"images: the network takes images of shape {tuple(shape)}, these have {images.shape[1:]}"
            + ("; np.moveaxis(images, 1, -1) puts the channels last" if channels_first else "")
        )
    if kind == "float":
        _refuse_other_ranges(images)
        images = images.astype(np.float32, copy=False)
    return images


def _refuse_other_ranges(images):
    if not images.size or (images.min() >= 0 and images.max() <= 1):
        if images.size and 0 < images.max() < 1.01 / 255:
            warnings.warn(
                f"images: no value is above {images.max():.3g}, so all are nearly black; were they divided by 255 twice?",
                stacklevel=4,
            )
        return
    if bad := int((~np.isfinite(images)).sum()):
        raise ValueError(f"images: {bad:,} of {images.size:,} values are nan or infinite; expected values in [0, 1]")
    low, high = float(images.min()), float(images.max())
    trained_so = ", and if the network was trained on values as these are, put keras.layers.Rescaling({}) before it"
    if low > -0.01 and high < 1.01:
        fix = "; np.clip(images, 0, 1) removes what rounding added"
    elif low >= -1 and high <= 1:
        fix = "; (images + 1) / 2 turns [-1, 1] into [0, 1]" + trained_so.format("2, offset=-1")
    else:
        fix = "; divide 0–255 by 255" + trained_so.format(255) if low >= 0 and high <= 255 else ""
    raise ValueError(f"images: expected values in [0, 1], got {low:.9g} to {high:.9g}{fix}")


def checked_labels(labels, count, classes):
    """`labels` as int64 (count,), each from 0 to classes − 1.

    Raises TypeError for what is not an integer, ValueError for another shape or range.
    """
    labels = np.asarray(labels)
    if labels.shape != (count,):
        fix = {(count, 1): "; try labels.ravel()", (count, classes): "; try labels.argmax(axis=1)"}
        raise ValueError(
            f"labels: expected one class number per image, shape ({count},), got {labels.shape}"
            + fix.get(labels.shape, "")
        )
    if labels.dtype.kind not in "iu":
        fix = (
            "helpers.data.CLASS_NAMES.index(name) numbers a class"
            if labels.dtype.kind in "US"
            else "try labels.astype(int)"
        )
        raise TypeError(f"labels: expected integers, got {labels.dtype}; {fix}")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        fix = "; try labels - 1" if labels.min() >= 1 and labels.max() == classes else ""
        raise ValueError(f"labels: expected classes 0 to {classes - 1}, got {labels.min()} to {labels.max()}{fix}")
    return labels.astype(np.int64)


def checked_epsilon(epsilon, name="epsilon"):
    """`epsilon` as a float in [0, 1]. Raises TypeError for what is not one number, ValueError outside the range."""
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}={epsilon!r}: expected one number in [0, 1], such as 8/255")
    if not 0 <= epsilon <= 1:
        fix = f"; did you mean {epsilon:g}/255?" if 1 < epsilon <= 255 else ""
        raise ValueError(f"{name}={epsilon:.9g} lies outside [0, 1]{fix}")
    return float(epsilon)


def checked_counts(**counts):
    """Raises ValueError, with its name, for each argument that is not a whole number of at least 1."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"{name}={count!r}: expected a whole number of at least 1")

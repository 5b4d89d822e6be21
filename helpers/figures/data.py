"""The figures of notebooks/01-data."""

import numpy as np
from matplotlib.patches import Rectangle

from .style import CHANNELS, MARK, new_figure, styled


@styled
def three_views(image):
    """One image (32, 32, 3) at about its true size, enlarged pixel by pixel, and enlarged with smooth transitions."""
    figure, axes = new_figure(columns=3, height=3.9)
    middle = (145, 177, 177, 145)  # 32 of the 322 screen pixels that a panel has
    axes[0].imshow(image, extent=middle)
    axes[0].set(xlim=(0, 322), ylim=(322, 0))
    axes[1].imshow(image)
    axes[2].imshow(image, interpolation="bicubic")
    for axis, title in zip(axes, ("true size", "enlarged", "enlarged and smoothed"), strict=True):
        axis.set_title(title)
        axis.axis("off")
    return figure


@styled
def image_and_pixel_values(image, top, left, size=4):
    """An image with a small patch marked, and the patch as the network receives it: three numbers in [0, 1] per pixel.

    `image` is uint8 (32, 32, 3); `top` and `left` are the row and column of the patch's first pixel.
    """
    figure, (whole, patch) = new_figure(columns=2, height=5)
    whole.imshow(image)
    whole.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=MARK, linewidth=4))
    whole.set_title("what you see")
    pixels = image[top : top + size, left : left + size]
    patch.imshow(pixels)
    for row, column in np.ndindex(size, size):
        pixel = pixels[row, column]
        ink = "black" if pixel @ (0.3, 0.6, 0.1) > 120 else "white"
        numbers = "\n".join(f"{value / 255:.2f}" for value in pixel)
        patch.text(column, row, numbers, color=ink, ha="center", va="center", fontsize=16)
    patch.set_title("what the network receives: red, green, blue")
    for axis, colour in ((whole, "none"), (patch, MARK)):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, color=colour, linewidth=4)
    return figure


@styled
def class_grid(images, labels, names, rows=2, columns=3):
    """The first `rows` × `columns` images of each class as a block, under the class's number and name."""
    figure, axes = new_figure(2, 5, height=3.9)
    for number, (axis, name) in enumerate(zip(axes.flat, names, strict=True)):
        chosen = images[labels == number][: rows * columns]
        framed = np.pad(chosen, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)  # white lines between images
        side = framed.shape[1]
        block = framed.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
        axis.imshow(block)
        axis.set_title(f"{number}  {name}")
        axis.axis("off")
    return figure


@styled
def channel_histogram(counts):
    """How often each intensity level 0–255 occurs in red, green and blue, with the means marked.

    `counts` are integers (3, 256).
    """
    figure, axis = new_figure(height=4.2)
    levels = np.arange(256)
    percent = 100 * counts / counts.sum(axis=1, keepdims=True)
    means = percent @ levels / 100
    heights = percent[:, 3:-3].max() * (1.28 - 0.1 * np.argsort(np.argsort(means)))  # three names at three heights
    for (name, colour), style, row, mean, height in zip(
        CHANNELS.items(), ("-", "--", ":"), percent, means, heights, strict=True
    ):
        axis.plot(levels, row, style, color=colour)
        axis.plot([mean, mean], [0, height], style, color=colour, linewidth=1.5)
        axis.text(mean + 3, height, f"{name}, mean {mean:.0f}", color=colour, va="center")
    axis.set(xlabel="intensity level of one channel (0–255)", ylabel="values (%)", xlim=(0, 255))
    axis.set_ylim(0, 1.05 * heights.max())
    return figure

"""The figures of notebooks/01-data."""

import numpy as np
from matplotlib.patches import Rectangle

from .style import BLUE, GREEN, ORANGE, new_figure, styled


@styled
def three_views(image):
    """One picture at about its true size, enlarged pixel by pixel, and enlarged with smooth transitions."""
    figure, axes = new_figure(columns=3, height=3.9)
    middle = (145, 177, 177, 145)  # 32 of the 322 screen pixels that a panel has
    axes[0].imshow(image, extent=middle)
    axes[0].set(xlim=(0, 322), ylim=(322, 0))
    axes[1].imshow(image)
    axes[2].imshow(image, interpolation="bicubic")
    for axis, title in zip(axes, ("as large as it is", "every pixel enlarged", "smoothed"), strict=True):
        axis.set_title(title)
        axis.axis("off")
    return figure


@styled
def image_and_pixel_values(image, top, left, size=4):
    """A photograph with a small patch marked, and the patch as the network gets it: three numbers a pixel, 0–255."""
    figure, (photograph, patch) = new_figure(columns=2, height=5)
    photograph.imshow(image)
    photograph.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=ORANGE, linewidth=4))
    photograph.set_title("what you see")
    numbers = image[top : top + size, left : left + size]
    patch.imshow(numbers)
    for row, column in np.ndindex(size, size):
        pixel = numbers[row, column]
        ink = "black" if pixel @ (0.3, 0.6, 0.1) > 120 else "white"
        patch.text(column, row, "\n".join(map(str, pixel)), color=ink, ha="center", va="center", fontsize=16)
    patch.set_title("what the network gets: red, green, blue")
    for axis, colour in ((photograph, "none"), (patch, ORANGE)):
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(visible=True, color=colour, linewidth=4)
    return figure


@styled
def class_grid(images, labels, names, rows=3, columns=2):
    """The first `rows` × `columns` images of each class as a block, under the class's number and name."""
    figure, axes = new_figure(2, 5, height=7)
    for number, (axis, name) in enumerate(zip(axes.flat, names, strict=True)):
        chosen = images[labels == number][: rows * columns]
        framed = np.pad(chosen, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)  # white lines between pictures
        side = framed.shape[1]
        block = framed.reshape(rows, columns, side, side, 3).swapaxes(1, 2).reshape(rows * side, columns * side, 3)
        axis.imshow(block)
        axis.set_title(f"{number}  {name}", fontsize=16)
        axis.axis("off")
    return figure


@styled
def channel_histogram(counts):
    """How often each level 0–255 occurs in red, green and blue; `counts` has shape (3, 256). Means are marked."""
    figure, axis = new_figure(height=4.2)
    levels = np.arange(256)
    share = 100 * counts / counts.sum(axis=1, keepdims=True)
    means = share @ levels / 100
    heights = share[:, 3:-3].max() * (1.28 - 0.1 * np.argsort(np.argsort(means)))  # three names at three heights
    channels = zip(
        ("red", "green", "blue"), (ORANGE, GREEN, BLUE), ("-", "--", ":"), share, means, heights, strict=True
    )
    for name, colour, style, row, mean, height in channels:
        axis.plot(levels, row, style, color=colour)
        axis.plot([mean, mean], [0, height], style, color=colour, linewidth=1.5)
        axis.text(mean + 3, height, f"{name}, mean {mean:.0f}", color=colour, va="center")
    axis.set(xlabel="level of one channel of a pixel (0–255)", ylabel="share of pixels (%)", xlim=(0, 255))
    axis.set_ylim(0, 1.05 * heights.max())
    return figure

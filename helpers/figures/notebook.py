"""How figures, tables and source code are shown in a notebook."""

import ast
import base64
import html
import inspect
import io
import time

import matplotlib
import numpy as np
from IPython.display import DisplayHandle, Markdown, display
from matplotlib.image import AxesImage

from .style import DPI, STYLE
from .training import live_curve


def show(figure, alt):
    """Show `figure` in a notebook with `alt`, one or two sentences that state what it shows.

    The text is stored as the output's `alt`, which exported pages turn into the attribute, and is shown below the
    figure as its caption, because JupyterLab and GitHub ignore the stored one. A dark theme turns light and dark of a
    figure around, unless it holds images: then it asks for a light background, which JupyterLab knows by this name.
    """
    metadata = {"image/png": {"alt": alt}}
    if figure.findobj(AxesImage):
        metadata["needs_background"] = "light"
    display(_png(figure, alt), raw=True, metadata=metadata)
    _caption(alt)


def _png(figure, alt):
    memory = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(memory, format="png", dpi=DPI, facecolor="white")
    return {"image/png": base64.b64encode(memory.getvalue()).decode(), "text/plain": alt}


def _caption(alt):
    display(Markdown(f"*{html.escape(alt, quote=False)}*"))


def show_source(*functions):
    """Show the code that runs, without docstrings: a taught idea is written once, in helpers, and read from there."""
    blocks = []
    for function in functions:
        source = inspect.getsource(getattr(function, "python_function", function))
        tree = ast.parse(source).body[0]
        lines = source.splitlines()
        if ast.get_docstring(tree):
            del lines[tree.body[0].lineno - 1 : tree.body[0].end_lineno]
        blocks.append("\n".join(lines))
    display(Markdown("```python\n" + "\n\n".join(blocks) + "\n```"))


def show_table(headings, rows):
    """Show `rows` of text and numbers in a notebook: numbers are aligned right, whole ones with thousands separators."""
    lines = [headings, [":---" if isinstance(value, str) else "---:" for value in rows[0]]]
    lines += [[f"{value:,}" if isinstance(value, int) else str(value) for value in row] for row in rows]
    # Escaped, because a notebook trusts its own outputs: a name that is HTML would run. A | would begin another column.
    lines = [[html.escape(text, quote=False).replace("|", r"\|") for text in line] for line in lines]
    display(Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines)))


class LiveCurve:
    """A learning curve that redraws in place while a network trains, and states at the end what came out.

        with LiveCurve() as curve:
            training.train(recipe, dataset, on_step=curve.on_step, on_epoch=curve.on_epoch)

    Interrupting the kernel inside ends the training run with one line, not with a traceback. Used in 03-training.
    """

    def __init__(self):
        self.step, self.recent, self.points, self.tests, self.part = 0, [], [], [], "test"
        self.handle = DisplayHandle()

    def __enter__(self):
        self.begin = time.perf_counter()
        self.handle.display({"text/plain": "waiting for the first batches"}, raw=True)
        return self

    def __exit__(self, kind, error, trace):
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if kind is None or interrupted:
            self._finish("Interrupted after" if interrupted else "After")
        return interrupted

    def on_step(self, done, total, loss, accuracy):
        """Every 25 batches, or a hundredth of a long training run, and at its end, add their mean to the curve."""
        self.step = done
        self.recent.append((loss, accuracy))
        if done % max(25, total // 100) == 0 or done == total:
            self.points.append((done, *np.mean(self.recent, axis=0)))
            self.recent = []
            self._redraw("training in progress")

    def on_epoch(self, history):
        self.part = "test" if "test_loss" in history else "validation"
        self.tests.append((self.step, history[f"{self.part}_loss"][-1], history[f"{self.part}_accuracy"][-1]))
        self._redraw("training in progress")

    def _finish(self, begin):
        text = f"{begin} {self.step} batches and {time.perf_counter() - self.begin:.0f} seconds"
        if self.points:
            text += f", the training loss has gone from {self.points[0][1]:.2f} to {self.points[-1][1]:.2f}"
        text += "."
        if self.tests:
            text += f" After epoch {len(self.tests)}, the {self.part} accuracy is {self.tests[-1][2]:.0%}."
        self._redraw(text)
        _caption(text)

    def _redraw(self, alt):
        data = _png(live_curve(self.points, self.tests, self.part), alt)
        self.handle.update(data, raw=True, metadata={"image/png": {"alt": alt}})

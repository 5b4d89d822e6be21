"""Numbers in stored outputs that come from records are what the records say: compared on any machine."""

import ast
import contextlib
import io
import re

import IPython
import outputs
import pytest
from flows import taken_and_given
from IPython.display import Markdown

import helpers.explorer  # noqa: F401 - it takes data.to_float when it is imported: before that is replaced below
from helpers import data, figures
from helpers.editions import cells


class NoImages(Exception):
    """Raised by whatever would compute with images."""


class Images:
    """Stands in for images and labels: they can be counted, a part can be taken, and that is all."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, part):
        return Images(len(range(self.count)[part])) if isinstance(part, slice) else self._refuse()

    def _refuse(self, *_, **__):
        raise NoImages

    __array__ = __iter__ = __index__ = __format__ = __str__ = __bool__ = __getattr__ = _refuse
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __add__ = __sub__ = __mul__ = __truediv__ = _refuse


class Dataset(Images):
    """Stands in for CIFAR-10, of which only names and sizes are known."""

    name, title, source = "cifar10", "CIFAR-10", Images(0)
    x_train = y_train = Images(50_000)
    x_test = y_test = Images(10_000)


def without_images(book):
    """Run a notebook as far as that needs no images. Yields each code cell, what it says, and whether all of it ran."""
    said, scope, unknown = io.StringIO(), {"__name__": "lecture"}, set()

    def display(*shown, **_):
        said.writelines(f"{one.data}\n" for one in shown if isinstance(one, Markdown))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda *_: Dataset(0))
        patch.setattr(data, "to_float", lambda images: images)
        for module in (figures.notebook, IPython.display):
            patch.setattr(module, "display", display)
        for cell in book.cells:
            if cell.cell_type == "code" and "check.ready()" not in cell.source:
                said.seek(0)
                said.truncate()
                whole = [_runs(statement, scope, unknown, said) for statement in ast.parse(cell.source).body]
                yield cell, outputs.lines(said.getvalue()), all(whole)


def _runs(statement, scope, unknown, said):
    """Whether a statement ran in `scope`; where it needs images, the names that it gives become `unknown`."""
    taken, given = taken_and_given(ast.unparse(statement))
    try:
        if taken & unknown:
            raise NoImages
        with contextlib.redirect_stdout(said):
            if isinstance(statement, ast.Expr):  # a notebook shows the value of its last one
                IPython.display.display(eval(ast.unparse(statement), scope))  # noqa: S307, the project's own cells
            else:
                exec(ast.unparse(statement), scope)  # noqa: S102
        unknown -= given
    except (NoImages, NameError):
        filled = taken if isinstance(statement, ast.For | ast.With) else ()  # perhaps in part
        unknown |= given | {name for name in filled if isinstance(scope.get(name), dict | list)}
        return False
    return True


def out_of_date(book):
    """Lines that cells say now and did not say when they were stored, or the other way round."""
    found = []
    for cell, now, whole in without_images(book):
        then = outputs.said(cell.outputs)
        found += [line for line in now if line not in then] + [line for line in then if whole and line not in now]
    return found


@pytest.mark.parametrize("name", cells.names())
def test_what_comes_from_records_is_what_they_say(name):
    assert out_of_date(cells.stored()[name]) == []


@pytest.mark.parametrize("name", ["03-training", "06-defence"])
def test_a_number_that_no_record_has_is_noticed(name):
    book = cells.stored()[name]
    line = next(line for _, now, _ in without_images(book) for line in now if "%" in line)
    for output in (output for cell in book.cells for output in cell.get("outputs", ())):
        words = output.data if "data" in output else output
        for kind in ("text", "text/markdown"):
            if kind in words:
                words[kind] = words[kind].replace(line, re.sub(r"\d(\.\d+)?%", "7.7%", line, count=1))
    assert out_of_date(book)

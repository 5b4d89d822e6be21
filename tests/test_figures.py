import itertools

import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from matplotlib.text import Text

from helpers import data, figures, models

NAMES = data.CLASS_NAMES


@pytest.fixture(scope="module")
def images(dataset):
    return dataset.x_test[: data.ORIGINAL_TEST_IMAGES]


@pytest.fixture(scope="module")
def labels(dataset):
    return dataset.y_test[: data.ORIGINAL_TEST_IMAGES]


@pytest.fixture(scope="module")
def table():
    return models.layer_table(models.build("vgg3"))


def words(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def assert_nothing_is_cut_off(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) > -0.01 and drawn.x1 < width + 0.01 and drawn.y1 < height + 0.01, drawn


def test_a_word_that_is_cut_off_is_noticed():
    figure, axis = figures.new_figure()
    assert_nothing_is_cut_off(figure)
    axis.text(1.2, 0.5, "outside")
    figure.set_layout_engine("none")
    with pytest.raises(AssertionError):
        assert_nothing_is_cut_off(figure)


@pytest.fixture
def displayed(monkeypatch):
    """What is displayed in a notebook, in order."""
    outputs = []
    monkeypatch.setattr(figures.notebook, "display", lambda *objects, **_: outputs.extend(objects))
    return outputs


def test_show_table(displayed):
    figures.show_table(["layer", "parameters"], [("dense", 1_234), ("share", "48%")])
    lines = displayed[0].data.splitlines()
    assert lines == ["| layer | parameters |", "| :--- | ---: |", "| dense | 1,234 |", "| share | 48% |"]


def test_show_source_shows_the_code_that_runs(displayed):
    figures.show_source(models.vgg_block, models.vgg3)
    text = displayed[0].data
    assert text.startswith("```python\ndef vgg_block(filters):") and text.endswith("```")
    assert "*vgg_block(128)," in text and '"""' not in text
    scope = {"keras": models.keras, "layers": models.layers}
    exec(text.removeprefix("```python").removesuffix("```"), scope)  # noqa: S102, its own source
    assert scope["vgg3"]().count_params() == models.vgg3().count_params()


# Colours


def colour(code):
    return np.array([int(code[place : place + 2], 16) for place in (1, 3, 5)]) / 255


def luminance(rgb):
    """As WCAG 2 defines it."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("name", [*figures.ROLES, "GREY", "INK"])
def test_words_in_a_colour_have_contrast_on_white(name):
    code = figures.ROLES.get(name) or getattr(figures, name)
    assert 1.05 / (luminance(colour(code)) + 0.05) >= 4.5


@pytest.mark.parametrize("deficiency", [None, "protanomaly", "deuteranomaly", "tritanomaly"])
def test_everybody_tells_the_roles_apart(deficiency):
    """As seen without one kind of cone; 10 of CAM02-UCS is the difference between neighbours in a good colour scale."""
    space = {"name": "sRGB1+CVD", "cvd_type": deficiency, "severity": 100} if deficiency else "sRGB1"
    seen = {name: np.clip(cspace_convert(colour(code), space, "sRGB1"), 0, 1) for name, code in figures.ROLES.items()}
    close = [pair for pair in itertools.combinations(seen, 2) if distance(*(seen[role] for role in pair)) < 10]
    assert close == []


def distance(one, other):
    return deltaE(one, other, input_space="sRGB1")


# 01-data


def test_three_views_show_the_true_size(images):
    figure = figures.three_views(images[0])
    assert_nothing_is_cut_off(figure)
    ((left, top), (right, bottom)) = figure.axes[0].transData.transform([(145, 145), (177, 177)])
    assert abs(right - left - 32) < 1 and abs(top - bottom - 32) < 1
    assert all(np.array_equal(axis.images[0].get_array(), images[0]) for axis in figure.axes)


def test_person_and_numbers(images):
    figure = figures.image_and_pixel_values(images[0], top=10, left=20, size=3)
    assert_nothing_is_cut_off(figure)
    found = {text.get_position(): text.get_text() for text in figure.axes[1].texts}
    assert len(found) == 9
    for (column, row), numbers in found.items():
        assert [int(number) for number in numbers.split()] == images[0, 10 + row, 20 + column].tolist()
    assert figure.axes[0].patches[0].get_xy() == (19.5, 9.5)


def test_class_grid_shows_each_class_under_its_name(images, labels):
    figure = figures.class_grid(images, labels, NAMES)
    assert_nothing_is_cut_off(figure)
    for number, axis in enumerate(figure.axes):
        assert axis.get_title() == f"{number}  {NAMES[number]}"
        block = axis.images[0].get_array()
        first, last = np.flatnonzero(labels == number)[[0, 5]]
        assert np.array_equal(block[1:33, 1:33], images[first]) and np.array_equal(block[69:101, 35:67], images[last])


def test_channel_histogram_marks_the_means():
    counts = np.zeros((3, 256), int)
    counts[0, [10, 20]], counts[1, 100], counts[2, 200] = 5, 7, 9
    figure = figures.channel_histogram(counts)
    assert_nothing_is_cut_off(figure)
    assert {"red, mean 15", "green, mean 100", "blue, mean 200"} <= set(words(figure))
    assert figure.axes[0].lines[0].get_ydata()[[10, 11, 20]].tolist() == [50, 0, 50]


# 02-architecture


def test_network_drawing_follows_the_table(table):
    figure = figures.network_drawing(table)
    assert_nothing_is_cut_off(figure)
    # Two faces of the picture and of each convolution, and two dense layers.
    assert len(figure.axes[0].patches) == 2 * 7 + 2
    blocks = ["block 1\n32 channels\n32×32\nmax pool\nto 16×16", "block 3\n128 channels\n8×8\nmax pool\nto 4×4"]
    assert {*blocks, "dense\n10"} <= set(words(figure))


def test_receptive_fields_fade_what_is_not_seen(images):
    response = np.zeros((32, 32))
    response[10:15, 20:26] = 0.1
    figure = figures.receptive_fields(images[0], [response, np.ones((32, 32))], ["one", "all"])
    drawn = figure.axes[0].images[0].get_array()
    assert np.array_equal(drawn[10:15, 20:26], images[0, 10:15, 20:26])
    assert drawn.dtype == np.uint8 and drawn[:10].min() >= 178
    frame = figure.axes[0].patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((19.5, 9.5), 6, 5)


def test_cost_shares():
    figure = figures.cost_shares(["a", "b"], [3, 1], [1, 1])
    assert_nothing_is_cut_off(figure)
    assert [bar.get_width() for bar in figure.axes[0].patches] == [75, 25, 50, 50]
    assert " 75.0% of the parameters" in words(figure)


def test_feature_maps_shows_the_loudest_channels(images):
    block = np.random.default_rng(0).random((8, 8, 20), np.float32)
    block[:, :, 13] += 2
    block[:, :, 4] += 1
    figure = figures.feature_maps(images[0], [block, block], ["first", "second"])
    assert_nothing_is_cut_off(figure)
    assert len(figure.axes) == 1 + 2 * 6
    assert np.array_equal(figure.axes[1].images[0].get_array(), block[:, :, 13])
    assert np.array_equal(figure.axes[8].images[0].get_array(), block[:, :, 4])


def test_layer_by_layer():
    rows = [[1, 0.1, 0.01], [2, 0.2, 0.02]]
    figure = figures.layer_by_layer({"plain": (rows, figures.BLUE)}, "size", names=["a", "b", "c"], mark=(1, "here"))
    assert_nothing_is_cut_off(figure)
    axis = figure.axes[0]
    assert [list(line.get_ydata()) for line in axis.lines[:2]] == rows and axis.get_yscale() == "log"
    assert list(axis.lines[2].get_xdata()) == [1, 1] and {"a", "plain", "here", "size"} <= set(words(figure))


# 04-evaluation


@pytest.mark.parametrize("count", [4, 6, 12])
def test_labelled_images_leave_room_for_three_lines(images, count):
    figure = figures.labelled_images(images[:count], ["label: automobile\nsays: automobile\n99.9%"] * count)
    assert_nothing_is_cut_off(figure)
    assert len(figure.findobj(AxesImage)) == count


def test_live_curve_takes_a_training_of_three_batches(capsys):
    """Fewer batches than a point needs: a student who shortens the training gets a curve, not an error."""
    curve = figures.LiveCurve()
    for done in (1, 2, 3):
        curve.on_step(done, 3, 2.0, 0.1)
    curve.on_epoch({"test_loss": [1.9], "test_accuracy": [0.2]})
    assert curve.points == [pytest.approx((3, 2.0, 0.1))] and curve.tests == [(3, 1.9, 0.2)]


# 05-fgsm and 06-defence


def test_under_attacks_labels_a_curve_that_stops_early_where_no_other_goes_on():
    curves = {"FGSM": (range(5), [0.8, 0.4, 0.2, 0.1, 0.1], figures.ORANGE), "PGD": ((0, 2), [0.8, 0.0], figures.GREEN)}
    figure = figures.robustness_curves({"one": curves, "two": curves}, 2 / 255)
    assert_nothing_is_cut_off(figure)
    assert [words(figure).count(word) for word in ("FGSM", "PGD", "one", "two")] == [2, 2, 1, 1]
    assert list(figure.axes[0].lines[1].get_ydata()) == [80, 0]
    assert next(text for text in figure.axes[0].texts if text.get_text() == "PGD").get_position()[0] < 0


def test_still_right_names_the_classes_that_are_furthest_apart():
    classes = np.array([np.full(10, 0.9), np.linspace(0.2, 0.8, 10), np.linspace(0.1, 0.2, 10)])
    figure = figures.survival_curve((0, 1, 2), classes.mean(axis=1), classes, NAMES)
    assert_nothing_is_cut_off(figure)
    assert set(words(figure)) & set(NAMES) == {NAMES[0], NAMES[9]}


def test_epochs_under_attack():
    history = {"loss": [2, 1], "test_accuracy": [0.5, 0.6], "fgsm_accuracy": [0.3, 0.7], "pgd_accuracy": [0.3, 0.0]}
    figure = figures.epochs_under_attack(history)
    assert_nothing_is_cut_off(figure)
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[50, 60], [30, 70], [30, 0]]
    assert {"untouched", "FGSM", "PGD"} <= set(words(figure))


def test_untouched_and_attacked_keeps_the_names_of_neighbours_apart():
    points = {"a network": (0.75, 0.40, figures.BLUE), "another one": (0.74, 0.41, figures.BLUE)}
    figure = figures.clean_vs_robust(points)
    assert_nothing_is_cut_off(figure)
    first, second = (text.get_window_extent() for text in figure.axes[0].texts)
    assert not first.overlaps(second)

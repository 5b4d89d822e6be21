import itertools

import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from helpers import data, figures, models
from helpers.figures.training import live_curve

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
    # A hundredth of an inch is the thickness of an axis.
    assert min(drawn.x0, drawn.y0) > -0.02 and drawn.x1 < width + 0.02 and drawn.y1 < height + 0.02, drawn.extents
    small = {text.get_text() for text in figure.findobj(Text) if text.get_text().strip() and text.get_fontsize() < 14}
    assert not small, f"cannot be read from the last row: {small}"


@figures.style.styled
def test_a_small_word_is_noticed():
    figure, axis = figures.new_figure()
    axis.text(0.5, 0.5, "small", fontsize=13)
    with pytest.raises(AssertionError, match="last row.*small"):
        assert_nothing_is_cut_off(figure)


@figures.style.styled
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


def test_only_a_figure_with_images_keeps_its_light_background(monkeypatch, images):
    shown = []
    monkeypatch.setattr(figures.notebook, "display", lambda *_, metadata=None, **__: shown.append(metadata))
    figures.show(figures.confusion(np.eye(10, dtype=int), NAMES), "a chart")
    figures.show(figures.labelled_images(images[:5], list("abcde")), "images")
    chart, _, pictures, _ = shown
    assert chart == {"image/png": {"alt": "a chart"}}
    assert pictures == {"image/png": {"alt": "images"}, "needs_background": "light"}


def test_show_table(displayed):
    figures.show_table(["layer", "parameters"], [("dense", 1_234), ("|w|", "48%")])
    lines = displayed[0].data.splitlines()
    assert lines == ["| layer | parameters |", "| :--- | ---: |", "| dense | 1,234 |", r"| \|w\| | 48% |"]


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
    assert [axis.get_title() for axis in figure.axes] == ["true size", "enlarged", "enlarged and smoothed"]
    assert [axis.images[0].get_interpolation() for axis in figure.axes] == ["nearest", "nearest", "bicubic"]


def test_image_and_pixel_values_are_those_that_a_network_receives(images):
    figure = figures.image_and_pixel_values(images[0], top=10, left=20, size=3)
    assert_nothing_is_cut_off(figure)
    found = {text.get_position(): text.get_text() for text in figure.axes[1].texts}
    assert len(found) == 9
    for (column, row), numbers in found.items():
        received = data.to_float(images[0])[10 + row, 20 + column]
        assert [float(number) for number in numbers.split()] == pytest.approx(received.tolist(), abs=0.00501)
    assert figure.axes[0].patches[0].get_xy() == (19.5, 9.5)


def test_class_grid_shows_each_class_under_its_name(images, labels):
    figure = figures.class_grid(images, labels, NAMES)
    assert_nothing_is_cut_off(figure)
    for number, axis in enumerate(figure.axes):
        assert axis.get_title() == f"{number}  {NAMES[number]}"
        block = axis.images[0].get_array()
        first, last = np.flatnonzero(labels == number)[[0, 5]]
        assert np.array_equal(block[1:33, 1:33], images[first]) and np.array_equal(block[35:67, 69:101], images[last])


def test_channel_histogram_marks_the_means():
    counts = np.zeros((3, 256), int)
    counts[0, [10, 20]], counts[1, 100], counts[2, 200] = 5, 7, 9
    figure = figures.channel_histogram(counts)
    assert_nothing_is_cut_off(figure)
    (axis,) = figure.axes
    assert axis.lines[0].get_ydata()[[10, 11, 20]].tolist() == [50, 0, 50]
    for name, mean, rows in zip(("red", "green", "blue"), (15, 100, 200), np.reshape(axis.lines, (3, 2)), strict=True):
        word = next(text for text in axis.texts if text.get_text() == f"{name}, mean {mean}")
        curve, mark = rows
        assert {line.get_color() for line in rows} == {word.get_color()}
        # The channel's own colour: its component is the largest one.
        assert np.argmax(colour(word.get_color())) == ("red", "green", "blue").index(name)
        assert list(mark.get_xdata()) == [mean, mean] and word.get_position()[0] == mean + 3
        assert curve.get_ydata().sum() == 100


# 02-architecture


def test_network_drawing_follows_the_table(table):
    figure = figures.network_drawing(table)
    assert_nothing_is_cut_off(figure)
    # Two faces of the image, of each convolution and of the two dense layers, all on one scale.
    faces = figure.axes[0].patches
    assert len(faces) == 2 * 9
    length = [float(np.ptp(face.get_xy()[:, 0])) for face in faces[1::2]]
    assert length[5] == pytest.approx(length[7]) == pytest.approx(4 * length[1])  # 128 channels, 128 units, 32 channels
    blocks = [
        f"block {n}\n{c} channels\n{s}×{s}\nmax pooling\nto {s // 2}×{s // 2}" for n, c, s in ((1, 32, 32), (3, 128, 8))
    ]
    assert {*blocks, "dense\n128 units", "logits\n10"} <= set(words(figure))


def test_receptive_fields_fade_what_is_not_seen(images):
    response = np.zeros((32, 32))
    response[10:15, 20:26] = 0.1
    figure = figures.receptive_fields(images[0], [response, np.ones((32, 32))], ["one", "all"])
    drawn = figure.axes[0].images[0].get_array()
    assert np.array_equal(drawn[10:15, 20:26], images[0, 10:15, 20:26])
    assert drawn.dtype == np.uint8 and drawn[:10].min() >= 178
    frame = figure.axes[0].patches[0]
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((19.5, 9.5), 6, 5)


def test_cost_fractions():
    figure = figures.cost_fractions(["a", "b"], [3, 1], [1, 1])
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
    figure = figures.layer_by_layer({"plain": rows}, "size", names=["a", "b", "c"], mark=(1, "here"))
    assert_nothing_is_cut_off(figure)
    axis = figure.axes[0]
    assert [list(line.get_ydata()) for line in axis.lines[:2]] == rows and axis.get_yscale() == "log"
    assert list(axis.lines[2].get_xdata()) == [1, 1] and {"a", "plain", "here", "size"} <= set(words(figure))


# 04-evaluation


def test_intervals_in_percent_with_their_own_names():
    figure = figures.intervals([("first", 0.9, 0.8, 0.95), ("second", 0.5, 0.4, 0.6)])
    assert_nothing_is_cut_off(figure)
    (axis,) = figure.axes
    names = dict(zip(axis.get_yticks(), (text.get_text() for text in axis.get_yticklabels()), strict=True))
    assert names == {0: "first", 1: "second"} and axis.yaxis_inverted()
    for place, (accuracy, low, high) in enumerate([(90, 80, 95), (50, 40, 60)]):
        dot, (low_cap, high_cap), (bar,) = axis.containers[place].lines
        assert (dot.get_xdata()[0], dot.get_ydata()[0]) == pytest.approx((accuracy, place))
        assert (low_cap.get_xdata()[0], high_cap.get_xdata()[0]) == pytest.approx((low, high))
        assert bar.get_segments()[0][:, 0] == pytest.approx([low, high])
    assert "90.0%  (80.0 to 95.0)" in words(figure) and axis.get_xlabel() == "accuracy on test images (%)"


def test_intervals_near_100_percent_have_no_tick_above_it():
    figure = figures.intervals([("all", 0.99, 0.9, 1.0)])
    assert_nothing_is_cut_off(figure)
    assert 100 in figure.axes[0].get_xticks() and max(figure.axes[0].get_xticks()) <= 100


def test_confusion_has_true_classes_in_rows_and_no_blank_diagonal():
    matrix = np.diag(np.full(10, 80))
    matrix[3, 5], matrix[0, 8], matrix[8, 8] = 20, 120, 0
    figure = figures.confusion(matrix, NAMES)
    assert_nothing_is_cut_off(figure)
    axis = figure.axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted class", "true class") and axis.yaxis_inverted()
    assert [text.get_text() for text in axis.get_xticklabels()] == [text.get_text() for text in axis.get_yticklabels()]
    assert [text.get_text() for text in axis.get_yticklabels()] == list(NAMES)
    found = {text.get_position(): text.get_text() for text in axis.texts}
    wanted = {(5.5, 3.5): "20", (3.5, 5.5): "0", (8.5, 0.5): "60", (0.5, 0.5): "40", (3.5, 3.5): "80", (8.5, 8.5): "0"}
    assert {place: found[place] for place in wanted} == wanted and len(found) == 100
    shades = axis.collections[0].to_rgba(axis.collections[0].get_array())
    assert luminance(shades[3, 3, :3]) < luminance(shades[3, 5, :3]) < luminance(shades[0, 1, :3])


def test_all_confusion_matrices_share_one_scale_that_is_shown():
    bars = []
    for errors in (1, 30):
        figure = figures.confusion(np.full((10, 10), errors) + np.diag(np.full(10, 100)), NAMES)
        cells, bar = figure.axes[0].collections[0], figure.axes[1]
        assert (cells.norm.vmin, cells.norm.vmax) == (0, 100)
        bars.append((bar.get_ylim(), [text.get_text() for text in bar.get_yticklabels()], cells.to_rgba([5]).tolist()))
    assert bars[0] == bars[1] and bars[0][1][-1] == "100" and "percent" in bar.get_ylabel()


def test_precision_recall_sorted_and_in_percent():
    precision, recall = np.linspace(0.5, 0.95, 10), np.linspace(1.0, 0.55, 10)
    figure = figures.precision_recall(precision, recall, NAMES)
    assert_nothing_is_cut_off(figure)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.get_yticklabels()] == list(NAMES[::-1])
    series = {line.get_label(): line for line in axis.lines}
    np.testing.assert_allclose(series["precision"].get_xdata(), 100 * precision[::-1])
    np.testing.assert_allclose(series["recall"].get_xdata(), 100 * recall[::-1])
    shapes = {text.get_text(): handle.get_marker() for text, handle in legend(axis)}
    assert shapes == {name: line.get_marker() for name, line in series.items()} and axis.get_xlim()[1] <= 100


def legend(axis):
    return zip(axis.get_legend().get_texts(), axis.get_legend().legend_handles, strict=True)


@pytest.mark.parametrize("count", [4, 5, 10])
def test_labelled_images_leave_room_for_three_lines(images, count):
    captions = [f"{number}\nprediction:\nautomobile 99.9%" for number in range(count)]
    figure = figures.labelled_images(images[:count], captions)
    assert_nothing_is_cut_off(figure)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == count
    for number, axis in enumerate(shown):
        assert np.array_equal(axis.images[0].get_array(), images[number]) and axis.get_xlabel() == captions[number]
    boxes = [axis.xaxis.label.get_window_extent() for axis in shown]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_reliability_diagram_has_confidence_across_and_accuracy_up():
    bins = np.array([0.15, 0.95]), np.array([0.1, 0.6]), np.array([1, 9]), 0.32
    figure = figures.reliability_diagram({"before": bins, "after": (*bins[:3], 0.05)})
    assert_nothing_is_cut_off(figure)
    for axis, title, error in zip(figure.axes, ("before", "after"), ("32.0", "5.0"), strict=True):
        (dots,) = axis.collections
        np.testing.assert_allclose(dots.get_offsets(), [[15, 10], [95, 60]])
        assert dots.get_sizes()[1] > 2 * dots.get_sizes()[0] and axis.get_title() == title
        assert axis.get_xlim() == axis.get_ylim() == (0, 100) and axis.get_xlabel() == "confidence (%)"
        assert f"expected calibration\nerror {error} points" in [text.get_text() for text in axis.texts]
    assert figure.axes[0].get_ylabel() == "accuracy (%)"


# 03-training


def test_live_curve_takes_a_training_of_three_batches(capsys):
    """Fewer batches than a point needs: a student who shortens the training gets a curve, not an error."""
    curve = figures.LiveCurve()
    for done in (1, 2, 3):
        curve.on_step(done, 3, 2.0, 0.1)
    curve.on_epoch({"test_loss": [1.9], "test_accuracy": [0.2]})
    assert curve.points == [pytest.approx((3, 2.0, 0.1))] and curve.tests == [(3, 1.9, 0.2)]


def test_the_dots_of_a_live_curve_are_of_the_part_that_was_evaluated():
    curve = figures.LiveCurve()
    curve.on_epoch({"validation_loss": [1.9], "validation_accuracy": [0.2]})
    assert curve.tests == [(0, 1.9, 0.2)]
    assert "dot: validation" in words(live_curve(curve.points, curve.tests, curve.part))


LIVE = """
from helpers import data, figures, recipes, training
dataset = data.load("sketches").subset(5000, 100)
with figures.LiveCurve() as curve:
    training.train(recipes.RECIPES["vgg3"], dataset, on_step=curve.on_step, on_epoch=curve.on_epoch)
"""


def test_an_interrupted_training_run_leaves_a_line_and_no_traceback():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    try:
        sent, shown, interrupted = client.execute(LIVE), [], False
        while True:
            message = client.get_iopub_msg(timeout=300)
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            shown.append((kind, content.get("data", {}).get("text/markdown", "")))
            if kind == "update_display_data" and not interrupted:
                manager.interrupt_kernel()
                interrupted = True
            if kind == "status" and content["execution_state"] == "idle":
                break
        assert "error" not in {kind for kind, _ in shown}
        assert [text for _, text in shown if text.startswith("*Interrupted after ")]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# 03-training


def test_learning_curves_mark_the_lowest_test_loss():
    history = {"loss": [2, 1, 1], "train_loss": [2, 0.9, 0.5], "test_loss": [2, 1.1, 1.3]}
    history |= {name.replace("loss", "accuracy"): [0.1, 0.5, 0.6] for name in list(history)}
    figure = figures.learning_curves(history, (0.9, 0.8))
    assert_nothing_is_cut_off(figure)
    loss, accuracy = figure.axes
    assert " lowest test loss: \n after epoch 2 " in words(figure)
    assert list(loss.lines[-1].get_xdata()) == [2, 2]
    assert [line.get_ydata()[0] for line in accuracy.lines[-2:]] == pytest.approx([90, 80])
    assert len(figures.learning_curves(history).axes[1].lines) == 3


def test_gains_are_those_of_the_rounded_accuracies_beside_them():
    figure = figures.cumulative_improvements([("a", None, 0.8044), ("b", 0.8044, 0.8106), ("c", 0.8106, 0.8056)])
    assert_nothing_is_cut_off(figure)
    assert {"80.4%", "81.1%  (+0.7)", "80.6%  (−0.5)"} <= set(words(figure))


# 05-fgsm and 06-defence


def curves(**more):
    return {"FGSM": (range(5), [0.8, 0.4, 0.2, 0.1, 0.1]), "PGD": ((0, 2), [0.8, 0.0])} | more


def test_robustness_curves_name_what_stops_early_where_no_other_curve_continues():
    figure = figures.robustness_curves({"one": curves(), "two": curves(AutoAttack=([2], [0.0]))}, 2)
    assert_nothing_is_cut_off(figure)
    assert [words(figure).count(word) for word in ("FGSM", "PGD", "AutoAttack", "one", "two")] == [2, 2, 1, 1, 1]
    assert list(figure.axes[0].lines[1].get_ydata()) == [80, 0]
    assert next(text for text in figure.axes[0].texts if text.get_text() == "PGD").get_position()[0] < 0
    assert all(axis.get_ylim() == (0, 100) for axis in figure.axes)


def test_accuracy_against_epsilon_names_the_gap_at_the_marked_level():
    noise, fgsm = ((0, 2, 4), [0.8, 0.78, 0.7]), ((0, 1, 2, 3, 4), [0.8, 0.5, 0.3, 0.2, 0.1])
    figure = figures.accuracy_against_epsilon({"random-sign noise": noise, "FGSM": fgsm}, marked=2)
    assert_nothing_is_cut_off(figure)
    assert {"48 points\nat ε = 2/255", "random-sign noise", "FGSM"} <= set(words(figure))


def test_attack_grid_shows_original_perturbation_and_adversarial_image_of_each(images):
    original = data.to_float(images[:10])
    adversarial = np.clip(original + np.float32(0.1) * np.where(original > 0.5, 1, -1), 0, 1).astype(np.float32)
    figure = figures.attack_grid(original, adversarial, ["automobile\nautomobile\n(wrong before)"] * 10, 0.1)
    assert_nothing_is_cut_off(figure)
    boxes = [text.get_window_extent() for text in figure.findobj(Text) if text.get_text()]
    assert len(boxes) == 23 and not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])
    shown = np.array([axis.images[0].get_array() for axis in figure.axes]).reshape(3, 10, 32, 32, 3)
    for number in range(10):
        first, change, last = shown[:, number]
        assert np.array_equal(first, original[number]) and np.array_equal(last, adversarial[number])
        assert np.allclose(change, figures.amplified(adversarial[number] - original[number], 0.1))


def test_an_attack_of_size_0_changes_nothing(images):
    original, half = data.to_float(images[:2]), np.full(10, 0.1)
    whole = figures.attack_grid(original, original, ["a\nb\nc"] * 2, 0)
    one = figures.adversarial_example(original[0], original[0], half, half, 3, NAMES, 0)
    for axis in (*whole.axes[2:4], one.axes[1]):
        assert (axis.images[0].get_array() == 0.5).all()


@pytest.mark.parametrize("scale", [lambda x: x, lambda x: x.astype(float)])
def test_images_in_0_to_255_are_refused_where_a_difference_is_shown(images, scale):
    """The difference of bytes wraps around: nearly all of it would be white."""
    original, half = scale(images[:2]), np.full(10, 0.1)
    with pytest.raises((TypeError, ValueError), match="to_float|divide 0–255"):
        figures.attack_grid(original, original, ["a\nb\nc"] * 2, 0.1)
    with pytest.raises((TypeError, ValueError), match="to_float|divide 0–255"):
        figures.adversarial_example(*original, half, half, 3, NAMES, 0.1)


def test_sign_agreement():
    figure = figures.sign_agreement(np.array([-2.0, 5.0, 20.0]), np.array([1.0, 0.99, 0.55]), 16.6)
    assert_nothing_is_cut_off(figure)
    assert figure.axes[0].lines[0].get_ydata() == pytest.approx([100, 99, 55])


def test_survival_curve_names_the_classes_that_are_furthest_apart():
    classes = np.array([np.full(10, 0.9), np.linspace(0.2, 0.8, 10), np.linspace(0.1, 0.2, 10)])
    figure = figures.survival_curve((0, 1, 2), classes.mean(axis=1), classes, NAMES)
    assert_nothing_is_cut_off(figure)
    assert set(words(figure)) & set(NAMES) == {NAMES[0], NAMES[9]}


def test_epochs_under_attack():
    history = {"loss": [2, 1], "fgsm_accuracy": [0.3, 0.7], "pgd_accuracy": [0.3, 0.0]}
    final = {"clean": 0.6, "random-sign noise": 0.67, "FGSM, predicted label": 0.68}
    figure = figures.epochs_under_attack(history, final)
    assert_nothing_is_cut_off(figure)
    texts = sorted(figure.axes[0].texts, key=lambda text: text.xy[1])
    boxes = [Text.get_window_extent(text) for text in texts]  # without the lines that join them
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes)), (
        "names overlap, or change their order"
    )
    moved = [text.get_position()[1] - text.xy[1] for text in texts]
    assert moved[0] == 0 and max(map(abs, moved)) < 9, "a name is nearer to another line's end"
    assert [list(line.get_ydata()) for line in figure.axes[0].lines] == [[30, 70], [30, 0], [60], [67], [68]]
    assert {"clean", "FGSM", "FGSM, predicted label", "PGD"} <= set(words(figure))


def test_a_condition_has_the_colour_of_the_longest_name_in_it(monkeypatch):
    monkeypatch.setitem(figures.ATTACK_COLOURS, "momentum FGSM", "#123456")
    history = {"loss": [2], "fgsm_accuracy": [0.3], "pgd_accuracy": [0.3]}
    figure = figures.epochs_under_attack(history, {"momentum FGSM, predicted label": 0.5})
    assert figure.axes[0].lines[-1].get_color() == "#123456"


def test_clean_vs_robust_keeps_the_values_of_a_row_apart():
    close = {"clean": 0.75, "FGSM": 0.47, "PGD": 0.42, "AutoAttack": 0.38}
    figure = figures.clean_vs_robust({"a network": close, "another one": close | {"PGD": 0.0}}, 8 / 255)
    assert_nothing_is_cut_off(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 8 and not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])
    assert {"clean", "FGSM", "PGD", "AutoAttack", "another one"} <= set(words(figure))

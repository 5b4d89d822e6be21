"""The sliders without a browser; tests/test_browser.py moves them."""

import json
import re

import numpy as np
import pytest

from helpers import attacks, data, evaluation, explorer
from helpers.models import keras


@pytest.fixture(scope="module")
def images(dataset):
    return dataset.x_test[:40]


@pytest.fixture(scope="module")
def labels(dataset):
    return dataset.y_test[:40]


@pytest.fixture(scope="module")
def small(images, labels):
    """A network of three layers that knows the forty images by heart, so that every image can be flipped."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(16, 5, 3, "valid", activation="relu"), keras.layers.Flatten()]
        + [keras.layers.Dense(10)]
    )
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.to_float(images), labels, epochs=60, verbose=0)
    return model


@pytest.fixture
def sliders(small, images, labels):
    return explorer.FgsmExplorer(small, images, labels)


def test_sliders_have_the_range_of_the_lecture(sliders):
    assert sliders.epsilon.min == sliders.epsilon.value == 0
    assert sliders.epsilon.max == pytest.approx(32 / 255)
    assert sliders.epsilon.step == pytest.approx(1 / 255)
    assert (sliders.image.min, sliders.image.max) == (0, 39)


def test_answer_is_that_of_fgsm(sliders, small, images, labels):
    fooled = 0
    for index in (0, 7, 39):
        image, label = data.to_float(images[index : index + 1]), labels[index : index + 1]
        for step in (0, 1, 8, 32):
            sliders.image.value, sliders.epsilon.value = index, step * sliders.epsilon.step
            answer = sliders.answer()
            before = evaluation.probabilities(small, image)[0]
            after = evaluation.probabilities(small, attacks.fgsm(small, image, label, step / 255))[0]
            np.testing.assert_allclose(answer.probabilities_before, before, atol=1e-5)
            np.testing.assert_allclose(answer.probabilities_after, after, atol=1e-5)
            names = [data.CLASS_NAMES[i] for i in (label[0], before.argmax(), after.argmax())]
            assert [answer.label, answer.before, answer.after] == names
            assert answer.fooled == (names[0] == names[1] != names[2])
            fooled += answer.fooled
    assert fooled >= 3


def test_the_switch_puts_random_signs_in_the_place_of_fgsm(sliders, small, images):
    view, index, level = sliders.widget.children[-1], 7, 32
    sliders.image.value, sliders.epsilon.value = index, level / 255
    under_fgsm = sliders.answer()
    view.attack = "random"
    under_noise = sliders.answer()
    signs = np.frombuffer(view.shown["rays"]["random"]["sign"], np.int8).reshape(32, 32, 3)
    assert set(np.unique(signs)) == {-1, 1} and abs(signs.mean()) < 0.1
    moved = attacks.perturb(data.to_float(images[index : index + 1]), signs.astype(np.float32), level / 255)
    np.testing.assert_allclose(under_noise.probabilities_after, evaluation.probabilities(small, moved)[0], atol=1e-5)
    np.testing.assert_array_equal(under_noise.probabilities_before, under_fgsm.probabilities_before)
    assert abs(under_noise.probabilities_after - under_fgsm.probabilities_after).max() > 0.1


@pytest.mark.parametrize("attack", explorer.ATTACKS)
@pytest.mark.parametrize("only", [-1, 3])
def test_next_fooled_image(sliders, small, images, labels, attack, only):
    """The view's message, against a search one by one."""
    view, place, level = sliders.widget.children[-1], 20, 12
    fooled = []
    for index in range(40):
        sliders.image.value, sliders.epsilon.value, view.attack = index, level / 255, attack
        if sliders.answer().fooled and only in (-1, labels[index]):
            fooled.append(index)
    said = []
    view.send = said.append
    for start in (place, *fooled[:1], *fooled[-1:]):
        view._handle_custom_msg({"place": start, "level": level, "attack": attack, "only": only}, [])
        others = [index for index in fooled if index > start] + [index for index in fooled if index < start]
        if others:
            assert sliders.image.value == others[0] and not said
        else:
            assert said.pop() == "nothing found"


def test_next_fooled_image_passes_many_that_were_wrong_already(small, images, labels):
    wrong = (labels + 1) % 10
    wrong[[2, 33]] = labels[[2, 33]]
    sliders = explorer.FgsmExplorer(small, images, wrong)
    for start, found in ((27, 33), (33, 2)):
        message = {"place": start, "level": explorer.LAST, "attack": "fgsm", "only": -1}
        sliders.widget.children[-1]._handle_custom_msg(message, [])
        assert sliders.image.value == found


def test_images_of_other_classes_are_passed_without_being_computed(sliders, labels, monkeypatch):
    view = sliders.widget.children[-1]
    view.only = int(labels[9])
    other = next(index for index in range(10, 40) if labels[index] != labels[9])
    with monkeypatch.context() as patch:
        patch.setattr(attacks, "gradient_sign", None)
        sliders.image.value = other
    assert view.shown["place"] == 0
    sliders.image.value = 9
    assert view.shown["place"] == 9


def test_an_image_that_was_wrong_already_is_not_called_fooled(small, images, labels):
    sliders = explorer.FgsmExplorer(small, images, (labels + 1) % 10)
    sliders.epsilon.value = 32 / 255
    assert sliders.answer().before != sliders.answer().label
    assert not sliders.answer().fooled


def test_an_epsilon_between_two_steps_counts_as_the_nearest(sliders):
    answers = []
    for epsilon in (7 / 255, 7.4 / 255, 7.6 / 255, 8 / 255):
        sliders.epsilon.value = epsilon
        answers.append(sliders.answer().probabilities_after)
    assert (answers[0] == answers[1]).all() and (answers[2] == answers[3]).all()
    assert (answers[1] != answers[2]).any()


def test_each_image_is_computed_once(sliders, monkeypatch):
    asked = []
    sign = attacks.gradient_sign
    monkeypatch.setattr(attacks, "gradient_sign", lambda *arguments: asked.append(1) or sign(*arguments))
    for index in (3, 4, 3, 0):
        sliders.image.value = index
        for step in range(33):
            sliders.epsilon.value = step / 255
            sliders.answer()
    assert len(asked) == 2  # images 3 and 4; image 0 was there


def test_view_is_sent_the_image_that_the_slider_points_to(sliders, images, labels):
    sliders.image.value = 5
    shown = sliders.widget.children[-1].shown
    assert (shown["place"], shown["name"], shown["label"]) == (5, "image 5", labels[5])
    assert shown["pixels"] == images[5].tobytes()
    assert np.frombuffer(shown["rays"]["fgsm"]["probabilities"], "<f4").reshape(33, 10)[0] == pytest.approx(
        sliders.answer().probabilities_before
    )


def test_zero_gradient_is_sent_as_zero(images, labels):
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)])
    kernel = model.layers[-1].kernel
    kernel.assign((kernel.numpy().reshape(1024, 3, 10) * [[1], [0], [1]]).reshape(3072, 10))  # blind to green
    shown = explorer.FgsmExplorer(model, images, labels).widget.children[-1].shown
    sign = np.frombuffer(shown["rays"]["fgsm"]["sign"], np.int8).reshape(32, 32, 3)
    assert not sign[..., 1].any()
    assert sign[..., [0, 2]].all()


def test_the_explorer_shows_itself_in_a_notebook(sliders):
    bundle = sliders._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == sliders.widget.model_id
    assert "40 images" in bundle["text/plain"]


def test_one_image_needs_no_image_slider(small, images, labels):
    sliders = explorer.FgsmExplorer(small, images[:1], labels[:1])
    assert sliders.image not in sliders.widget.children
    assert sliders.answer().label == data.CLASS_NAMES[labels[0]]


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda x, y: (x / 255, y), TypeError, "images: expected uint8"),
        (lambda x, y: (x[0], y), ValueError, r"images: expected shape \(n, 32, 32, 3\)"),
        (lambda x, y: (x[:, :28, :28], y), ValueError, r"images: expected shape .* got \(40, 28, 28, 3\)"),
        (lambda x, y: (x[:0], y[:0]), ValueError, "n at least 1"),
        (lambda x, y: (x, y[:-1]), ValueError, r"labels: .* shape \(40,\), got \(39,\)"),
        (lambda x, y: (x, y[:, None]), ValueError, r"labels: .* got \(40, 1\); labels.ravel\(\)"),
        (lambda x, y: (x, y.astype(float)), TypeError, "labels: expected integers, got float64"),
        (lambda x, y: (x, y + 10), ValueError, "labels: expected classes 0 to 9"),
    ],
)
def test_wrong_arguments_are_named(small, images, labels, change, error, message):
    with pytest.raises(error, match=message):
        explorer.FgsmExplorer(small, *change(images, labels))


def test_wrong_number_of_names_is_refused(small, images, labels):
    with pytest.raises(ValueError, match="class_names: expected 10 names.* got 2"):
        explorer.FgsmExplorer(small, images, labels, class_names=("cat", "dog"))
    with pytest.raises(ValueError, match="image_names: expected 40 names, one an image, got 2"):
        explorer.FgsmExplorer(small, images, labels, image_names=("cat.jpg", "dog.jpg"))


@pytest.mark.parametrize(
    "chosen, error", [([40], ValueError), ([-1], ValueError), ([], ValueError), ([1.5], TypeError)]
)
def test_handout_refuses_images_that_are_not_there(sliders, chosen, error):
    with pytest.raises(error, match="from 0 to 39"):
        sliders.to_html(images=chosen)


def test_handout_holds_all_it_needs(sliders):
    page = sliders.to_html(images=[3, 8], title="small network, <test> images")
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", page)
    assert "import " not in page
    assert explorer.VIEW in page
    assert "<h1>small network, &lt;test&gt; images</h1>" in page
    data = json.loads(re.search(r"handout\(.*?, (\{.*\})\);", page).group(1))
    assert [image["name"] for image in data["images"]] == ["image 3", "image 8"]
    assert len(sliders.to_html()) > len(page)


def test_handout_escapes_names(small, images, labels):
    trick = "</script><script>alert(1)</script>"
    names = {"class_names": (trick, *data.CLASS_NAMES[1:]), "image_names": [f"{trick}.jpg"]}
    page = explorer.FgsmExplorer(small, images[:1], labels[:1], **names).to_html(title=trick)
    assert page.count("<script") == page.count("</script") == 1

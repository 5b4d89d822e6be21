"""The sliders without a browser; tests/test_browser.py moves them."""

import base64
import json
import re

import numpy as np
import pytest

from helpers import attacks, data, evaluation, explorer
from helpers.backend import keras
from helpers.explorer import rays


@pytest.fixture(scope="module")
def images(dataset):
    return dataset.x_test[:40]


@pytest.fixture(scope="module")
def labels(dataset):
    return dataset.y_test[:40]


@pytest.fixture(scope="module")
def small(images, labels):
    """A network of three layers that memorised the forty images, so that every image can be flipped."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Conv2D(16, 3, activation="relu"), keras.layers.MaxPooling2D(3)]
        + [keras.layers.Flatten(), keras.layers.Dense(10)],
        name="small",
    )
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.to_float(images), labels, epochs=60, verbose=0)
    return model


@pytest.fixture
def sliders(small, images, labels):
    return explorer.FgsmExplorer(small, images, labels)


def test_sliders_have_the_range_of_the_lecture(sliders):
    assert sliders.epsilon.min == sliders.epsilon.value == 0
    assert sliders.epsilon.max == pytest.approx(explorer.LAST / 255)
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


def moved_by(attack, small, images, labels, index, level, target=3):
    """The adversarial example by the functions of `attacks`."""
    x, y, epsilon = data.to_float(images[index : index + 1]), labels[index : index + 1], level / 255
    return {
        "fgsm": lambda: attacks.fgsm(small, x, y, epsilon),
        "random": lambda: attacks.perturb(x, attacks.random_signs(x.shape[1:], seed=index), epsilon),
        "pgd": lambda: attacks.pgd(small, x, y, epsilon, step_size=epsilon / 4, steps=10, seed=index),
        "target": lambda: attacks.fgsm(small, x, [target], epsilon, targeted=True),
    }[attack]()


def drawn(view, images, index, level):
    """The adversarial example that the view draws, in intensity levels."""
    (ray,) = view.shown["rays"]
    if view.attack in rays.PATHS:
        return np.frombuffer(ray["moved"][str(level)], np.uint8).reshape(32, 32, 3)
    return np.clip(images[index] + level * np.frombuffer(ray["sign"], np.int8).reshape(32, 32, 3).astype(int), 0, 255)


@pytest.mark.parametrize("attack", explorer.ATTACKS)
def test_every_attack_keeps_to_the_ball_and_is_answered_as_drawn(sliders, small, images, attack):
    view = sliders.widget.children[-1]
    view.attack, sliders.image.value, sliders.epsilon.value = attack, 7, 5 / 255
    moved = drawn(view, images, 7, 5)
    assert 0 < abs(moved - images[7].astype(int)).max() <= 5
    found = evaluation.probabilities(small, moved[None].astype(np.uint8))[0]
    np.testing.assert_allclose(sliders.answer().probabilities_after, found, atol=0.01)


@pytest.mark.parametrize("attack", ["fgsm", "random", "pgd", "target"])
def test_the_attacks_of_the_lecture(sliders, small, images, labels, attack):
    """What `answer` gives and what the view is sent, against the functions of `attacks`."""
    view = sliders.widget.children[-1]
    view.attack, view.target = attack, 3
    for index, level in ((7, 0), (7, 5), (9, 32)):
        sliders.image.value, sliders.epsilon.value = index, level / 255
        moved = moved_by(attack, small, images, labels, index, level) if level else data.to_float(images[index][None])
        wanted = evaluation.probabilities(small, moved)[0]
        np.testing.assert_allclose(sliders.answer().probabilities_after, wanted, atol=1e-5)
        (ray,), shown = view.shown["rays"], view.shown
        assert (shown["image"], shown["attack"], shown["label"]) == (index, attack, labels[index])
        rows = np.frombuffer(ray["probabilities"], "<f4").reshape(explorer.LAST + 1, 10)
        np.testing.assert_allclose(rows[[0, level]], [sliders.answer().probabilities_before, wanted], atol=1e-5)
        assert abs(255 * moved[0] - drawn(view, images, index, level)).max() <= 0.51
    assert abs(rows[0] - rows[32]).max() > 0.001


@pytest.mark.parametrize("paths", [set(), {"momentum"}])
def test_an_attack_without_code_is_refused_by_name(sliders, monkeypatch, paths):
    monkeypatch.setattr(rays, "PATHS", rays.PATHS | paths)
    for ask in (sliders._rays.of, sliders._rays.fooled):
        with pytest.raises(ValueError, match="attack='momentum'"):
            ask("small", 0 if ask == sliders._rays.of else [0], "momentum", 0, 8)


def test_several_networks_share_the_sliders(small, images, labels):
    other = keras.models.clone_model(small)
    pair = explorer.FgsmExplorer({"one": small, "other": other}, images, labels)
    pair.image.value, pair.epsilon.value = 5, 8 / 255
    answers = pair.answer()
    assert list(answers) == ["one", "other"] and len(pair.widget.children[-1].shown["rays"]) == 2
    for network, answer in zip((small, other), answers.values()):
        alone = explorer.FgsmExplorer(network, images, labels)
        alone.image.value, alone.epsilon.value = 5, 8 / 255
        np.testing.assert_array_equal(answer.probabilities_after, alone.answer().probabilities_after)
    ten, two = small, keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="distinguish different numbers of classes: {'ten': 10, 'two': 2}"):
        explorer.FgsmExplorer({"ten": ten, "two": two}, images, labels)
    with pytest.raises(ValueError, match="at least one"):
        explorer.FgsmExplorer({}, images, labels)


@pytest.mark.parametrize("attack", ["fgsm", "random", "pgd"])
@pytest.mark.parametrize("only", [-1, 3])
def test_next_fooled_image(sliders, labels, attack, only):
    """The view's message, against a search one by one."""
    view, level = sliders.widget.children[-1], 4
    fooled = []
    view.attack, sliders.epsilon.value = attack, level / 255
    for index in range(40):
        sliders.image.value = index
        if sliders.answer().fooled and only in (-1, labels[index]):
            fooled.append(index)
    said = []
    view.send, view.only = said.append, only
    for start in (20, *fooled[:1], *fooled[-1:]):
        sliders.image.value = start
        sliders._seek(view, {"level": level}, [])
        others = [index for index in fooled if index > start] + [index for index in fooled if index < start]
        if others:
            assert sliders.image.value == others[0] and not said
        else:
            assert said.pop() == "nothing found" and sliders.image.value == start


def test_networks_called_by_numbers(small, images, labels):
    sliders = explorer.FgsmExplorer({1: small, 5: small}, images, labels)
    sliders._seek(sliders.widget.children[-1], {"level": explorer.LAST}, [])
    assert sliders.image.value != 0 and list(sliders.answer()) == ["1", "5"]


def test_next_fooled_image_passes_many_that_were_wrong_already(small, images, labels):
    wrong = (labels + 1) % 10
    wrong[[2, 33]] = labels[[2, 33]]
    sliders = explorer.FgsmExplorer(small, images, wrong)
    for start, found in ((27, 33), (33, 2)):
        sliders.image.value = start
        sliders._seek(sliders.widget.children[-1], {"level": explorer.LAST}, [])
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
        for step in range(explorer.LAST + 1):
            sliders.epsilon.value = step / 255
            sliders.answer()
    assert len(asked) == 2  # images 3 and 4; image 0 was there


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_a_network_that_was_trained_on_is_asked_anew(sliders, small, attack):
    sliders.widget.children[-1].attack, sliders.epsilon.value = attack, 8 / 255
    before, weights = sliders.answer(), small.get_weights()
    small.set_weights([-weight for weight in weights])
    after = sliders.answer()
    small.set_weights(weights)
    assert abs(after.probabilities_before - before.probabilities_before).max() > 0.1
    np.testing.assert_array_equal(sliders.answer().probabilities_after, before.probabilities_after)


def test_an_interrupted_attack_does_no_harm(sliders, monkeypatch):
    """The next move computes what the interrupted one did not."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(evaluation, "probabilities", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        sliders.image.value = 6
    sliders.image.value = 7
    sliders.image.value = 6
    assert sliders.widget.children[-1].shown["image"] == 6
    assert sliders.answer().before == sliders.answer().after


def test_the_explorer_shows_itself_in_a_notebook(sliders):
    bundle, about = sliders._repr_mimebundle_()
    assert about == {"fgsm_explorer": {"networks": ["small"], "image": 0}}
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == sliders.widget.model_id
    assert "40 images" in bundle["text/plain"]


def test_where_ipywidgets_is_too_old_the_page_is_shown(sliders, monkeypatch):
    """As on Colab, whose ipywidgets 7.7.1 cannot hand out a widget's output; the image on the slider comes first."""
    monkeypatch.setattr(explorer, "SCRIPTED", False)
    sliders.image.value = 11
    bundle, _ = sliders._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert shown_in(bundle["text/html"])["images"][0]["name"] == "image 11"
    assert "<html" not in bundle["text/html"]


def shown_in(page):
    """What a page gives to its script."""
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])


def test_one_image_needs_no_image_slider(small, images, labels):
    sliders = explorer.FgsmExplorer(small, images[:1], labels[:1])
    assert sliders.widget.children[0].children == (sliders.epsilon,)
    assert sliders.answer().label == data.CLASS_NAMES[labels[0]]


@pytest.mark.parametrize(
    "change, error, message",
    [
        (lambda x, y: (x / 255, y), TypeError, "images: expected uint8"),
        (lambda x, y: (x[:, :28, :28], y), ValueError, r"images: .* \(28, 28, 3\)"),
        (lambda x, y: (x[:0], y[:0]), ValueError, "at least one"),
        (lambda x, y: (x, y[:-1]), ValueError, r"labels: .* shape \(40,\), got \(39,\)"),
        (lambda x, y: (x, y + 10), ValueError, "labels: expected classes 0 to 9"),
    ],
)
def test_wrong_arguments_are_named(small, images, labels, change, error, message):
    with pytest.raises(error, match=message):
        explorer.FgsmExplorer(small, *change(images, labels))


def test_wrong_number_of_names_is_refused(small, images, labels):
    with pytest.raises(ValueError, match="class_names: expected 10 names.* got 2"):
        explorer.FgsmExplorer(small, images, labels, class_names=("cat", "dog"))
    with pytest.raises(ValueError, match="image_names: expected 40 names, one per image, got 2"):
        explorer.FgsmExplorer(small, images, labels, image_names=("cat.jpg", "dog.jpg"))


@pytest.mark.parametrize(
    "chosen, error", [([40], ValueError), ([-1], ValueError), ([], ValueError), ([1.5], TypeError)]
)
def test_a_page_refuses_images_that_are_not_there(sliders, chosen, error):
    with pytest.raises(error, match="from 0 to 39"):
        sliders.to_html(images=chosen)


def test_a_page_holds_all_it_needs(sliders, images):
    page = sliders.to_html(images=[3, 8], title="small network, <test> images")
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", page)
    assert "import " not in re.sub("// .*", "", page)
    assert "<h1>small network, &lt;test&gt; images</h1>" in page
    shown = shown_in(page)
    assert [image["name"] for image in shown["images"]] == ["image 3", "image 8"]
    assert base64.b64decode(shown["images"][1]["pixels"]) == images[8].tobytes()
    assert shown["attacks"] == explorer.ATTACKS and shown["networks"] == ["small"]
    assert len(shown_in(sliders.to_html())["images"]) == 20


def test_a_page_names_the_layer_that_it_cannot_compute(images, labels):
    layers = [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, strides=2, name="leap"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    with pytest.raises(ValueError, match="layer 'leap': the page cannot compute it .*stride"):
        explorer.FgsmExplorer(model, images, labels).to_html()


def test_names_in_a_page_are_escaped(small, images, labels):
    trick = "</script><script>alert(1)</script>"
    names = {"class_names": (trick, *data.CLASS_NAMES[1:]), "image_names": [f"{trick}.jpg"]}
    page = explorer.FgsmExplorer({trick: small}, images[:1], labels[:1], **names).to_html(title=trick)
    assert page.count("<script") == page.count("</script") == 3 and "alert(1)</" not in page

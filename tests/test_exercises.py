"""The exercises check themselves: a wrong answer gets a hint that names the mistake, a right one in another idiom none.

That a check passes on its own solution is shown where the notebook runs.
"""

import contextlib
import io
import re
import textwrap

import pytest

from helpers.editions import cells, student

RIGHT = None  # in the place of a hint
# By notebook and function to write: bodies of typical answers, and a part of the hint that each wrong one must get.
ANSWERS = {
    "01-data": {
        "possible_images": [
            ("return side**2 * np.log10(levels)", "one value per channel"),
            ("return np.log10(side**2 * channels * levels)", "multiply"),
            ("return side * channels * np.log10(levels)", "expected 1 and 12"),
            ("return np.log10(levels ** (side**2 * channels))", "math.log10"),
        ],
        "best_of_many": [
            (
                ("return (guesses == labels)[:, :chosen_on].mean(), (guesses == labels)[:, chosen_on:].mean()"),
                "maximum over networks",
            ),
            (
                (
                    "correct = guesses == labels\n"
                    "return correct[:, :chosen_on].mean(axis=1).max(), correct[:, chosen_on:].mean(axis=1).max()"
                ),
                "do not choose again",
            ),
            (
                (
                    "correct = guesses == labels\n"
                    "best = correct[:, :chosen_on].mean(axis=1).argmax()\n"
                    "return correct[best, :chosen_on].mean(), correct[best].mean()"
                ),
                "leave them out",
            ),
            (
                (
                    "correct = guesses == labels\n"
                    "best = correct.mean(axis=1).argmax()\n"
                    "return correct[best, :chosen_on].mean(), correct[best, chosen_on:].mean()"
                ),
                "on these alone",
            ),
        ],
        "nearest_mean": [
            (
                (
                    "return np.argmin([((images - train_images[train_labels =="
                    " k].mean(axis=0).astype(np.uint8)) ** 2).mean(axis=(1, 2, 3)) for k in range(10)], axis=0)"
                ),
                "computed in uint8",
            ),
            (
                (
                    "return np.argmax([((images - train_images[train_labels == k].mean(axis=0)) **"
                    " 2).mean(axis=(1, 2, 3)) for k in range(10)], axis=0)"
                ),
                "farthest",
            ),
        ],
        "thumbnails": [
            (
                ("return images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1)"),
                "divide each row by its norm",
            ),
            (
                (
                    "return (lambda v: v / np.linalg.norm(v, axis=1, keepdims=True))(images.reshape(-1, 8, 4,"
                    " 8, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1))"
                ),
                "own mean",
            ),
            (
                (
                    "return (lambda v: (v - v.mean(axis=1, keepdims=True)) / v.std(axis=1, keepdims=True) /"
                    " 192**0.5)(images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(1, 3)).reshape(len(images), -1))"
                ),
                "neighbouring",
            ),
            (
                (
                    "v = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1, 3)\n"
                    "v = (v - v.mean(axis=1, keepdims=True)).reshape(len(images), -1)\n"
                    "return v / np.linalg.norm(v, axis=1, keepdims=True)"
                ),
                "not one per channel",
            ),
            (
                (
                    "v = images.transpose(0, 3, 1, 2).reshape(-1, 3, 8, 4, 8, 4).mean(axis=(3, 5))\n"
                    "v = v.reshape(len(images), -1) - v.mean(axis=(1, 2, 3))[:, None]\n"
                    "return v / np.linalg.norm(v, axis=1, keepdims=True)"
                ),
                RIGHT,
            ),
        ],
    },
    "02-architecture": {
        "convolution_cost": [
            ("return size**2 * before * after, size**2 * before * after * side**2", "bias"),
            ("return size**2 * after + after, size**2 * after * side**2", "every input"),
            (("return size**2 * before * after + after, (size**2 * before * after + after) * side**2"), "weights only"),
            ("return 9 * before * after + after, 9 * before * after * side**2", "not 9"),
            ("return [size**2 * before * after + after, size**2 * before * after * side**2]", RIGHT),
        ],
        "price_of_pair": [
            ("return 18 / 25", "stay the same"),
            ("return 25 * before / (9 * (before + after))", "take the inverse"),
        ],
        "vgg_parameters": [
            (
                (
                    "return sum(9 * a * b + b + 9 * b * b + b for a, b in zip((3, *filters), filters)) + 2049"
                    " * 128 + 1290"
                ),
                "8×8",
            ),
            (
                (
                    "return sum(9 * a * b + b + 9 * b * b + b for a, b in zip((3, *filters), filters)) +"
                    " filters[-1] * (32 // 2 ** len(filters)) ** 2 * 128 + 1280"
                ),
                "biases",
            ),
        ],
        "residual_unit": [
            (
                (
                    "return keras.layers.Conv2D(filters, 3, padding='same',"
                    " activation='relu')(keras.layers.Conv2D(filters, 3, padding='same', activation='relu')(x))"
                ),
                "skip connection is missing",
            ),
            (
                (
                    "return keras.layers.Add()([x, keras.layers.Conv2D(filters, 3, padding='same',"
                    " activation='relu')(keras.layers.Conv2D(filters, 3, padding='same', activation='relu')(x))])"
                ),
                "after the sum",
            ),
            (
                (
                    "y = keras.layers.Conv2D(filters, 3, padding='same')(x)\n"
                    "y = keras.layers.Conv2D(filters, 3, padding='same')(y)\n"
                    "return keras.layers.ReLU()(keras.layers.Add()([x, y]))"
                ),
                "ReLU after the first",
            ),
            (
                (
                    "y = keras.layers.Conv2D(filters, 3, padding='same', activation='relu')(x)\n"
                    "y = keras.layers.Conv2D(filters, 3, padding='same', activation='relu')(y)\n"
                    "return keras.layers.ReLU()(keras.layers.Add()([x, y]))"
                ),
                "there is no ReLU",
            ),
        ],
    },
    "03-training": {
        "cross_entropy": [
            ("return -np.log2(probability[np.arange(len(labels)), labels]).mean()", "bits"),
            ("return -np.log(probability[np.arange(len(labels)), labels]).sum()", "mean"),
            ("return -np.log(probability.max(axis=1)).mean()", "not of the predicted class"),
        ],
        "velocities": [
            ("return [sum(momentum**k for k in range(n + 1)) for n in range(200)]", "negative"),
            ("return [-(1 - momentum ** (n + 1)) for n in range(200)]", "another convention"),
        ],
        "stopping_epoch": [
            ("return int(np.argmin(losses)) + 1", "training ends before it"),
            ("return 6", "best epoch so far"),
            ("return {2: 3, 3: 7}[patience]", "from 1"),
        ],
        "with_random_labels": [
            (
                (
                    "return dataclasses.replace(dataset,"
                    " y_train=np.random.default_rng(seed).permutation(dataset.y_train))"
                ),
                "class counts",
            ),
            (
                (
                    "return dataclasses.replace(dataset, **{key: np.random.default_rng(seed).integers(0, 10,"
                    " len(getattr(dataset, key))) for key in ('y_train', 'y_test')})"
                ),
                "leave the test labels",
            ),
        ],
    },
    "04-evaluation": {
        "kind_accuracy": [
            ("return np.trace(matrix) / matrix.sum()", "this is the accuracy"),
            (
                ("return (matrix * (1 - np.eye(len(matrix))))[vehicle[:, None] == vehicle].sum() / matrix.sum()"),
                "diagonal",
            ),
            ("return matrix[vehicle][:, vehicle].sum() / matrix.sum()", "both kinds"),
        ],
        "selective": [
            (("return ((probability[np.arange(len(labels)), labels] >= threshold).mean(), 1.0)"), "true class"),
            (
                (
                    "return ((probability.max(axis=1) >= threshold).mean(), ((probability.max(axis=1) >="
                    " threshold) & (probability.argmax(axis=1) == labels)).mean())"
                ),
                "images that remain",
            ),
        ],
        "images_needed": [
            ("return accuracy * (1 - accuracy) / half_width**2", "two of them"),
            ("return 1.96 * (accuracy * (1 - accuracy)) ** 0.5 / half_width", "squaring"),
            ("return int(np.ceil(accuracy * (1 - accuracy) * (2 / half_width) ** 2))", RIGHT),
        ],
        "bootstrap_interval": [
            (
                (
                    "return np.quantile([np.random.default_rng(seed).permutation(correct).mean()] * repeats,"
                    " (0.025, 0.975))"
                ),
                "with replacement",
            ),
            (
                (
                    "return np.quantile(np.random.default_rng(seed).choice(correct, (repeats,"
                    " len(correct))).mean(axis=1), (0.05, 0.95))"
                ),
                "90%",
            ),
            (
                (
                    "return np.quantile(np.random.default_rng(seed).choice(correct, (repeats,"
                    " 100)).mean(axis=1), (0.025, 0.975))"
                ),
                "n images",
            ),
        ],
    },
    "05-fgsm": {
        "my_fgsm": [
            (
                ("return images + np.float32(epsilon) * attacks.gradient_sign(model, images, labels)"),
                "outside \\[0, 1\\]",
            ),
            ("return attacks.fgsm(model, images, labels, epsilon, targeted=True)", "climb the loss, or descend"),
            ("return np.clip(images + epsilon * np.zeros_like(images), 0, 1)", "take the sign"),
            ("return attacks.fgsm(model, images, evaluation.predictions(model, images), epsilon)", "of the true class"),
            ("return attacks.fgsm(model, images, labels, epsilon, loss='cross-entropy')", RIGHT),
        ],
        "success_rate": [
            ("return np.mean(evaluation.predictions(model, adversarial) != labels)", "wrong without an attack"),
            (
                (
                    "a = evaluation.predictions(model, images) == labels\n"
                    "return np.mean(a & (evaluation.predictions(model, adversarial) != labels))"
                ),
                "not by all images",
            ),
        ],
        "accuracy_without_labels": [
            (
                (
                    "own = evaluation.predictions(model, images)\n"
                    "return evaluation.accuracy(model, attacks.fgsm(model, images, own, epsilon), own)"
                ),
                "true labels",
            ),
            (
                ("return evaluation.accuracy(model, attacks.fgsm(model, images, labels, epsilon), labels)"),
                "must not see the true labels",
            ),
        ],
        "reached": [
            (
                (
                    "wanted = np.full(len(images), target)\n"
                    "x = attacks.fgsm(model, images, wanted, epsilon, targeted=True)\n"
                    "return np.mean(evaluation.predictions(model, x) == target)"
                ),
                "leave out the images",
            ),
            (
                (
                    "x = images[labels != target]\n"
                    "wanted = np.full(len(x), target)\n"
                    "return np.mean(evaluation.predictions(model, attacks.fgsm(model, x, wanted, epsilon)) =="
                    " target)"
                ),
                "targeted=True",
            ),
        ],
        "my_pgd": [
            (
                ("x = images\nfor _ in range(steps):\n    x = my_fgsm(x, labels, step_size)\nreturn x"),
                "project around the original",
            ),
            (
                ("for _ in range(steps):\n    x = my_fgsm(images, labels, step_size)\nreturn x"),
                "where the last ended",
            ),
            ("return my_fgsm(images, labels, epsilon)", "use `step_size`"),
            (
                (
                    "x = images\n"
                    "for _ in range(steps):\n"
                    "    x = np.clip(my_fgsm(x, labels, epsilon), images - epsilon, images + epsilon)\n"
                    "return x"
                ),
                "use `step_size`",
            ),
            (
                (
                    "step = my_fgsm(images, labels, step_size) - images\n"
                    "return np.clip(images + np.clip(steps * step, -epsilon, epsilon), 0, 1)"
                ),
                "a new gradient",
            ),
        ],
    },
    "06-defence": {
        "fraction_left": [
            (
                ("return evaluation.accuracy(network, attacks.fgsm(network, images, labels, 16 / 255), labels)"),
                "divide it",
            ),
            (
                (
                    "small, large = (attacks.fgsm(network, images, labels, k / 255) for k in (8, 16))\n"
                    "return evaluation.accuracy(network, small, labels) / evaluation.accuracy(network, large,"
                    " labels)"
                ),
                "upside down",
            ),
        ],
        "lost_and_gained": [
            (
                ("return tuple((evaluation.predictions(n, images) == labels).sum() for n in (first, second))"),
                "leave out those that both",
            ),
            (
                (
                    "a, b = (evaluation.predictions(n, images) == labels for n in (first, second))\n"
                    "return (~a & b).sum(), (a & ~b).sum()"
                ),
                "the other way round",
            ),
        ],
        "transfer": [
            (
                ("return evaluation.accuracy(source, attacks.fgsm(source, images, labels, epsilon), labels)"),
                "judge `target`",
            ),
            (
                ("return evaluation.accuracy(source, attacks.fgsm(target, images, labels, epsilon), labels)"),
                "attack `source`, judge `target`",
            ),
        ],
        "worst_case": [
            ("return np.mean([evaluation.accuracy(network, x, labels) for x in attacked])", "not a worst case"),
            (
                ("return np.mean(np.any([evaluation.predictions(network, x) == labels for x in attacked], axis=0))"),
                "every attack must fail",
            ),
            ("return min(evaluation.accuracy(network, x, labels) for x in attacked)", "strongest attack alone"),
        ],
    },
}


@pytest.fixture(scope="module", params=ANSWERS)
def exercises(request):
    """The name of a notebook, what its set-up cells define, and its (solution, self-check) by function."""
    book, scope, found = cells.read(cells.NOTEBOOKS / f"{request.param}.py"), {}, {}
    with pytest.MonkeyPatch.context() as patch:
        if request.param >= "05":  # the networks of the drawings are the smaller ones to attack
            patch.setenv("LECTURE_DATASET", "sketches")
        for cell in book.cells:
            if cells.has(cell, "setup"):
                run(cell.source.replace("check.ready()", ""), scope)
            elif cells.has(cell, "solution") and cell.cell_type == "code":
                solution = cell.source
            elif cells.has(cell, "check"):
                found[solution.split("def ")[1].split("(")[0]] = solution, cell.source
        yield request.param, scope, found


def run(source, scope):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(source, scope)  # noqa: S102, the project's own cells


def test_three_to_five_and_each_has_a_check_and_two_wrong_answers(exercises):
    name, _, found = exercises
    assert 3 <= len(found) <= 5
    wrong = {function: sum(hint is not RIGHT for _, hint in answers) for function, answers in ANSWERS[name].items()}
    assert {function: count >= 2 for function, count in wrong.items()} == dict.fromkeys(found, True)


def test_a_check_accepts_what_is_right_and_names_what_is_wrong(exercises):
    name, scope, found = exercises

    def judge(check):
        run(check, dict(scope))  # what a check defines is lost: the next exercise is done without this one, too

    for function, (solution, check) in found.items():
        head = solution[solution.index(f"def {function}(") :].split("\n")[0]
        for body, hint in ANSWERS[name][function]:
            run(f"{head}\n{textwrap.indent(body, '    ')}", scope)
            if hint is RIGHT:
                judge(check)
                continue
            with pytest.raises(AssertionError, match=hint):
                judge(check)
                pytest.fail(f"{function} may do this: {body}")
        run(student.heads(solution), scope)
        with pytest.raises(NotImplementedError, match="Write your solution here"):
            judge(check)
        run(solution, scope)  # which later ones may use


def test_every_notebook_with_self_checks_is_tried():
    books = {name: cells.read(cells.NOTEBOOKS / f"{name}.py") for name in cells.names()}
    assert list(ANSWERS) == [
        name for name, book in books.items() if any(cells.has(cell, "check") for cell in book.cells)
    ]


def test_a_prediction_is_asked_for():
    for name in ANSWERS:
        text = (cells.NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
        assert re.search(r"\*\*\d\. Predict, then compute", text)

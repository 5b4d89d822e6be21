"""The exercises check themselves: a typical wrong answer fails with a hint that names the mistake."""

import pytest

from helpers.editions import cells

# Of each exercise the function to write, typical wrong answers, and a part of the hint that each of them must get.
WRONG = {
    "01-data": [
        ("possible_images(side, channels, levels)", "side**2 * np.log10(levels)", "one value per channel"),
        ("possible_images(side, channels, levels)", "np.log10(side**2 * channels * levels)", "multiplied"),
        (
            "best_of_many(guesses, labels, chosen_on)",
            "(guesses == labels)[:, :chosen_on].mean(), (guesses == labels)[:, chosen_on:].mean()",
            "maximum over networks",
        ),
        (
            "best_of_many(guesses, labels, chosen_on)",
            (
                "(guesses == labels)[:, :chosen_on].mean(axis=1).max(),"
                " 0.03 + (guesses == labels)[:, chosen_on:].mean(axis=1).max()"
            ),
            "do not choose again",
        ),
        (
            "nearest_mean(train_images, train_labels, images)",
            (
                "np.argmin([((images - train_images[train_labels == k].mean(axis=0).astype(np.uint8)) ** 2)"
                ".mean(axis=(1, 2, 3)) for k in range(10)], axis=0)"
            ),
            "computed in uint8",
        ),
        (
            "nearest_mean(train_images, train_labels, images)",
            (
                "np.argmax([((images - train_images[train_labels == k].mean(axis=0)) ** 2)"
                ".mean(axis=(1, 2, 3)) for k in range(10)], axis=0)"
            ),
            "farthest",
        ),
        (
            "thumbnails(images)",
            "images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1)",
            "divide each row by its norm",
        ),
        (
            "thumbnails(images)",
            (
                "(lambda v: v / np.linalg.norm(v, axis=1, keepdims=True))"
                "(images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1))"
            ),
            "own mean",
        ),
        (
            "thumbnails(images)",
            (
                "(lambda v: (v - v.mean(axis=1, keepdims=True)) / v.std(axis=1, keepdims=True) / 192**0.5)"
                "(images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(1, 3)).reshape(len(images), -1))"
            ),
            "neighbours",
        ),
    ],
    "04-evaluation": [
        ("kind_accuracy(matrix, vehicle)", "np.trace(matrix) / matrix.sum()", "this is the accuracy"),
        (
            "kind_accuracy(matrix, vehicle)",
            "(matrix * (1 - np.eye(len(matrix))))[vehicle[:, None] == vehicle].sum() / matrix.sum()",
            "diagonal",
        ),
        ("kind_accuracy(matrix, vehicle)", "matrix[vehicle][:, vehicle].sum() / matrix.sum()", "both kinds"),
        (
            "selective(probability, labels, threshold)",
            "((probability[np.arange(len(labels)), labels] >= threshold).mean(), 1.0)",
            "true class",
        ),
        (
            "selective(probability, labels, threshold)",
            (
                "((probability.max(axis=1) >= threshold).mean(),"
                " ((probability.max(axis=1) >= threshold) & (probability.argmax(axis=1) == labels)).mean())"
            ),
            "images that are left",
        ),
        ("images_needed(accuracy, half_width)", "accuracy * (1 - accuracy) / half_width**2", "1.96"),
        ("images_needed(accuracy, half_width)", "1.96 * (accuracy * (1 - accuracy)) ** 0.5 / half_width", "squaring"),
        (
            "bootstrap_interval(correct, repeats, seed)",
            "np.quantile([np.random.default_rng(seed).permutation(correct).mean()] * repeats, (0.025, 0.975))",
            "with replacement",
        ),
        (
            "bootstrap_interval(correct, repeats, seed)",
            (
                "np.quantile(np.random.default_rng(seed).choice(correct, (repeats, len(correct))).mean(axis=1),"
                " (0.05, 0.95))"
            ),
            "90%",
        ),
        (
            "bootstrap_interval(correct, repeats, seed)",
            "np.quantile(np.random.default_rng(seed).choice(correct, (repeats, 100)).mean(axis=1), (0.025, 0.975))",
            "n images",
        ),
    ],
    "02-architecture": [
        (
            "convolution_cost(size, before, after, side)",
            "size**2 * before * after, size**2 * before * after * side**2",
            "bias",
        ),
        (
            "convolution_cost(size, before, after, side)",
            "size**2 * after + after, size**2 * after * side**2",
            "every input",
        ),
        (
            "convolution_cost(size, before, after, side)",
            "size**2 * before * after + after, (size**2 * before * after + after) * side**2",
            "weights only",
        ),
        ("price_of_pair(before, after)", "18 / 25", "stay the same"),
        ("price_of_pair(before, after)", "25 * before / (9 * (before + after))", "turn it around"),
        (
            "vgg_parameters(filters)",
            "sum(9 * a * b + b + 9 * b * b + b for a, b in zip((3, *filters), filters)) + 2049 * 128 + 1290",
            "8×8",
        ),
        (
            "vgg_parameters(filters)",
            (
                "sum(9 * a * b + b + 9 * b * b + b for a, b in zip((3, *filters), filters))"
                " + filters[-1] * (32 // 2 ** len(filters)) ** 2 * 128 + 1280"
            ),
            "biases",
        ),
        (
            "residual_unit(x, filters)",
            (
                "keras.layers.Conv2D(filters, 3, padding='same', activation='relu')("
                "keras.layers.Conv2D(filters, 3, padding='same', activation='relu')(x))"
            ),
            "skip connection is missing",
        ),
        (
            "residual_unit(x, filters)",
            (
                "keras.layers.Add()([x, keras.layers.Conv2D(filters, 3, padding='same', activation='relu')("
                "keras.layers.Conv2D(filters, 3, padding='same', activation='relu')(x))])"
            ),
            "after the sum",
        ),
    ],
    "03-training": [
        ("cross_entropy(probability, labels)", "-np.log2(probability[np.arange(len(labels)), labels]).mean()", "bits"),
        ("cross_entropy(probability, labels)", "-np.log(probability[np.arange(len(labels)), labels]).sum()", "mean"),
        ("velocities(momentum, gradients)", "[sum(momentum**k for k in range(n + 1)) for n in range(200)]", "negative"),
        ("velocities(momentum, gradients)", "[-(1 - momentum ** (n + 1)) for n in range(200)]", "another convention"),
        ("stopping_epoch(losses, patience)", "int(np.argmin(losses)) + 1", "end the training before"),
        ("stopping_epoch(losses, patience)", "6", "best epoch so far"),
        (
            "with_random_labels(dataset, seed)",
            "dataclasses.replace(dataset, y_train=np.random.default_rng(seed).permutation(dataset.y_train))",
            "class counts",
        ),
        (
            "with_random_labels(dataset, seed)",
            (
                "dataclasses.replace(dataset, **{key: np.random.default_rng(seed).integers(0, 10, len(getattr(dataset, key)))"
                " for key in ('y_train', 'y_test')})"
            ),
            "test labels stay true",
        ),
    ],
}


@pytest.fixture(scope="module", params=WRONG)
def exercises(request):
    """The name of a notebook, what its set-up cells define, its solutions, and its self-checks by function."""
    book = cells.read(cells.NOTEBOOKS / f"{request.param}.py")
    scope, solutions, checks = {}, [], {}
    for cell in book.cells:
        if cells.has(cell, "setup"):
            exec(cell.source.replace("check.ready()", ""), scope)  # noqa: S102, the project's own cells
        elif cells.has(cell, "solution"):
            solutions.append(cell.source)
        elif cells.has(cell, "check"):
            checks[solutions[-1].split("def ")[1].split("(")[0]] = cell.source
    for solution in solutions:
        exec(solution, scope)  # noqa: S102, the project's own cells
    return request.param, scope, solutions, checks


def test_three_to_five_and_each_has_a_check_and_two_wrong_answers(exercises):
    name, _, solutions, checks = exercises
    assert 3 <= len(solutions) == len(checks) <= 5
    tried = [head.split("(")[0] for head, _, _ in WRONG[name]]
    assert all(tried.count(function) >= 2 for function in checks) and set(tried) == set(checks)


def test_a_wrong_answer_gets_a_hint(exercises):
    name, scope, _, checks = exercises
    for head, answer, hint in WRONG[name]:
        wrong = dict(scope)
        exec(f"def {head}:\n    return {answer}", wrong)  # noqa: S102, the project's own cells
        with pytest.raises(AssertionError, match=hint):
            exec(checks[head.split("(")[0]], wrong)  # noqa: S102, the project's own cells
            pytest.fail(f"{head} may return {answer}")


def test_a_prediction_is_asked_for():
    for name in WRONG:
        text = (cells.NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
        assert "**2. Predict, then compute" in text

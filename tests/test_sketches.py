import subprocess
import sys

import numpy as np
import pytest

from helpers import data, sketches


@pytest.fixture(scope="module")
def train():
    return sketches.draw(1000, seed=0)


@pytest.fixture(scope="module")
def test():
    return sketches.draw(500, seed=1)


def test_images_and_labels_look_like_cifar10(train):
    images, labels = train
    assert images.shape == (1000, 32, 32, 3) and images.dtype == np.uint8
    assert labels.shape == (1000,) and labels.dtype == np.int64
    assert images.min() < 20 and images.max() > 235


def test_a_class_is_drawn_by_the_function_of_its_name():
    assert tuple(drawer.__name__.strip("_") for drawer, _ in sketches.CLASSES) == data.CLASS_NAMES


def test_classes_are_balanced_and_shuffled(train):
    labels = train[1]
    assert np.bincount(labels, minlength=10).tolist() == [100] * 10
    assert np.bincount(sketches.draw(25, seed=3)[1], minlength=10).max() == 3
    assert len({tuple(ten) for ten in labels.reshape(-1, 10)}) > 90


def test_the_same_seed_gives_the_same_drawings_and_fewer_are_the_first_of_more(train):
    images, labels = sketches.draw(37, seed=0)
    np.testing.assert_array_equal(images, train[0][:37])
    np.testing.assert_array_equal(labels, train[1][:37])


def test_another_process_draws_the_same(train):
    program = "import sys; from helpers import sketches; sys.stdout.buffer.write(sketches.draw(20, 0)[0].tobytes())"
    drawn = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert drawn == train[0][:20].tobytes()


def test_no_drawing_comes_twice_within_or_between_seeds(train, test):
    drawings = [image.tobytes() for image in np.concatenate([train[0], test[0]])]
    assert len(set(drawings)) == len(drawings)


def test_drawing_leaves_numpys_global_random_state_alone():
    before = np.random.get_state()[1].copy()
    sketches.draw(3, seed=5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_every_class_varies(train):
    images, labels = train
    for label in range(10):
        assert images[labels == label].std(axis=0).mean() > 30


def nearest_mean_accuracy(features, train, test):
    seen, new = features(train[0]).reshape(len(train[0]), -1), features(test[0]).reshape(len(test[0]), -1)
    means = np.stack([seen[train[1] == label].mean(axis=0) for label in range(10)])
    answers = [((means - one) ** 2).sum(axis=1).argmin() for one in new]
    return (answers == test[1]).mean()


def edges(images):
    """How strong the edges of six directions are in each of 8 x 8 cells; a drawing and its mirror image are alike."""
    down, right = np.gradient(images.mean(axis=3), axis=(1, 2))
    direction = (np.arctan2(down, right) % np.pi / np.pi * 6).astype(int) % 6
    strength = np.hypot(down, right)[..., None] * (direction[..., None] == np.arange(6))
    cells = np.sqrt(strength.reshape(-1, 8, 4, 8, 4, 6).sum(axis=(2, 4)))
    cells = (cells + cells[:, :, ::-1, ::-1]).reshape(len(images), -1)
    return cells / np.linalg.norm(cells, axis=1, keepdims=True)


def test_what_tells_the_classes_apart_is_shape_not_colour(train, test):
    assert nearest_mean_accuracy(lambda images: images.mean(axis=(1, 2)), train, test) < 0.3
    assert nearest_mean_accuracy(lambda images: images / 255, train, test) < 0.5
    assert nearest_mean_accuracy(edges, train, test) > 0.5


def test_no_drawings_are_an_empty_array():
    images, labels = sketches.draw(0, seed=0)
    assert images.shape == (0, 32, 32, 3) and labels.shape == (0,)


def test_numpy_integers_will_do():
    np.testing.assert_array_equal(sketches.draw(np.int64(2), np.uint8(7))[0], sketches.draw(2, 7)[0])


@pytest.mark.parametrize(
    ("count", "seed", "error", "message"),
    [
        (-1, 0, ValueError, "count=-1: expected 0 or more"),
        (10, -3, ValueError, "seed=-3: expected 0 or more"),
        (10.0, 0, TypeError, "count: expected an integer, got 10.0 of type float"),
        (10, None, TypeError, "seed: expected an integer, got None of type NoneType"),
        (10, "7", TypeError, "seed: expected an integer, got '7' of type str"),
        (True, 0, TypeError, "count: expected an integer, got True of type bool"),
        (10, np.array([1]), TypeError, "seed: expected an integer"),
    ],
)
def test_bad_arguments_are_named(count, seed, error, message):
    with pytest.raises(error) as caught:
        sketches.draw(count, seed)
    assert message in str(caught.value)


def test_needs_only_numpy_and_pillow():
    program = (
        "import sys; from helpers import sketches; "
        "print(*{name.split('.')[0] for name in sys.modules} & {'tensorflow', 'keras', 'matplotlib', 'requests'}, "
        "*[name for name in sys.modules if name.startswith('helpers.') and name != 'helpers.sketches'])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert loaded.split() == []

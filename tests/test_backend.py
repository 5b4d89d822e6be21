"""TensorFlow starts in one module, quietly, whatever the reader's own settings of Keras say."""

import json
import os
import subprocess
import sys


def run(program, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"} | environment
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_importing_the_package_or_the_data_sets_nothing():
    run(
        "import os, sys; before = dict(os.environ); import helpers, helpers.data; "
        "assert dict(os.environ) == before and not {'tensorflow', 'keras'} & set(sys.modules)"
    )


def test_tensorflow_starts_without_a_word_and_errors_still_arrive():
    done = run(
        "import sys; from helpers.backend import keras, layers, tf; tf.zeros(1); print('heard', file=sys.stderr)"
    )
    assert done.stdout == "" and done.stderr == "heard\n"


def test_a_readers_own_settings_do_not_reach_the_recorded_networks(tmp_path):
    settings = {"backend": "jax", "floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-7}
    (tmp_path / "keras.json").write_text(json.dumps(settings), encoding="utf-8")
    program = (
        "from helpers import data, evaluation, runs; few = data.load('sketches').subset(10, 200)\n"
        "run = runs.load('vgg3', 'sketches'); assert run.model.dtype == 'float32'\n"
        "print(evaluation.accuracy(run.model, few.x_test, few.y_test))"
    )
    accuracies = [
        float(run(program, KERAS_HOME=str(home)).stdout.split()[-1]) for home in (tmp_path, tmp_path / "none")
    ]
    assert accuracies[0] == accuracies[1] > 0.8


def test_keras_with_another_backend_is_refused_by_name():
    program = (
        "import sys, types; keras = types.ModuleType('keras'); keras.layers = None\n"
        "keras.config = types.SimpleNamespace(backend=lambda: 'jax'); sys.modules['keras'] = keras\n"
        "try: import helpers.backend\n"
        "except ImportError as error: assert \"computes with 'jax': restart the kernel\" in str(error)\n"
        "else: raise SystemExit('not refused')"
    )
    run(program)

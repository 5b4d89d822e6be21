"""TensorFlow starts in one module, quietly, whatever the reader's own settings of Keras say."""

import json
import os
import subprocess
import sys

import pytest

from helpers import data, evaluation, runs


def run(program, **environment):
    environment = {key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"} | environment
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


# In the place of TensorFlow and Keras, where nothing is computed: `import helpers.backend` then takes no seconds.
STAND_INS = """
import sys, types
tf, keras = map(types.ModuleType, ("tensorflow", "keras"))
tf.zeros, keras.layers = int, None
keras.config = types.SimpleNamespace(backend=lambda: BACKEND, set_floatx=str, set_image_data_format=str)
sys.modules.update(tensorflow=tf, keras=keras)
"""


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
    theirs = float(run(program, KERAS_HOME=str(tmp_path)).stdout.split()[-1])
    few = data.load("sketches").subset(10, 200)
    assert theirs == evaluation.accuracy(runs.load("vgg3", "sketches").model, few.x_test, few.y_test) > 0.8


@pytest.mark.parametrize("content", ['{"floatx": "float8"}', '{"image_data_format": "channels-last"}', "[]", None])
def test_settings_of_keras_that_are_damaged_are_named(content, tmp_path):
    file = tmp_path / "keras.json"
    file.mkdir() if content is None else file.write_text(content, encoding="utf-8")
    run(
        "try: import helpers.backend\n"
        f"except ImportError as error: assert {str(file)!r} in str(error) and 'delete it' in str(error)\n"
        "else: raise SystemExit('not refused')",
        KERAS_HOME=str(tmp_path),
    )


def test_keras_with_another_backend_is_refused_by_name():
    program = (
        f"BACKEND = 'jax'\n{STAND_INS}"
        "try: import helpers.backend\n"
        "except ImportError as error: assert \"computes with 'jax': restart the kernel\" in str(error)\n"
        "else: raise SystemExit('not refused')"
    )
    run(program)


def test_tensorflow_takes_of_a_gpu_only_what_it_needs():
    program = f"BACKEND = 'tensorflow'\n{STAND_INS}import os, helpers.backend; print(os.environ.pop(NAME, None))"
    program = f"NAME = 'TF_FORCE_GPU_ALLOW_GROWTH'\n{program}"
    unset = program.replace("import os,", "import os; os.environ.pop(NAME, None); import", 1)
    assert run(unset).stdout.strip() == "true"
    assert run(program, TF_FORCE_GPU_ALLOW_GROWTH="false").stdout.strip() == "false"

"""Start TensorFlow and Keras quietly, and with the settings that every network of the series needs.

The one module whose import has side effects: environment variables, TensorFlow's start and Keras' settings. Everything
that computes with networks writes `from .backend import keras, layers, tf`.
"""

import contextlib
import os
import sys

# These must be set before TensorFlow and Keras are first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
# TensorFlow would take all of a GPU's memory at once, which leaves none to a second notebook.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
# Foolbox brings GitPython along, which refuses to be imported on a machine without git unless told to be quiet.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


@contextlib.contextmanager
def _quiet_start():
    """Hide what TensorFlow's C++ code writes to stderr while it starts; Python errors still arrive."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


try:
    with _quiet_start():
        import tensorflow as tf

        tf.zeros(1)  # the first operation, not the import, prints the last of the start-up lines
        import keras
        from keras import layers  # noqa: F401
except (AssertionError, AttributeError, OSError, ValueError) as error:
    settings = os.path.join(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"), "keras.json")
    if not os.path.exists(settings):
        raise
    raise ImportError(
        f"TensorFlow or Keras does not start, probably because of {settings} ({type(error).__name__} {error}): delete it, "
        "and Keras writes a new one"
    ) from error

if keras.config.backend() != "tensorflow":
    raise ImportError(
        f"Keras was imported before `helpers` and computes with {keras.config.backend()!r}: restart the kernel and import "
        "helpers first, or set KERAS_BACKEND=tensorflow"
    )
# A keras.json in the reader's home directory may say otherwise; the recorded weights fit these two alone.
keras.config.set_floatx("float32")
keras.config.set_image_data_format("channels_last")

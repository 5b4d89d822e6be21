"""What the lecture's notebooks share: data, networks, attacks, evaluation, figures, sliders.

Read the modules in this order: sketches, data, photographs, models, attacks, evaluation, runs, robustness, training,
ablations, figures, explorer, check. Importing this package does not import TensorFlow.
"""

import os

# The first two must be set before TensorFlow and Keras are first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"
# Foolbox brings GitPython along, which refuses to be imported on a machine without git unless told to be quiet.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# TensorFlow would take all of a GPU's memory at once, which leaves none to a second notebook.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

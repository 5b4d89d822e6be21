"""What the lecture's notebooks share: data, networks, attacks, evaluation, figures, sliders.

Importing this package sets nothing and does not import TensorFlow; `helpers.backend` does both.
"""

"""What the lecture's notebooks share: data, networks, attacks, evaluation, figures, sliders.

What is taught lies flat in this package and is read in this order: data, models, evaluation, recipes, optimizers, training,
runs, attacks, robustness, ablations. Importing the package sets nothing and does not import TensorFlow; `helpers.backend`
does both.
"""

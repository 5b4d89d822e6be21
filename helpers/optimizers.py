"""Muon and the learning-rate schedules. Taught in notebooks/03-training."""

from .backend import keras, tf


def build(recipe, epochs, batches):
    """The optimiser that `recipe` names, for so many epochs of so many batches each: it steps once for each batch."""
    rates = {
        "constant": lambda peak, _: peak,
        "linear": lambda peak, steps: keras.optimizers.schedules.PolynomialDecay(peak, steps, end_learning_rate=0.0),
        "slanted-triangular": SlantedTriangular,
    }
    rate = rates[recipe.schedule](recipe.learning_rate, epochs * batches)
    averaged = recipe.averaged_epochs * batches
    average = {"use_ema": True, "ema_momentum": 1 - 1 / averaged} if averaged else {}
    return {"SGD": keras.optimizers.SGD, "Muon": Muon}[recipe.optimizer](rate, momentum=recipe.momentum, **average)


class SlantedTriangular(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises to `peak` over the first fifth of all steps and then falls to zero, in two lines.

    Source: Howard and Ruder 2018, arXiv:1801.06146, section 3.2.
    """

    def __init__(self, peak, steps):
        self.peak, self.steps = peak, steps

    def __call__(self, step):
        done = tf.cast(step, tf.float32) / self.steps
        return self.peak * tf.minimum(done / 0.2, (1 - done) / 0.8)


class Muon(keras.optimizers.Optimizer):
    """Momentum whose step for a convolution kernel is orthogonalised: its singular values are brought near 1.

    This is the Muon of airbench94, which differs from `keras.optimizers.Muon` in three ways: three Newton–Schulz
    rounds instead of five, convolution kernels are rescaled to a fixed norm at each step, and everything else takes
    plain Nesterov momentum instead of AdamW. There are three parameter groups: convolution kernels at the learning
    rate, the dense head at HEAD_LR_SCALE times it, biases and batch normalisation's shifts at BIAS_LR_SCALE times it.
    The scales are airbench's 0.67 and 0.053 over its 0.24, times 1000: airbench sums the loss over a batch, ours is the
    mean, and batches of 1000 images make the two equal.
    Source: Jordan 2024, https://kellerjordan.github.io/posts/muon/ and github.com/KellerJordan/cifar10-airbench.
    """

    HEAD_LR_SCALE, BIAS_LR_SCALE, PLAIN_MOMENTUM = 2800.0, 220.0, 0.85

    def __init__(self, learning_rate, momentum, **averaging):
        super().__init__(learning_rate, **averaging)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.velocities = [self.add_variable_from_reference(variable, "velocity") for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.velocities[self._get_variable_index(variable)]
        if len(variable.shape) == 4:
            step = self._with_momentum(velocity, gradient, self.momentum)
            fixed_norm = variable * variable.shape[-1] ** 0.5 / tf.norm(variable)
            variable.assign(fixed_norm - learning_rate * newton_schulz(step))
        else:
            scale = self.HEAD_LR_SCALE if len(variable.shape) == 2 else self.BIAS_LR_SCALE
            step = self._with_momentum(velocity, gradient, self.PLAIN_MOMENTUM)
            variable.assign_sub(scale * learning_rate * step)

    def _with_momentum(self, velocity, gradient, momentum):
        velocity.assign(momentum * velocity + gradient)
        return gradient + momentum * velocity  # as Nesterov: one step ahead


def newton_schulz(step):
    """The step of a kernel with its singular values brought near 1, by three Newton–Schulz iterations."""
    matrix = tf.transpose(tf.reshape(step, (-1, step.shape[-1])))
    matrix /= tf.norm(matrix) + 1e-7
    for _ in range(3):
        square = matrix @ tf.transpose(matrix)
        matrix = 3.4445 * matrix + (2.0315 * square @ square - 4.7750 * square) @ matrix
    return tf.reshape(tf.transpose(matrix), step.shape)

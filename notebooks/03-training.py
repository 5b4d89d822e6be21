# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 03 · How does it learn, and when has it learned too well?
#
# **The question:** how do randomly initialised weights become a working network, and what do its learning curves
# reveal?
#
# Afterwards, you can
#
# - explain cross-entropy, stochastic gradient descent and momentum,
# - read learning curves and recognise the generalisation gap,
# - say when to stop, and why the test set must not decide.
#
# **Before this:** [02-architecture](02-architecture.ipynb). **Time:** 12 minutes.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Start the training run on the next slide at once, and explain while it runs. If you are short of time, keep the
# recorded curves and the generalisation gap.
#
# **They will ask:** *Does the network memorise the images?* Partly: the generalisation gap is the part of the training
# accuracy that does not carry over to new images. Exercise 4 makes a network memorise images with random labels (Zhang
# et al. 2017, arXiv:1611.03530).
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import dataclasses

import numpy as np

from helpers import data, durations, evaluation, figures, models, optimizers, recipes, runs, training
from helpers.backend import keras

dataset = data.load()
recipe, run = recipes.RECIPES["vgg3"], runs.load("vgg3", dataset.name)
history, last = run.history, len(run.history["loss"])
print(dataset.source)
duration = durations.in_words(durations.seconds("vgg3", dataset.name))
print(f"recorded run: {last} epochs; its training steps take {duration}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## A short training run
#
# We train the network of 02 on up to 10,000 images. Meanwhile, let us see what each step does.

# %% tags=["core"]
part = dataset.subset(min(10_000, len(dataset.x_train)), 1_000)
with figures.LiveCurve() as curve:
    epochs = 10_000 // len(part.x_train)
    training.train(recipe, part, epochs=epochs, on_step=curve.on_step, on_epoch=curve.on_epoch)

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# ## What happens at each step
#
# The network predicts probabilities for a **batch** of images. The **cross-entropy** of an image is $L = -\ln p_y$,
# where $p_y$ is the probability of its true class; if every class has probability 1/10, $L$ is $\ln 10 = 2.30$ nats.
# **Backpropagation** computes the gradient of the batch's mean loss with respect to all weights $w$, and **stochastic
# gradient descent** (SGD) moves the weights against it, with a velocity $v$:
#
# $$v \leftarrow \mu\, v - \eta\, \nabla_w L, \qquad w \leftarrow w + v$$
#
# The **learning rate** $\eta = 0.001$ and the **momentum** $\mu = 0.9$ are those of the slides. An **epoch** is one pass
# through all training images.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The training run takes from a quarter of a minute to two minutes, depending on the machine. The curve is jagged
# because each point is a mean over different images. If the run takes too long, interrupt the kernel: a single line
# reports the interruption, and nothing below needs the result.
#
# **They will ask:**
#
# - *Why stochastic?* The batch is drawn at random, so its gradient is a noisy estimate of the gradient over all images,
#   at a small fraction of the cost (Robbins and Monro 1951).
# - *Why is the first loss above 2.30?* With random weights, a network favours some classes and is often confidently
#   wrong. An optional section measures this.
# - *Why 0.001 and not more?* It is the slides' value. An optional section shows another network, which reaches the same
#   test accuracy in a small fraction of the time, with a learning rate that falls to zero.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# **Why momentum?** In a long valley of the loss, plain gradient descent jumps from wall to wall. With momentum, steps
# across the valley partly cancel, and steps along it add up.

# %% tags=["core"]
curvatures = np.array([0.05, 1.0])  # along and across the valley


def descend(momentum, steps=15, learning_rate=1.9):
    points, velocity = [np.array([-10.0, 2.0])], np.zeros(2)
    for _ in range(steps):
        velocity = momentum * velocity - learning_rate * curvatures * points[-1]
        points.append(points[-1] + velocity)
    return np.array(points)


paths = {"plain descent": descend(0), "momentum 0.5": descend(0.5)}
left = {name: np.hypot(*points[-1]) for name, points in paths.items()}
figures.show(
    figures.momentum_paths(paths, curvatures),
    f"Fifteen steps at the same learning rate. Plain descent ends at a distance of {left['plain descent']:.1f} from "
    f"the minimum (the star), and descent with momentum 0.5 at a distance of {left['momentum 0.5']:.1f}.",
)

# %% tags=["core"] slideshow={"slide_type": "skip"}
plain, smooth = paths.values()
assert (np.diff(np.sign(plain[:, 1])) != 0).all()  # every plain step crosses the valley
assert np.abs(smooth[8:, 1]).max() < np.abs(plain[8:, 1]).max() and left["momentum 0.5"] < 0.2 * left["plain descent"]

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# This toy loss has two weights and two curvatures, which differ by a factor of 20. Our network has 550,570 weights, and
# the curvatures of such networks differ by far more (Sagun et al. 2017, arXiv:1706.04454).
#
# **They will ask:** *Then why not momentum 0.99?* It overshoots and swings back and forth for a long time: try
# `descend(0.99)`. (On this toy loss, even 0.9 overshoots: what counts is the learning rate times the curvature.) *What
# about Adam?* Adam also divides each weight's step by the size of its recent gradients (Kingma and Ba 2015,
# arXiv:1412.6980). The slides use SGD; for image networks, both are common.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## The whole run
#
# The slides state neither the batch size nor the number of epochs. We use batches of 32 and all training images,
# without a validation set, and train to about the slides' training accuracy.
#
# **Bet.** After which epoch is the *test* loss lowest?

# %% tags=["core", "bet"] slideshow={"slide_type": "skip"}
my_bet = last  # the last epoch

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
best = int(np.argmin(history["test_loss"])) + 1
slides = runs.SLIDES.values() if dataset.name == "cifar10" else None
figures.show(
    figures.learning_curves(history, slides),
    f"Learning curves on {dataset.title}. The test loss is lowest after epoch {best} of {last}. At the end, training "
    f"accuracy is {history['train_accuracy'][-1]:.1%} ({history['accuracy'][-1]:.1%} as a running mean with dropout "
    f"on), and test accuracy is {history['test_accuracy'][-1]:.1%}.",
)

# %% [markdown] tags=["core", "reveal"] slideshow={"slide_type": "fragment"}
# Training minus test accuracy is the **generalisation gap**. In both panels, solid curves are measured after each
# epoch, with dropout off. The dashed curves are what Keras reports: averages over each epoch, with dropout on.

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
rows = []
for epoch in sorted({best, last}):
    train, test = (round(100 * history[key][epoch - 1], 1) for key in ("train_accuracy", "test_accuracy"))
    loss = history["test_loss"][epoch - 1]
    rows.append((f"{epoch}", f"{train:.1f}%", f"{test:.1f}%", f"{train - test:.1f}", f"{loss:.2f}"))
figures.show_table(["after epoch", "training", "test", "gap, points", "test loss"], rows)
if best < last:
    points = float(rows[-1][2][:-1]) - float(rows[0][2][:-1])
    print(f"From epoch {best} to {last}, the test loss rises, while test accuracy changes by {points:+.1f} points.")
    print("The loss also measures how confident each error is; accuracy merely counts the errors.")
else:
    print("On this data set, the test loss is lowest at the end; longer training might still lower it.")

# %% tags=["core", "bet"] slideshow={"slide_type": "skip"}
print(f"your bet: epoch {my_bet}; the lowest test loss: after epoch {best}")

# %% tags=["core"] slideshow={"slide_type": "skip"}
gaps = np.array(history["train_accuracy"]) - np.array(history["test_accuracy"])
assert (recipe.learning_rate, recipe.momentum, recipe.batch_size) == (0.001, 0.9, 32)  # as the text says
assert gaps[-1] > max(0, gaps[0]) and min(history["train_loss"][-3:]) == min(history["train_loss"])
if dataset.name == "cifar10":  # as the text says: it ends where the training accuracy reaches the slides'
    assert int(np.argmax(np.array(history["train_accuracy"]) >= runs.SLIDES["train"])) == last - 1

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Let the class bet before you show the curves. The default bet, a common wrong answer, is the last epoch, because the
# training loss is lowest there. In the first epochs, the dashed accuracy lies below the test accuracy: dropout lowers
# it, and it is an average over an epoch during which the weights still improve.
#
# **They will ask:** *What would narrow the generalisation gap?* More images, augmentation, or stronger regularisation;
# an optional section of 02 gives the gap of each variant that was trained. *Were the slides' 98.79% measured with
# dropout on or off?* They do not say; we assume that it was off. *Is a rising test loss overfitting?* It is one sign of
# overfitting: the network's errors become more confident. Accuracy need not fall with it: compare the columns "test"
# and "test loss" of the table.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## When to stop?
#
# **Early stopping** keeps the weights of the epoch with the lowest *validation* loss. The test set must not decide: the
# best of many noisy measurements is partly luck. We base no choice on the test curve.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Ask which curve on the previous slide may decide when to stop early. (None of them: there is no validation curve. On
# CIFAR-10, our run ended where its training accuracy reached the slides'.)
#
# **They will ask:** *Here, the last epoch was (nearly) the best for accuracy. So where is the harm?* In this run, there
# is little, but you can know that only by looking at the test set, and an accuracy that was used for a choice no longer
# describes new images. *How long should one wait?* For a few epochs without improvement; their number is called the
# patience. See Prechelt 1998, "Early stopping – but when?", and exercise 3.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Compared with the slides
#
# A difference can come from **settings** that the slides do not state, from **chance**, or from the **images**: in our
# copy of CIFAR-10, most images, but not the first 1,017 test images, went through JPEG compression.

# %% tags=["core"]
rows_of_results = [("the slides (CIFAR-10)", f"{runs.SLIDES['train']:.2%}", f"{runs.SLIDES['test']:.2%}")]
train_accuracy, test_accuracy = runs.accuracy(run.record, "train"), runs.accuracy(run.record)
rows_of_results.append((f"our run on {dataset.title}", f"{train_accuracy:.2%}", f"{test_accuracy:.2%}"))
if first := runs.accuracy(run.record, runs.FIRST_TEST):
    half_width = 100 * evaluation.ci_half_width(first, data.ORIGINAL_TEST_IMAGES)
    rows_of_results.append(("… on the first 1,017 test images", "", f"{first:.2%} ± {half_width:.1f}"))
figures.show_table(["", "training accuracy", "test accuracy"], rows_of_results)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Do not interpret a difference between two numbers until you know the settings behind both. The ± gives a 95% interval;
# 04 derives it.
#
# **They will ask:** *How long does this training run take?* The second code cell of this notebook prints how long its
# training steps take; all recipes were timed in one run. The `record.json` of every run keeps its machine, its versions
# and the time that it took, evaluations included. *Can we train it again?* Yes: run
# `python -m helpers.training vgg3 --dataset cifar10 --seed 1`.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **SGD** moves the weights against the gradient of one batch's cross-entropy; **momentum** keeps part of the last
#   step.
# - **Learning curves** show the generalisation gap if all are measured with dropout off.
# - **Early stopping** uses the validation set; the test set decides nothing.
#
# Next: what does one accuracy hide? [04-evaluation](04-evaluation.ipynb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read out "our network reaches 98.9%" and ask what is missing: which images these were, whether dropout was on or off,
# and how the network was trained.
#
# **They will ask:** *Is a higher accuracy possible?* Yes, within minutes on the same machine: see "Optional: more
# accuracy within minutes" below.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the loss before training

# %% tags=["optional"] slideshow={"slide_type": "skip"}
few = dataset.x_test[:1000], dataset.y_test[:1000]
keras.utils.set_random_seed(0)
for name, network in (("untrained", models.build("vgg3")), ("trained", run.model)):
    loss, accuracy = evaluation.loss_and_accuracy(network, *few)
    confidence = evaluation.probabilities(network, data.to_float(few[0])).max(axis=1).mean()
    print(f"{name:>9}: loss {loss:.2f}, accuracy {accuracy:.0%}, mean confidence {confidence:.0%}")
print(f"a network that gives every class 1/10: loss ln 10 = {np.log(10):.2f}, accuracy 10% by chance, confidence 10%")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The untrained network is at chance level, but it does not give every class a probability of 1/10: random weights
# favour some classes, and confident errors cost more than equal probabilities would. A first loss *far* above ln 10
# suggests unsuitable initial weights or a wrong scaling of the pixels; a loss that stays at ln 10 means that the
# network learns nothing.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the step as it runs
#
# This function builds one training step. It can attack the images, as in 06, and apply label smoothing, which a section
# below explains; the recorded run does neither.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
figures.show_source(training.make_step)
steps = -(-len(dataset.x_train) // recipe.batch_size)  # divided and rounded up: the last batch may be smaller
print(f"one epoch: {len(dataset.x_train):,} images / {recipe.batch_size} per batch = {steps:,} steps")
print(f"the recorded run: {last} epochs, {last * steps:,} steps")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: recipe, record, and mixed precision
#
# A record holds everything that is needed to repeat a run. Its `dtype_policy` may be **mixed precision**: under
# `mixed_bfloat16`, products are computed in bfloat16, which has the range of float32 but only 8 bits of precision, and
# the outputs of layers are in bfloat16 as well. The weights, and in our networks the logits, remain in float32. Final
# accuracies are measured in float32.
#
# None of our recipes uses **weight decay**, a regularisation that shrinks all weights a little at each step.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
for name, value in {**run.record["recipe"], **run.record["versions"], "parameters": run.record["parameters"]}.items():
    print(f"{name:>14}: {value}")
mixed = models.build("vgg3", "mixed_bfloat16")
print("first layer: weights in", mixed.layers[0].kernel.dtype, "| output in", mixed.layers[0].output.dtype)
print("logits in", mixed.layers[-1].output.dtype)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the same accuracy in a fraction of the time
#
# `fast` is another network with a newer recipe:
#
# - It needs about **half of the multiply-adds**: each group of layers downsamples after its first convolution.
# - Its first layer **whitens** small patches: it is computed from the images so that its outputs are roughly
#   uncorrelated, and is not trained.
# - It uses **batch normalisation**, and a learning rate that starts high and **falls to zero**.
# - Its optimiser, **Muon**, makes steps of similar length in all directions of a kernel.
# - It is trained with **augmentation** and **label smoothing**: a target of 0.82 for the true class and 0.02 for each
#   other class.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
quick, quick_recipe = runs.load("fast", dataset.name), recipes.RECIPES["fast"]
for name in ("epochs", "batch_size", "optimizer", "learning_rate", "schedule", "augment", "label_smoothing"):
    before, after = getattr(recipe, name), getattr(quick_recipe, name)
    if name == "epochs":
        before, after = before[dataset.name], after[dataset.name]
    print(f"{name:>15}: {before!s:8} → {after}")
smoothing = quick_recipe.label_smoothing
assert np.allclose((1 - smoothing + smoothing / 10, smoothing / 10), (0.82, 0.02))

# %% tags=["optional"] slideshow={"slide_type": "skip"}
spans = {name: durations.seconds(name, dataset.name) for name in ("vgg3", "fast")}


def curve(name, history):
    """When each epoch of a recorded run ends, in seconds, and the test accuracy then."""
    epochs = len(history["test_accuracy"])
    return spans[name] * np.arange(1, epochs + 1) / epochs, history["test_accuracy"]


figures.show(
    figures.accuracy_against_time({"the slides' recipe": curve("vgg3", history), "fast": curve("fast", quick.history)}),
    f"Test accuracy against training time. The slides' recipe reaches {runs.accuracy(run.record):.1%} after "
    f"{durations.in_words(spans['vgg3'])}, and fast reaches {runs.accuracy(quick.record):.1%} after "
    f"{durations.in_words(spans['fast'])}: the times differ by a factor of {spans['vgg3'] / spans['fast']:.0f}. Both "
    f"come from one measurement of all recipes ({durations.load()['machine']}) and leave out evaluation.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Set `LIVE = True` to train `fast` here. On CIFAR-10, with compilation and evaluation, the run takes about a minute if
# the processor multiplies in bfloat16, and a few minutes otherwise.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
LIVE = False

print(f"this machine computes in {training.dtype_policy_here(quick_recipe)}")
if LIVE:
    with figures.LiveCurve() as fast_curve:
        training.train(quick_recipe, dataset, on_step=fast_curve.on_step, on_epoch=fast_curve.on_epoch)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### How `fast` works
#
# `whiten` computes the first layer's weights. `dirac_init` initialises the other convolutions so that, at first, some
# filters of each pass their input on unchanged. The network and its recipe follow [Jordan
# 2024](https://arxiv.org/abs/2404.00498), whose network reaches 94% within seconds on one GPU; the optimiser is newer
# ([Muon](https://kellerjordan.github.io/posts/muon/), December 2024).

# %% tags=["optional"] slideshow={"slide_type": "skip"}
figures.show_source(models.airbench_group, models.airbench, models.fast, models.whiten)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# **How white is it?** Whitening by the covariance gives uncorrelated outputs of equal variance; it does not make them
# independent. Ours uses the second moment, without subtracting the mean, and adds a small constant to each eigenvalue.
# The outputs are therefore only roughly uncorrelated, and their variances differ:

# %% tags=["optional"] slideshow={"slide_type": "skip"}
whitened = models.build("fast")
models.whiten(whitened, dataset.x_train)
outputs = whitened.layers[0](data.to_float(dataset.x_test[:200])).numpy().reshape(-1, 24)[:, :12]
variances, correlations = outputs.var(axis=0), np.corrcoef(outputs.T)
off_diagonal = abs(correlations[~np.eye(12, dtype=bool)])
print(f"variances of the 12 filters: {variances.min():.2f} to {variances.max():.2f}")
print(f"absolute correlations between filters: {off_diagonal.mean():.2f} on average, at most {off_diagonal.max():.2f}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# **Why make steps orthogonal?** The singular values of a matrix say how much it stretches vectors in different
# directions. A gradient matrix has a few large singular values and many small ones, so gradient descent moves far along
# a few directions and hardly at all along the others. Muon brings the singular values closer together by means of three
# Newton–Schulz iterations.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
figures.show_source(optimizers.newton_schulz)
step = np.random.default_rng(0).standard_normal((3, 3, 16, 32)).astype(np.float32) * np.geomspace(0.3, 3, 32)
for name, matrix in (("before", step), ("after", optimizers.newton_schulz(step.astype(np.float32)))):
    values = np.linalg.svd(np.reshape(matrix, (-1, 32)), compute_uv=False)
    print(f"{name:6}: the largest singular value is {values[0] / values[-1]:.1f} times the smallest")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# **Schedules.** The learning rate of `fast` is highest at the start and falls linearly to zero. The runs of 02's study
# use a *slanted triangle* ([Howard and Ruder 2018](https://arxiv.org/abs/1801.06146)): the rate rises for a fifth of
# the steps, then falls.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
triangle = optimizers.SlantedTriangular(0.05, 100)
print("slanted triangle:", *(f"{float(triangle(done)):.3f}" for done in range(0, 101, 10)))

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: more accuracy within minutes
#
# `airbench` combines the same ideas with more filters and epochs, and with **SiLU**, x / (1 + e⁻ˣ), a smooth relative
# of ReLU. In the last row of the figure, we average the logits over six views of each test image (**test-time
# augmentation**): the image itself, two versions of it that are shifted by one pixel along a diagonal in opposite
# directions, and the mirror images of these three.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
names = {"vgg3": "the slides' recipe", "fast": "fast", "fast-longer": "fast, longer"}
names |= {"airbench": "airbench: more filters, SiLU"}
improvements, previous = [], None
for name, title in names.items():
    record = runs.read_record(name, dataset.name)
    title += f",\n{record['recipe']['epochs']} epochs, {durations.in_words(durations.seconds(name, dataset.name))}"
    improvements.append((title, previous, runs.accuracy(record)))
    previous = runs.accuracy(record)
with_views = runs.accuracy(record, views=models.VIEWS)
improvements.append(("airbench, averaged\nover six views", previous, with_views))

# %% tags=["optional"] slideshow={"slide_type": "skip"}
figures.show(
    figures.cumulative_improvements(improvements),
    f"Test accuracies on {dataset.title}, from {improvements[0][2]:.1%} to {with_views:.1%}. The numbers in brackets "
    "are the changes from the row above, in points.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Is the last number due to luck? The next cell gives the results of the same recipe with three seeds. It also says what
# a run costs: the **forward pass** takes two floating-point operations (FLOP) per multiply-add, and the backward pass
# takes about twice as many as the forward pass.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
records = [runs.read_record(name, dataset.name) for name in ("airbench", "airbench-1", "airbench-2")]
for row in records[0]["accuracies"]:
    values = [runs.accuracy(record, row["images"], row["views"]) for record in records]
    name = {"train": "training", runs.FIRST_TEST: "first 1,017 test"}.get(row["images"], row["images"]) + " images"
    name += ", six views" if row["views"] > 1 else ""
    print(f"{name:>34}: {np.mean(values):.2%}, the mean of three seeds ({min(values):.2%} to {max(values):.2%})")
peak = durations.load()["peak"]
for name in ("vgg3", "fast", "airbench"):
    operations, seconds = durations.flop(name, dataset.name), durations.seconds(name, dataset.name)
    print(
        f"{name:>34}: {operations / 1e15:.3f} PFLOP in {durations.in_words(seconds)}, {operations / seconds / 1e9:.0f} "
        f"GFLOP/s, {operations / seconds / peak:.0%} of the rate at which this machine multiplies large matrices"
    )

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# In each exercise, write the function, then run the cell below it, which checks your function and gives a hint if
# something is wrong.
#
# **1. Cross-entropy.** Write `cross_entropy(probability, labels)`, which returns the mean cross-entropy, in nats, of
# probabilities with shape (n, 10), given the true classes with shape (n,).

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def cross_entropy(probability, labels):
    """The mean cross-entropy in nats of probabilities (n, 10), given the true classes (n,)."""
    return float(-np.log(probability[np.arange(len(labels)), labels]).mean())

# %% tags=["homework", "check"]
probability, labels = np.full((4, 10), 0.05), np.array([0, 3, 3, 9])
probability[np.arange(4), [0, 3, 3, 8]] = 0.55  # the last image is misclassified
answer, expected = cross_entropy(probability, labels), -(3 * np.log(0.55) + np.log(0.05)) / 4
assert not np.isclose(answer, expected / np.log(2)), "that is in bits: take the natural logarithm"
assert not np.isclose(answer, 4 * expected), "that is the sum over the images: take the mean"
assert not np.isclose(answer, -np.log(0.55)), "take the probability of the true class, not of the predicted class"
assert np.isclose(answer, expected), f"{answer}: take minus the logarithm of the true class's probability alone"
print(f"correct: {answer:.3f} nats")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Predict, then compute: how far does momentum carry?** Suppose that the gradient is 1 in every step and the
# learning rate is 1. First, write down a prediction: what value does the velocity $v$ approach for $\mu = 0.9$? Then
# write `velocities(momentum, gradients)`, which starts at $v = 0$ and returns the velocity after each step.

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def velocities(momentum, gradients):
    """The velocity after each step of gradient descent with learning rate 1, starting from 0."""
    found, velocity = [], 0.0
    for gradient in gradients:
        velocity = momentum * velocity - gradient
        found.append(velocity)
    return found

# %% tags=["homework", "check"]
answers = velocities(0.9, [1.0] * 200)
assert answers[0] < 0, "descent moves against the gradient: the velocity is negative"
assert abs(answers[0] + 0.1) > 1e-6, "the new gradient counts in full: (1 − μ) times it is another convention"
assert np.allclose(answers[:2], [-1, -1.9]) and len(answers) == 200, f"{answers[:2]}: expected −1, then −1.9"
print(f"The velocity approaches −1 / (1 − μ) = {-1 / (1 - 0.9):.0f}, ten times the plain step; here {answers[-1]:.2f}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Early stopping with patience.** While a network trains, nobody knows the validation losses to come. Write
# `stopping_epoch(losses, patience)`, which returns the epoch, counted from 1, whose weights are kept if training ends
# as soon as `patience` epochs in a row have not improved on the lowest loss so far.

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def stopping_epoch(losses, patience):
    """The epoch, counted from 1, that early stopping keeps."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best + 1

# %% tags=["homework", "check"]
losses = [2.0, 1.5, 1.6, 1.4, 1.5, 1.45, 1.2, 1.0]
found = stopping_epoch(losses, 2), stopping_epoch(losses, 3)
assert found[0] != 8, "epoch 8 is lowest, but training ends before it, after two epochs in a row without a new lowest"
assert found[0] != 3, "count the epochs from 1, not from 0"
assert found[0] != 6, "keep the weights of the best epoch so far, not those of the last one"
assert found == (4, 8), f"expected epochs 4 and 8, got {found}: only epochs *in a row* without a new lowest loss count"
print("correct: with a patience of 2, epoch 4 is kept; with a patience of 3, epoch 8")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. Can it memorise noise?** The **capacity** of a network is the range of functions that it can represent: is that
# of our network large enough to fit labels that follow no rule? Write `with_random_labels(dataset, seed)`, which
# returns the same data set with every *training* label drawn at random from the ten classes (`dataclasses.replace`
# makes a changed copy). The check trains on only 64 images, first with true labels and then with random ones. Before
# you run it, predict the training and test accuracies for both.

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def with_random_labels(dataset, seed):
    """The data set with training labels drawn at random, images and test labels as before."""
    random = np.random.default_rng(seed).integers(0, 10, len(dataset.y_train))
    return dataclasses.replace(dataset, y_train=random.astype(dataset.y_train.dtype))

# %% tags=["homework", "check"]
small = dataset.subset(64, 20)
noisy = with_random_labels(small, 0)
assert np.array_equal(noisy.y_test, small.y_test), "leave the test labels as they are: only training labels change"
counts = np.bincount(noisy.y_train, minlength=10)
before_counts = np.bincount(small.y_train, minlength=10)
assert not np.array_equal(counts, before_counts), "draw anew: a shuffle keeps the class counts"
assert np.mean(noisy.y_train == small.y_train) < 0.3, "only about one label in ten should be the true one"
assert np.array_equal(noisy.x_train, small.x_train), "only the labels change"
faster = dataclasses.replace(recipe, learning_rate=0.02)
for name, these in (("true labels", small), ("random labels", noisy)):
    result = training.train(faster, these, epochs=80)
    memorised = runs.accuracy(result.record, "train")
    generalises = evaluation.accuracy(result.model, data.to_float(dataset.x_test[:1000]), dataset.y_test[:1000])
    print(f"{name}: training accuracy {memorised:.0%}, accuracy on 1,000 test images {generalises:.0%}")
assert memorised > 0.5 and generalises < 0.3
print("Noise can be memorised, so training accuracy alone says little about new images.")

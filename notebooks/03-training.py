# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 03 · How does it learn, and when has it learned too well?
#
# **The question:** how do 550,570 random numbers become a network that knows a cat from a truck, and what do the curves
# tell that it leaves behind?
#
# Afterwards you can
#
# - say what cross-entropy measures, and what loss a network has that knows nothing,
# - explain stochastic gradient descent with momentum, a batch and an epoch,
# - read learning curves: what the gap between training and test means, and why "training accuracy" has two values,
# - compare a result with a published one and name what could explain the difference.
#
# **Before this:** [02-architecture](02-architecture.ipynb), which built the network. **Time:** 12 minutes for the core.
# Running everything takes about a minute and less than 1.5 GB.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: learning means moving numbers so that a loss falls, and how far it fell on the images that were learned
# says little about others. Common wrong answer: "it stores the pictures". Keep that one: the gap between the curves
# will show how much of it is true. Short of time: the loss, the live training and the recorded run must stay.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import data, evaluation, figures, models, optimizers, recipes, runs, training

dataset = data.load()
run = runs.load("vgg3", dataset.name)
recipe = recipes.RECIPES["vgg3"]
print(f"{dataset.name}: {dataset.source}")
minutes, machine = run.record["seconds"] / 60, run.record["machine"]
print(f"recorded run: {run.record['recipe']['epochs']} epochs, {minutes:.0f} minutes on {machine}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The loss: how surprised is the network by the truth?
#
# The network gives each class a probability p. The **cross-entropy** of one image looks at the true class y alone:
#
# $$L = -\ln p_y$$
#
# L is in *nats*. A network that gives the true class probability 1 has loss 0; halving that probability adds
# ln 2 = 0.69. The loss of a batch is the mean over its images.
#
# **Predict:** ten classes, random weights. What is the loss before training, roughly?

# %% tags=["core"]
my_bet = 1.0  # nats
untrained = models.build("vgg3")
some = dataset.x_test[:1000], dataset.y_test[:1000]
loss, accuracy = evaluation.loss_and_accuracy(untrained, *some)
print(f"your bet: {my_bet}; a network that gives every class 1/10: ln 10 = {np.log(10):.2f}")
print(f"ours, untrained: loss {loss:.2f}, accuracy {accuracy:.0%}")
print("ours, trained:   loss {:.2f}, accuracy {:.0%}".format(*evaluation.loss_and_accuracy(run.model, *some)))

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: know the loss of knowing nothing, −ln(1/10) = 2.30. A first loss far above it means that the initial
# weights or the pixel scale are off; a loss that stays there means that nothing is learned.
#
# Common wrong answer: 0.9, "nine of ten are wrong". That is an error rate, not a cross-entropy.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The step: downhill, with momentum
#
# For each **batch** of images, compute the gradient of its loss and move the weights a little way against it:
#
# $$v \leftarrow \mu\, v - \eta\, \nabla_w L(w), \qquad w \leftarrow w + v$$
#
# | symbol | meaning | here |
# | --- | --- | --- |
# | w | all weights of the network | 550,570 numbers |
# | ∇L(w) | gradient of the batch's mean loss with respect to the weights | |
# | η | learning rate | 0.001, as on the slides |
# | μ | momentum: the share of the last step that is kept | 0.9, as on the slides |
# | v | velocity, the step that is taken | starts at 0 |
#
# It is called *stochastic* because the batch is drawn by chance: its gradient is a noisy estimate of the gradient over
# all images, and far cheaper.

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# What is momentum for? Take a long valley: steep across, nearly flat along. Plain descent has to take small steps, or
# it jumps from wall to wall. With momentum the steps across cancel, and the steps along add up.

# %% tags=["core"]
scales = np.array([0.05, 1.0])  # slope along and across the valley


def descend(momentum, steps=30, learning_rate=0.9):
    points, velocity = [np.array([-10.0, 2.0])], np.zeros(2)
    for _ in range(steps):
        velocity = momentum * velocity - learning_rate * scales * points[-1]
        points.append(points[-1] + velocity)
    return np.array(points)


paths = {"no momentum": descend(0), "momentum 0.7": descend(0.7)}
distance = {name: np.hypot(*points[-1]) for name, points in paths.items()}
figures.show(
    figures.momentum_paths(paths, scales),
    f"Thirty steps down a long valley. Plain descent is still {distance['no momentum']:.1f} away from the minimum, "
    f"descent with momentum 0.7 is {distance['momentum 0.7']:.1f} away.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# ### Batch, step, epoch

# %% tags=["core"]
images, size = len(dataset.x_train), recipe.batch_size
steps = -(-images // size)  # divided and rounded up: the last batch may be smaller
print(f"one step:  {size} images")
print(f"one epoch: every training image once, {images:,} / {size} = {steps:,} steps")
print(f"the recorded run: {run.record['recipe']['epochs']} epochs, {steps * run.record['recipe']['epochs']:,} steps")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# The slides give learning rate and momentum, but neither batch size nor number of epochs. So these two are
# **assumptions** of ours: 32 is what Keras takes when nothing is said, and training goes on until the accuracy on the
# training images is about the slides' 98.8%.
#
# This is the whole step, as it runs here:

# %% tags=["core"]
figures.show_source(training.make_step)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read it line by line: pixels to [0, 1]; forward with `training=True`, so dropout is on; mean cross-entropy from
# logits; gradient with respect to the weights; one move of the optimiser. In 05 the same gradient is taken with respect to the
# pixels instead.
#
# `optimizer` is `keras.optimizers.SGD(0.001, momentum=0.9)`. `model.fit` runs the same loop; here you see it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Train it now
#
# Half a minute of training, live. **Predict:** what accuracy on test images will it reach?
#
# Set `FULL = True` to follow the whole recipe instead. That takes an hour or more.

# %% tags=["core"]
FULL = False
my_bet = 0.25

part = dataset if FULL else dataset.subset(min(16_000, images), 1_000)
epochs = recipe.epochs[dataset.name] if FULL else 16_000 // len(part.x_train)
curve = figures.LiveCurve()
live = training.train(recipe, part, epochs=epochs, on_step=curve.on_step, on_epoch=curve.on_epoch)
reached = live.history["test_accuracy"][-1]
curve.finish(
    f"Loss and accuracy of each few dozen batches during {sum(live.history['seconds']):.0f} seconds of training on "
    f"{dataset.name}: the loss falls from {curve.points[0][1]:.2f} to {curve.points[-1][1]:.2f}, and {reached:.0%} of "
    f"the test images are right at the end. Your bet was {my_bet:.0%}."
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Start this cell, then explain the step while the curve grows. Points to make while it runs: the curve is jagged because
# every point is another set of images; the first steps bring most.
#
# If the machine is slow, interrupt the kernel and go on: nothing below needs this cell.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The recorded run
#
# Training is blue, test is orange, as on the slides. Before you look: will the two curves meet?

# %% tags=["core"]
history, final = run.history, run.record
slides = runs.SLIDES if dataset.name == "cifar10" else None
figures.show(
    figures.learning_curves(history, slides and slides.values()),
    f"Learning curves on {dataset.name} over {len(history['loss'])} epochs. Training accuracy ends at "
    f"{history['train_accuracy'][-1]:.1%} in evaluation mode and {history['accuracy'][-1]:.1%} with dropout on; test "
    f"accuracy ends at {history['test_accuracy'][-1]:.1%}. Test loss is lowest after epoch "
    f"{1 + int(np.argmin(history['test_loss']))} and ends at {history['test_loss'][-1]:.2f} at the end.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# ### Two training accuracies
#
# The solid and the dashed blue line judge the same weights on the same images. The dashed one is what Keras prints
# during training. It is lower for two reasons:
#
# - **dropout is on**: a fifth of the values is set to zero, and the network has to answer without them,
# - it is a **running mean** over the epoch, so its first half comes from weights that were worse.
#
# The solid one is taken after the epoch, in evaluation mode, with dropout off. Only this one may be compared with the
# test curve, which is taken in evaluation mode as well. The slides do not say which of the two their 98.79% is; we
# assume evaluation mode.

# %% tags=["core"]
gap_on, gap_off = (history[key][-1] - history["test_accuracy"][-1] for key in ("accuracy", "train_accuracy"))
print(f"gap to the test accuracy: {100 * gap_off:.1f} points in evaluation mode, {100 * gap_on:.1f} as Keras prints it")

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Common wrong answer: "training accuracy below test accuracy is impossible, so there is a bug". In the first epochs
# the dashed line does lie below the orange one, and nothing is wrong.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The gap is overfitting
#
# The network gets nearly all of its training images right, and clearly fewer of those that it never saw. The
# difference was *memorised*: it holds for those images and for no others.

# %% tags=["core"]
lowest = int(np.argmin(history["test_loss"]))
print(f"{'after epoch':>12} {'training':>9} {'test':>7} {'test loss':>10}")
for epoch in (lowest, len(history["loss"]) - 1):
    row = [history[key][epoch] for key in ("train_accuracy", "test_accuracy", "test_loss")]
    print(f"{epoch + 1:>12} {row[0]:>9.1%} {row[1]:>7.1%} {row[2]:>10.2f}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Between these two epochs the training images were learned nearly by heart. Look at what the test images got from it:
# accuracy hardly moves, while the test *loss* gets worse. The network becomes surer of all its answers, the wrong
# ones included.
#
# It is tempting to stop at the best test epoch. But then the test images would have *chosen* the network, and
# their accuracy would no longer say what to expect on new ones. Choosing is what held-out images are for
# ([01-data](01-data.ipynb)). Nothing here is chosen from the orange curve: it is drawn because the slides draw it.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the gap has a name and two faces. Accuracy only counts mistakes, the loss also counts how sure they are,
# so it tells earlier. Let the class say what would narrow the gap: more images, moved and mirrored ones, more dropout.
#
# Common wrong answer: "then stop at the best test epoch". Ask what the test images would be after that: part of the
# training. Short of time: skip the small table, the curves have shown it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Beside the slides' numbers

# %% tags=["core"]
print(f"{'':24}{'training':>9} {'test':>8}")
print(f"{'the slides':24}{runs.SLIDES['train']:>9.2%} {runs.SLIDES['test']:>8.2%}")
print(f"{'our run on ' + dataset.name:24}{runs.accuracy(final, 'train'):>9.2%} {runs.accuracy(final):>8.2%}")
if first := runs.accuracy(final, runs.FIRST_TEST):
    margin = evaluation.ci_half_width(first, data.ORIGINAL_TEST_IMAGES)
    print(f"{'  first 1,017 test images':24}{'':>9} {first:>8.2%} ± {100 * margin:.1f} points")
print(f"the images of this run: {run.record['dataset']['source']}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# What can explain a difference?
#
# - **Unknown settings.** The slides say neither batch size nor epochs nor how pixels were scaled.
# - **The images.** Where the last line says that batches are not the official bytes, most pixels of that copy went
#   through JPEG compression once and are slightly blurred. Training *and* test suffer. Test images 0–1016 have their
#   original pixels in every copy that we know, so their row is the closest to the slides' test.
# - **Chance.** Other initial weights and another order of batches move the result by some tenths of a point, and
#   10,000 test images leave an interval of about ±0.7 points ([04-evaluation](04-evaluation.ipynb)).

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a difference between two numbers is not a finding until the settings are known. Ask which of the three
# explanations could be tested, and how.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### The recipe and the record
#
# A run is kept with all that is needed to repeat it: recipe, seed, number format, a digest of the images, versions.
# `python -m helpers.training vgg3 --dataset cifar10` trains it anew and goes on where it was interrupted. The products
# of this run were taken in the number format below: bfloat16 has the range of float32 with 8 bits of precision, and
# weights and sums stay in float32. The final accuracies were taken in float32.

# %% tags=["optional"]
for name, value in {**run.record["recipe"], **run.record["versions"], "parameters": run.record["parameters"]}.items():
    print(f"{name:>14}: {value}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The same accuracy while you watch
#
# The slides train in the manner of 2014, which takes more than an hour. With what has been learned since, the same
# accuracy comes while you wait. `fast` is a network and a recipe of that kind:
#
# - most of the **work at low resolution**: few filters where the maps are large,
# - a first layer set from the data: it **whitens** small patches and is not trained,
# - **batch normalisation** and a learning rate that starts high and **falls to zero**,
# - a step that moves all directions of a kernel equally far (**Muon**),
# - pictures **moved and mirrored**, and labels that are only 82% sure of themselves (**label smoothing**).

# %% tags=["core"]
quick_recipe = recipes.RECIPES["fast"]
print(f"{'epochs':>15}: {recipe.epochs[dataset.name]:<8} → {quick_recipe.epochs[dataset.name]}")
for name in ("batch_size", "optimizer", "learning_rate", "schedule", "augment", "label_smoothing"):
    print(f"{name:>15}: {getattr(recipe, name)!s:8} → {getattr(quick_recipe, name)}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# **Predict:** how many times as long as `fast` does the slides' recipe take to get there?
#
# With `LIVE = True` the next cell trains `fast` now: about a minute where the processor multiplies in bfloat16, two or
# three minutes elsewhere. Otherwise it loads the recorded run.

# %% tags=["core"]
LIVE = False
my_factor = 10  # times as long

print(f"products in {training.dtype_policy_here(quick_recipe)}")
if LIVE:
    curve = figures.LiveCurve()
    quick = training.train(quick_recipe, dataset, on_step=curve.on_step, on_epoch=curve.on_epoch)
    curve.finish(f"{runs.accuracy(quick.record):.1%} of the test images after {quick.record['seconds']} seconds.")
else:
    quick = runs.load("fast", dataset.name)
    print(f"recorded: {runs.accuracy(quick.record):.1%} of the test images in {quick.record['seconds']} seconds")

# %% tags=["core"]
slow, goal = np.cumsum(history["seconds"]), history["test_accuracy"][-1]
first = int(np.argmax(np.array(history["test_accuracy"]) >= goal))
ratio = slow[first] / quick.record["seconds"]
curves = {
    "the slides' recipe": (slow, history["test_accuracy"], figures.GREY),
    "fast": (np.cumsum(quick.history["seconds"]), quick.history["test_accuracy"], figures.TEST),
}
figures.show(
    figures.accuracy_against_time(curves),
    f"Test accuracy against time. The slides' recipe first reaches its final {goal:.1%} after {slow[first] / 60:.0f} "
    f"minutes, fast ends at {runs.accuracy(quick.record):.1%} after {quick.record['seconds']} seconds: "
    f"{ratio:.0f} times as long. Your bet was {my_factor}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a recipe is part of a result. "A CNN reaches 80% on CIFAR-10" means little without the time that it took.
# Both times are from the same machine, on other days and with other load: the factor is right to within two or so.
# Common wrong answer: "the network is smaller, so it is worse". Set `LIVE` before the lecture if you want to train
# here, and run the cell before you explain the list.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Optional: how `fast` works
#
# The network, as it runs. `whiten` sets its first layer, and `dirac_init` starts the others: at first most
# filters hand on what they get, so that nothing is lost on the way. The ideas are those of
# [Jordan 2024](https://arxiv.org/abs/2404.00498), who trained such networks to 94% in seconds on one GPU.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
figures.show_source(models.airbench_group, models.airbench, models.fast, models.whiten)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Why make steps orthogonal? A gradient's matrix has a few large singular values and many small ones: plain descent moves
# far along a few directions and hardly along the others. Look at the singular values before and after.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
figures.show_source(optimizers.newton_schulz)
step = np.random.default_rng(0).standard_normal((3, 3, 16, 32)).astype(np.float32) * np.geomspace(0.3, 3, 32)
for name, matrix in (("before", step), ("after", optimizers.newton_schulz(step.astype(np.float32)))):
    values = np.linalg.svd(np.reshape(matrix, (-1, 32)), compute_uv=False)
    print(f"{name:6}: largest singular value {values[0] / values[-1]:.1f} times the smallest")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Optional: as good as it gets on a laptop
#
# The same ideas, with more filters, more epochs, **SiLU** (x / (1 + e⁻ˣ), a ReLU without a corner) and six views of each
# test picture: the picture, moved by a pixel to two sides, and their mirror images. The mean of the six answers counts.
# Each step of the ladder is a recorded run.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
titles = {"vgg3": "the slides' recipe", "fast": "fast", "fast-longer": "fast, longer"}
titles |= {"airbench": "airbench: more filters, SiLU"}
steps, before = [], None
for name, title in titles.items():
    record = runs.read_record(name, dataset.name)
    minutes, share = record["seconds"] / 60, runs.accuracy(record)
    steps.append((f"{title},\n{record['recipe']['epochs']} epochs, {minutes:.0f} min", before, share))
    before = share
best = runs.accuracy(record, views=models.VIEWS)
steps.append(("airbench, six views\nof each picture", before, best))
figures.show(
    figures.cumulative_improvements(steps),
    f"From {steps[0][2]:.1%} to {best:.1%} of all test images of {dataset.name}, step by step; in brackets the gain of "
    "each step in points.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Is the last number luck? The same recipe with three seeds: other random weights, other batches. And what does it cost?
# The way forward takes two operations per multiply-add, and the way back about twice as many as the way forward. What
# keeps a processor from its peak is the rest: normalisation, SiLU and pooling do little arithmetic and move much memory.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
records = [runs.read_record(name, dataset.name) for name in ("airbench", "airbench-1", "airbench-2")]
for row in records[0]["accuracies"]:
    part, views = row["images"], row["views"]
    values = [runs.accuracy(record, part, views) for record in records]
    print(f"{part + (', six views' if views > 1 else ''):>28}: {np.mean(values):.2%}, mean of three seeds ({min(values):.2%} to {max(values):.2%})")
products = sum(layer.multiply_adds for layer in models.layer_table(models.build("airbench")))
operations, seconds = 6 * products * images * records[0]["recipe"]["epochs"], records[0]["seconds"]
print(f"{operations / 1e15:.3f} PFLOP in {seconds / 60:.1f} minutes: {operations / seconds / 1e9:.0f} GFLOP/s")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Each solution is in the collapsed cell below its exercise.
#
# **1. How far does momentum carry?** Let the gradient be the same g in every step. Towards which step does the velocity v
# grow, in units of η·g, for μ = 0.9? Check by iterating.

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
velocity = 0.0
for _ in range(200):
    velocity = 0.9 * velocity + 1.0
print(f"v → 1 / (1 − μ) = {1 / (1 - 0.9):.1f} times η·g; iterated: {velocity:.1f}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Learn by heart.** Train `vgg3` on only 96 images, for 60 epochs with a learning rate of 0.02. How far apart are
# training and test accuracy? Then give the same images *random* labels. Can it learn those, too?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
import dataclasses

few = dataset.subset(96, 100)
faster = dataclasses.replace(recipe, learning_rate=0.02)
random_labels = np.random.default_rng(0).integers(0, 10, len(few.y_train))
for name, these in (("true labels", few), ("random labels", dataclasses.replace(few, y_train=random_labels))):
    result = training.train(faster, these, epochs=60).record
    print(f"{name}: {runs.accuracy(result, 'train'):.0%} of the training images, {runs.accuracy(result):.0%} of the test images")
print("labels without any meaning are learned as well: a high training accuracy alone is no sign of understanding")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. When would you have stopped?** In the recorded history, find the epoch with the highest test accuracy and the one
# with the lowest test loss. Why can they differ? And why may neither be reported as the result?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
by_accuracy, by_loss = int(np.argmax(history["test_accuracy"])), int(np.argmin(history["test_loss"]))
for name, epoch in (("highest accuracy", by_accuracy), ("lowest loss", by_loss)):
    accuracy, loss = history["test_accuracy"][epoch], history["test_loss"][epoch]
    print(f"{name}: epoch {epoch + 1}, accuracy {accuracy:.1%}, loss {loss:.2f}")
print("the loss also counts how sure the wrong answers are; the accuracy only counts that they are wrong")
print("the best of many noisy numbers is good partly by luck, and on new images the luck is gone")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **Cross-entropy** is −ln of the probability given to the truth; knowing nothing costs ln 10 = 2.30 nats.
# - **A step** moves the weights against the gradient of one batch's loss; **momentum** keeps part of the last step; an
#   **epoch** shows every training image once.
# - **Learning curves**: training and test part because the network memorises. The training accuracy that Keras prints
#   has dropout on; compare the test with the one in evaluation mode.
# - **A recipe is part of the result**: with today's the same accuracy takes a minute, and more time buys much more.
# - **Beside a published number**: first the settings, then the images, then chance.
#
# Next: what does one accuracy hide? [04-evaluation](04-evaluation.ipynb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a number of a trained network is one of a recipe, a set of images and a mode. Read out "our network reaches
# 98.8%" and ask what is missing: on which images, in which mode, trained how. Common wrong answer: "nothing, it is the
# accuracy". Short of time: ask this one question and go on to 04.
#
# </details>

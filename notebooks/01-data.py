# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 01 · What does the network get to see?
#
# **The question:** what is in these pictures, how hard are they for you, and what will the final accuracy be measured
# on?
#
# Afterwards you can
#
# - say what the assignment asks, and where the series answers it,
# - name the ten classes, and tell from the counts what an accuracy of 10% means,
# - describe a photograph as the network receives it, and say why its numbers are scaled first,
# - explain what training, held-out and test images are for, and what goes wrong when they are mixed,
# - spot labels that are debatable or wrong.
#
# **Before this:** nothing but Python and NumPy. **Time:** 11 minutes for the core. Running everything takes well under a
# minute and less than 1.5 GB.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: all that follows is judged on these pictures. Common wrong answer: "CIFAR-10 is easy, it is only ten
# classes". The guess below cures that. Short of time: skip to the ten classes.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import data, evaluation, figures, models, runs

dataset = data.load()
run = runs.load("vgg3", dataset.name)
names, last = data.CLASS_NAMES, data.ORIGINAL_TEST_IMAGES
shown, shown_labels = dataset.x_test[:last], dataset.y_test[:last]
evaluation.predictions(run.model, shown[:1])  # warms TensorFlow up
print(f"{dataset.name}: {dataset.source}")
print(f"network: the recorded run of 03-training ({run.record['recipe']['epochs']} epochs); here, a few steps at most")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The assignment
#
# A university course set it, and Alberto Marinelli's slides *Midterm 3 (Assignment 2): CNN on CIFAR-10* are one answer.
# This series follows those slides. In our own words, the assignment has two halves:
#
# 1. **Build.** Design a convolutional neural network for CIFAR-10: how many layers, of which kind, in which order,
#    which pooling, with or without residual connections. Give a reason for each choice. Report how good it is.
# 2. **Break.** Attack the trained network with the Fast Gradient Sign Method (FGSM), with your own code or a library.
#    Show the original image, the perturbation and the adversarial image.
#
# | of the assignment | in this series |
# | --- | --- |
# | the pictures | this notebook |
# | which layers, and why | [02-architecture](02-architecture.ipynb) |
# | the training | [03-training](03-training.ipynb) |
# | how good the network is | [04-evaluation](04-evaluation.ipynb) |
# | the attack | [05-fgsm](05-fgsm.ipynb) |

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: two halves, and the second needs the first. Common wrong answer: "an attack must break into the
# computer". It only needs the picture. If the sliders were shown first, one sentence will do.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## You first
#
# This is one of the test pictures. It belongs to exactly one of the ten classes: airplane, automobile, bird, cat, deer,
# dog, frog, horse, ship, truck.
#
# **Predict:** which one? Write your bet into the cell before you run the next one.

# %% tags=["core"]
my_guess = "ship"  # your bet, one of the ten

puzzle = 22
figures.show(
    figures.three_views(shown[puzzle]),
    f"Test image {puzzle} of {dataset.name}, 32×32 pixels, shown in three ways. Its label follows below.",
)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
answer = evaluation.probabilities(run.model, shown[puzzle : puzzle + 1])[0]
print(f"you:      {my_guess}")
print(f"network:  {names[answer.argmax()]}, with probability {answer.max():.0%}")
print(f"label:    {names[shown_labels[puzzle]]}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Now that you know the label, look again: most people see it at once. You used what you know about the world. The
# network has nothing but the pixels and the labels of the training images. Squinting and smoothing help you because
# they take away the pixel edges, which your eye takes for real ones.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: 32×32 is little, also for people. Collect two or three guesses aloud before you run the second cell.
# Common wrong answer with the photographs: bird or ship, because of the blue. Skip any discussion of the network's
# answer: that is 04-evaluation.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The same photograph, for a person and for a network
#
# This picture stays with us through all notebooks. Look at the marked patch on the left, then at its numbers on the
# right.

# %% tags=["core"]
photograph = shown[figures.RUNNING_IMAGE]
figures.show(
    figures.image_and_pixel_values(photograph, top=8, left=8),
    f"The running example, {names[shown_labels[figures.RUNNING_IMAGE]]}, test image {figures.RUNNING_IMAGE} of "
    f"{dataset.name}. The network receives {photograph.size:,} whole numbers from 0 to 255, three for each pixel.",
)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
assert photograph.shape == (32, 32, 3) and photograph.size == 3072
shuffled = np.random.default_rng(0).permutation(photograph.ravel())
print("one picture:", photograph.shape, photograph.dtype, "=", photograph.size, "numbers")
print("its first:", *photograph.ravel()[:6])
print("mean of all:", photograph.mean().round(1), " mean after shuffling them:", shuffled.mean().round(1))

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Nothing in this list says which numbers are neighbours. A dense layer would have to learn that from examples: to it, a
# shuffled picture is as good as the original one. A convolution has it built in: that is 02-architecture.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a picture is 3,072 numbers, and an attack will be a small change to each of them. Common wrong answer:
# 1,024, which forgets the three colours. Skip the printed lines if time is short.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The ten classes
#
# Look for two things: how different the members of one class are, and which two classes you would mix up.

# %% tags=["core"]
figures.show(
    figures.class_grid(shown, shown_labels, names),
    f"The first six test images of each class of {dataset.name}. Poses, sizes, colours and backgrounds vary within a "
    "class as much as between classes.",
)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
train_counts, test_counts = np.bincount(dataset.y_train), np.bincount(dataset.y_test)
print(f"training images: {len(dataset.x_train):6,}   per class: {train_counts.min():,} to {train_counts.max():,}")
print(f"test images:     {len(dataset.x_test):6,}   per class: {test_counts.min():,} to {test_counts.max():,}")
print(f"always answering {names[0]!r} is right for {np.mean(dataset.y_test == 0):.0%} of the test images")
numbers = dataset.x_train.size + dataset.x_test.size
for kind in ("uint8", "float32", "float64"):
    print(f"all pixels as {kind:7}: {numbers * np.dtype(kind).itemsize / 1e6:7,.0f} MB")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# The classes are **balanced**. Whoever always gives the same answer, or guesses at random, is right one time in ten:
# 10% is the floor, and plain accuracy is a fair measure. With unbalanced classes it would not be.
#
# The images stay whole numbers of one byte and become `float32` batch by batch, where a network needs them. That is
# why this series runs on a small machine.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the variety within a class is what makes this hard, and 10% is the floor. Ask which two classes the
# network will mix up most, and keep the answers for 04-evaluation. Common wrong answer about the floor: 50%.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the three channels in numbers
#
# How bright are the pictures, and do the three colours differ? Count how often each level from 0 to 255 occurs. Look
# for the peaks, and for what happens at both ends.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
parts = np.array_split(dataset.x_train, 50)  # piece by piece, to save memory
counts = np.array([sum(np.bincount(part[..., colour].ravel(), minlength=256) for part in parts) for colour in range(3)])
levels, total = np.arange(256), counts.sum(axis=1)
means = counts @ levels / total
spreads = np.sqrt(counts @ levels**2 / total - means**2)
figures.show(
    figures.channel_histogram(counts),
    f"How often each level occurs among the training pixels of {dataset.name}. The means are {means[0]:.0f} for red, "
    f"{means[1]:.0f} for green and {means[2]:.0f} for blue.",
)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
for number, channel in enumerate(("red", "green", "blue")):
    ends = (counts[number, 0] + counts[number, 255]) / total[number]
    print(
        f"{channel:5}  mean {means[number]:5.1f} = {means[number] / 255:.3f}   "
        f"standard deviation {spreads[number]:4.1f} = {spreads[number] / 255:.3f}   at 0 or 255: {ends:.1%}"
    )

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Mean and standard deviation are given on both scales: 0 to 255, and 0 to 1. Many networks subtract the one and
# divide by the other. Ours, like the slides', only divides by 255: the spread then is about a quarter in each
# channel, which is good enough. A network that normalises further should do so in a layer *inside*. Outside, a pixel
# then always lies between 0 and 1, and the perturbations of 05-fgsm keep their meaning.
#
# The values at 0 and 255 are clipped: the camera saw something darker or brighter. Keep them in mind for the attack. A
# pixel that is already white cannot become brighter.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: why the pixels are scaled
#
# The slides do not show how they scale. What would happen if the network were given 0 to 255? Train a fresh network for
# a dozen steps on both scales, all else equal. A network that knows nothing should start at a loss near
# $\ln 10 \approx 2.3$, as if it gave each class a probability of one tenth.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def first_losses(scale, steps=8, batch_size=32):
    """The loss at each of the first steps on pixels from 0 to `scale`, and the network afterwards."""
    models.keras.utils.set_random_seed(0)
    network = models.build("vgg3")
    loss = models.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(models.keras.optimizers.SGD(0.001, momentum=0.9), loss, run_eagerly=True)  # for 8 steps: faster
    parts = [slice(start, start + batch_size) for start in range(0, steps * batch_size, batch_size)]
    batches = [(data.to_float(dataset.x_train[part]) * scale, dataset.y_train[part]) for part in parts]
    return [float(network.train_on_batch(*batch)) for batch in batches], network


small, sound = first_losses(scale=1)
large, broken = first_losses(scale=255)
rows = [(step, f"{a:.2f}", f"{b:.3g}") for step, (a, b) in enumerate(zip(small, large))]
figures.show_table(["steps taken", "loss, pixels 0 to 1", "loss, pixels 0 to 255"], rows)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
for name, network in (("0 to 1", sound), ("0 to 255", broken)):
    weights = np.concatenate([weight.ravel() for weight in network.get_weights()])
    print(f"pixels {name:8}: {np.isfinite(weights).mean():4.0%} of the weights are still finite numbers")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Pixels 255 times as large make the sums of an untrained network 255 times as large. The gradients grow with them, and
# the learning rate, chosen for the small scale, takes steps that are far too long. The loss shoots up, step by step,
# until the weights leave the range of `float32` and are `nan`, "not a number". What the loss shows from then on means
# nothing, even where it looks like the harmless 2.3. Other remedies exist: a smaller learning rate, batch
# normalisation. Scaling is the cheapest.

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Three piles of pictures
#
# | pile | in CIFAR-10 | what it is for | how often you may look |
# | --- | --- | --- | --- |
# | training | 45,000 or 50,000 | fitting the weights | always |
# | held-out | 5,000 of the training images | choosing: layers, learning rate, epochs | whenever you choose |
# | test | 10,000 | one honest number at the end | once |
#
# **Predict:** a thousand "networks" answer by rolling dice. All of them take the same exam of 500 pictures. What
# accuracy does the best one reach, in percent?

# %% tags=["core"] slideshow={"slide_type": "subslide"}
my_bet = 10.0  # percent

rng = np.random.default_rng(0)
exam, fresh = dataset.y_test[:500], dataset.y_test[500:]
dice = rng.integers(10, size=(1000, len(dataset.y_test)), dtype=np.uint8)
scores = (dice[:, :500] == exam).mean(axis=1)
best = scores.argmax()
print(f"your bet:                                {my_bet:.1f}%")
print(f"best of 1,000 on the exam:               {scores[best]:.1%}")
print(f"the same one on {len(fresh):5,} fresh pictures:   {(dice[best, 500:] == fresh).mean():.1%}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# It knew nothing, and on fresh pictures it shows. Its good mark came from *choosing the best on the exam*. Choosing
# between real networks by their test accuracy does the same, only less visibly. Each look at the test images turns
# them a little into training images.
#
# So everything in this series that is chosen is chosen on held-out images. The slides draw a test curve over the
# epochs; 03-training shows a replica of it, and chooses nothing from it.

# %% tags=["core"] slideshow={"slide_type": "skip"}
order = np.random.default_rng(0).permutation(len(dataset.y_train))
held_out, training = np.split(order, [len(order) // 10])
assert not set(held_out) & set(training)
per_class = np.bincount(dataset.y_train[held_out])
print(f"{len(training):,} images to fit, {len(held_out):,} held out, {per_class.min()} to {per_class.max()} per class")

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the largest of many noisy scores is no estimate. Collect bets by show of hands: 10? 12? more? Common wrong
# answer: 10%, "because they guess". The cell that draws the held-out images can be skipped.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Is the label always right?
#
# People labelled these pictures, and people err. A trained network helps to find candidates: pictures on which it is
# **sure and contradicts the label**. Look and judge: is the label wrong, is the picture ambiguous, or is the network
# wrong?

# %% tags=["core"]
probability = evaluation.probabilities(run.model, shown)
suspects = evaluation.most_confident_errors(probability, shown_labels, 12)
captions = [
    f"label: {names[shown_labels[i]]}\nsays: {names[probability[i].argmax()]}\n{probability[i].max():.1%}"
    for i in suspects
]
figures.show(
    figures.labelled_images(shown[suspects], captions),
    f"The {len(suspects)} test images of {dataset.name} on which the network contradicts the label with the highest "
    "probability. Each one is a wrong label, an ambiguous picture or a mistake of the network: judge for yourself.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# Most of these are mistakes of the network. In some you may side with it. For the whole test set, people have looked
# again: they found 54 wrong labels among the 10,000, about half a percent
# ([Northcutt, Athalye and Mueller 2021](https://arxiv.org/abs/2103.14749)). So no honest network reaches 100%. (In the
# drawn stand-in, `sketches`, every label is right, as the program that drew the picture wrote it.)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a high probability proves nothing, neither for the label nor for the network. Let the class vote on two
# pictures: label, picture or network? Common wrong answer: "so sure, then the label must be wrong".
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Optional: where the network cannot decide
#
# The other end: pictures for which its two best answers are almost equally likely. Would you be sure?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
ranked = np.sort(probability, axis=1)
undecided = np.argsort(ranked[:, -1] - ranked[:, -2])[:6]
captions, right = [], 0
for i in undecided:
    second, first = np.argsort(probability[i])[-2:]
    both = (f"{names[answer]} {probability[i, answer]:.0%}" for answer in (first, second))
    captions.append("\n".join([*both, f"label: {names[shown_labels[i]]}"]))
    right += shown_labels[i] in (first, second)
figures.show(
    figures.labelled_images(shown[undecided], captions),
    f"The six test images of {dataset.name} for which the network's two best answers are closest together. For {right} "
    "of them the label is one of the two.",
)

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# The idea of each solution unfolds below its exercise; the code is in the collapsed cell that follows.
#
# **1. How many pictures are there?** How many different pictures of 32×32 pixels, with three channels of 256 levels,
# can exist? Write it as a power of ten. What does this say about learning from 50,000 of them?
#
# <details><summary>Idea</summary>
#
# There are $256^{3072}$, a number with thousands of digits, and the training images cover nothing of it. Learning works
# only because photographs are a tiny and very regular part of all pictures, and because the network assumes something
# about them: neighbouring pixels belong together, and a thing stays the same thing when it moves. The attack of
# 05-fgsm steps out of that tiny part.
#
# </details>

# %% tags=["homework", "nbval-check-output"] jupyter={"source_hidden": true, "outputs_hidden": true}
print(f"256^3072 = 10^{3072 * np.log10(256):.0f}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. How far do averages get you?** Average all training images of a class into one mean image. Classify each
# picture by the nearest mean image. Estimate the accuracy first. Which classes profit?
#
# <details><summary>Idea</summary>
#
# It beats guessing clearly, without learning anything but averages. The background gives some classes away: ships and
# airplanes stand before blue, frogs before brown and green. Classes that appear before anything gain little. This, and
# not 10%, is what a network must beat.
#
# </details>

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
mean_images = np.array([dataset.x_train[dataset.y_train == label].mean(axis=0) for label in range(10)])
flat, centres = shown.reshape(len(shown), -1).astype(np.float32), mean_images.reshape(10, -1).astype(np.float32)
distance = (centres**2).sum(axis=1) - 2 * flat @ centres.T  # ‖x − c‖² but for ‖x‖², which is the same for all c
nearest = distance.argmin(axis=1)
print(f"right: {(nearest == shown_labels).mean():.1%}")
for label, name in enumerate(names):
    print(f"{name:10} {(nearest == label)[shown_labels == label].mean():4.0%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Have the test pictures been seen before?** Reduce every picture to 8×8 pixels. Find, for each of the test
# images shown in this series, the most similar training image (largest cosine). Look at the pairs above 0.97. What do
# they mean for the accuracy that a test reports?
#
# <details><summary>Idea</summary>
#
# In CIFAR-10 most of the closest pairs are the same photograph, cropped or coloured a little differently, or two
# shots of one scene: show some with `figures.labelled_images`. A network can know these by heart, so the test
# accuracy flatters it slightly. Of all 10,000 test images, 3.3% have such a twin ([Barz and Denzler
# 2020](https://arxiv.org/abs/1902.00423)). In `sketches` a high similarity means similar colours and no more.
#
# </details>

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
def thumbnails(images):
    """Means over 4×4 pixels as vectors of mean 0 and length 1."""
    small = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4), dtype=np.float32).reshape(len(images), -1)
    small -= small.mean(axis=1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


known, twin, closeness = thumbnails(dataset.x_train), [], []
for part in np.array_split(thumbnails(shown), 20):  # piece by piece, to save memory
    similarity = part @ known.T
    twin.extend(similarity.argmax(axis=1))
    closeness.extend(similarity.max(axis=1))
for i in np.argsort(closeness)[:-11:-1]:
    pair = f"test {i:4} {names[shown_labels[i]]:10}  training {twin[i]:5} {names[dataset.y_train[twin[i]]]:10}"
    print(f"{pair}  {closeness[i]:.3f}")
print(f"above 0.97: {(np.array(closeness) > 0.97).sum()} of {len(shown):,}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **The assignment** has two halves: build and justify, then break.
# - **Ten balanced classes**: 10% is what guessing gives.
# - **A picture is 3,072 numbers.** We hand them over between 0 and 1. On 0 to 255 the same training fails within a few
#   steps.
# - **Three piles**: fit on the training images, choose on the held-out ones, report once on the test images. The best
#   of many on one exam looks better than it is.
# - **Labels are made by people**: some are debatable, a few are wrong.
#
# Next: choose the layers, and say why. [02-architecture](02-architecture.ipynb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: all numbers to come are about these pictures and these labels. One question to carry on: which pixels
# should a network look at together first? Neighbours. That is a convolution. Common wrong answer: "all at once".
#
# </details>

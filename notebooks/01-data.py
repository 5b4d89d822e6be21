# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 01 · What does the network get to see?
#
# **The question:** what do the images contain, and on which of them do we evaluate a network?
#
# Afterwards, you can
#
# - say what the assignment asks for,
# - describe an image as the network receives it,
# - tell the training, validation and test sets apart.
#
# **Before this:** Python and NumPy. **Time:** 11 minutes.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: every later number is measured on these images. Go straight to the slider.
#
# **They will ask:** *Why CIFAR-10, which is so old and small?* A network trains on it in minutes on a laptop, people
# can judge the images, and attacks and defences are still compared on it. Sources: Krizhevsky, *Learning Multiple
# Layers of Features from Tiny Images*, 2009; the leaderboard of RobustBench.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import attacks, data, evaluation, figures, models, runs
from helpers.explorer import FgsmExplorer

dataset = data.load()
model = runs.load("vgg3", dataset.name).model
names = data.CLASS_NAMES
shown, labels = dataset.x_test[: data.ORIGINAL_TEST_IMAGES], dataset.y_test[: data.ORIGINAL_TEST_IMAGES]
print(dataset.source)

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## One image, one small change
#
# The slider ε limits by how many intensity levels, out of 255, each value may move. Jump to 8/255. Watch the image,
# then the prediction.

# %% tags=["core"]
explorer = FgsmExplorer(model, dataset.x_test[: len(labels)], labels)
explorer.image.value = figures.OPENING_IMAGE  # chosen because it shows the effect well
explorer

# %% tags=["core"] slideshow={"slide_type": "subslide"}
opening, epsilon = figures.OPENING_IMAGE, 8 / 255
image = data.to_float(shown[opening : opening + 1])
adversarial = attacks.fgsm(model, image, labels[opening : opening + 1], epsilon)
before, after = (evaluation.probabilities(model, x)[0] for x in (image, adversarial))
figure = figures.adversarial_example(image[0], adversarial[0], before, after, labels[opening], names, epsilon)
figures.show(
    figure,
    f"Test image {opening} of {dataset.title}, before and after a change of at most 8/255 per value. The prediction "
    f"changes from {names[before.argmax()]} ({before.max():.0%}) to {names[after.argmax()]} ({after.max():.0%}).",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# This **adversarial example**, an image changed to be misclassified, was made with the **Fast Gradient Sign Method
# (FGSM)**. We chose an image that shows the effect well; [05-fgsm](05-fgsm.ipynb) measures how often the attack
# succeeds.

# %% tags=["core"] slideshow={"slide_type": "skip"}
assert before.argmax() == labels[opening] != after.argmax(), "the opening image must flip at 8/255"

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the prediction changes completely, the image hardly at all. Show one image and one jump; save the other
# levels for 05. If the slider does not appear, show the figure below it. The middle image shows the change, magnified.
#
# **They will ask:** *I can see the change, so is it an attack at all?* At 8/255, many people see speckles on smooth
# areas, but the true class remains obvious. What counts is that nobody would choose the new class. The level 8/255 is
# the one at which results on CIFAR-10 are usually compared (RobustBench); 05 also shows smaller levels.
#
# **They will ask:** *Did somebody break into the network?* No. The attacker changes only the image, but knows the
# network; 05 states this threat model.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The assignment
#
# The series follows the slides *Midterm 3 (Assignment 2)* by Alberto Marinelli. In our words, the assignment is to:
#
# 1. **Build** a convolutional network for CIFAR-10. Justify its layers, their order, the pooling and any residual
#    connections. Report the **accuracy**, the fraction of correct predictions.
# 2. **Attack** it with FGSM. Show the original, the perturbation and the adversarial example.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the assignment has two halves, and the second needs the first. 06 adds what the assignment leaves out:
# defences.
#
# **They will ask:** *What did the slides reach?* An accuracy of 98.79% on the training set and 82.72% on the test set.
# They do not say how many epochs that took or how pixels were scaled; where we had to assume something, we say so.
# Source: the slides.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## You first

# %% tags=["core"]
puzzle = {"cifar10": 22, "sketches": 354}[dataset.name]  # chosen because people find it hard
figures.show(
    figures.three_views(shown[puzzle]), f"Test image {puzzle} of {dataset.title}: 32×32 pixels, in three views."
)

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "fragment"}
# **Your bet:** airplane, automobile, bird, cat, deer, dog, frog, horse, ship or truck?

# %% tags=["core", "bet"]
my_bet = "ship"

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
probability = evaluation.probabilities(model, shown)
figures.show(
    figures.three_views(shown[puzzle]),
    f"The label of this image is {names[labels[puzzle]]}. The network predicts {names[probability[puzzle].argmax()]}, "
    f"with a probability of {probability[puzzle].max():.0%}.",
)

# %% [markdown] tags=["core", "reveal"] slideshow={"slide_type": "fragment"}
# 32×32 pixels carry little information. People draw on what they know of the world; the network has only pixels and
# labels.

# %% tags=["core", "bet"]
print(f"your bet: {my_bet}; the label: {names[labels[puzzle]]}")

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: this data set is harder than "only ten classes" suggests. Collect three bets before you show the label. On
# CIFAR-10, expect bird and ship, because of the blue. Once people know the label, most of them see the animal.
#
# **They will ask:** *How good are people at this?* Their accuracy is about 94% (Ho-Phuoc, *CIFAR10 to Compare Visual
# Recognition Performance between Deep Neural Networks and Humans*, 2018, arXiv:1811.07270).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## An image as the network receives it

# %% tags=["core"]
running = shown[figures.RUNNING_IMAGE]
figures.show(
    figures.image_and_pixel_values(running, top=8, left=8),
    f"Test image {figures.RUNNING_IMAGE} of {dataset.title} ({names[labels[figures.RUNNING_IMAGE]]}), and the pixel "
    "values of the marked patch after division by 255. Later notebooks use this image again.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# An image consists of 32 × 32 × 3 = 3,072 integers from 0 to 255. We divide them by 255; otherwise, the same training
# recipe would fail within a few steps.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: an image is a list of numbers, and an attack is a small change to each of them. Ask how many numbers there
# are. A common wrong answer is 1,024, which forgets the three channels.
#
# **They will ask:** *How does the network know which numbers are neighbours?* A dense layer does not: if you permute
# the pixels of all images in the same way, it learns just as well. In a convolution, this knowledge is built in (02).
#
# **They will ask:** *Why this image?* We chose it from the test images because it shows the attack well. No accuracy
# depends on that choice.
#
# **They will ask:** *Why does training fail without the division?* See "Optional: why the pixels are scaled" below.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Ten classes

# %% tags=["core"]
train_counts, test_counts = np.bincount(dataset.y_train), np.bincount(dataset.y_test)
figures.show(
    figures.class_grid(shown, labels, names),
    f"The first six test images of each class of {dataset.title}. Each class has {train_counts[0]:,} images for "
    f"training and validation, and {test_counts[0]:,} test images.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# With ten **balanced** classes, a random guess and a constant prediction are both correct 10% of the time: **chance
# level**.

# %% tags=["core"] slideshow={"slide_type": "skip"}
for counts in (train_counts, test_counts):
    assert (counts == counts[0]).all() and len(counts) == 10, "the classes are not balanced"

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: images of one class vary in pose, size, colour and background, which is what makes the task hard. Ask which
# two classes the network will confuse most often, and save the guesses for 04.
#
# **They will ask:** *Why 10% and not 50%?* There are ten classes. Always predicting the same class also scores 10%.
#
# **They will ask:** *What if the classes were not balanced?* If 90% of the images were of one class, a constant
# prediction would have an accuracy of 90%. In such a case, report the recall of each class, or the mean recall (04).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Three sets of images

# %% tags=["core"]
split = dataset.validation_split()
figures.show_table(
    ["set", "images", "what it is for"],
    [
        ("training set", len(split.y_train), "fitting the weights, the numbers that a network learns"),
        ("validation set", len(split.y_val), "making choices: which layers, how long to train"),
        ("test set", len(dataset.y_test), "reporting the accuracy, once"),
    ],
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Every decision based on the test set leaks information about it into the model. Test accuracy then overstates
# **generalisation**, the performance on new images.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: do not report an accuracy on images by which you made a choice. Once all choices are made, the final
# training run may use the validation images as well. Exercise 2 takes 1,000 networks that only guess: the best of them
# looks better than chance on the images by which it was chosen, but is no better than chance on new ones.
#
# **They will ask:** *Does this series follow its own rule?* The ablation study of 02 compares networks on the
# validation set. The single images that we show come from the test set, and most were chosen because they show an
# effect; no accuracy depends on them. On CIFAR-10, the number of epochs follows from the slides' training accuracy
# (03). The one exception is the temperature in an optional section of 04, which says so.
#
# **They will ask:** *Has CIFAR-10's test set been used up, after so many years?* Recht et al. (*Do ImageNet Classifiers
# Generalize to ImageNet?*, 2019, arXiv:1902.10811, which covers CIFAR-10) collected new images, on which accuracies
# fall by 3 to 15 points; the ranking of the models hardly changes.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - The assignment: **build** a network, then **attack** it.
# - An image is **3,072 numbers** in [0, 1]. Chance level is 10%.
# - **Fit** on the training set, **choose** on the validation set, **report** on the test set.
#
# Next: [02-architecture](02-architecture.ipynb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: all later numbers depend on these images and these labels. Lead into 02 with a question: which pixels
# should a network combine first? (Neighbouring ones, which is what a convolution does.)
#
# **They will ask:** *Are the labels correct?* Not all of them: see "Optional: is the label always correct?" below and
# 04.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: is the label always correct?
#
# People assigned these labels, and people make errors. A trained network helps to find candidates: images for which it
# assigns a high probability to a class other than the label. Judge each of them: is the label wrong, is the image
# ambiguous, or is the network wrong?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
candidates = evaluation.most_confident_errors(probability, labels, 10)
captions = [
    f"prediction:\n{names[probability[i].argmax()]} {probability[i].max():.1%}\nnot {names[labels[i]]}"
    for i in candidates
]
figures.show(
    figures.labelled_images(shown[candidates], captions),
    f"Of test images 0–{len(shown) - 1} of {dataset.title}, the {len(candidates)} for which the network assigns the "
    "highest probability to a class other than the label.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# [Northcutt, Athalye and Mueller (2021)](https://arxiv.org/abs/2103.14749) used an algorithm to select 275 suspicious
# images from the test set of CIFAR-10 and had people check them: 54 of the labels were wrong. The study did not check
# the other 9,725 images, so 54 is a lower bound. (In the sketches, the drawings that replace CIFAR-10 where it is
# missing, every label is correct, because the program that drew each image also wrote its label.)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Optional: where the network is undecided
#
# At the other extreme are images for which the two most likely classes have nearly the same probability. Which of the
# two would you choose?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
ranked = np.sort(probability, axis=1)
undecided = np.argsort(ranked[:, -1] - ranked[:, -2])[:5]
captions, one_of_two = [], 0
for i in undecided:
    second, first = np.argsort(probability[i])[-2:]
    both = (f"{names[label]} {probability[i, label]:.0%}" for label in (first, second))
    captions.append("\n".join([*both, f"label: {names[labels[i]]}"]))
    one_of_two += labels[i] in (first, second)
figures.show(
    figures.labelled_images(shown[undecided], captions),
    f"Of test images 0–{len(shown) - 1} of {dataset.title}, the five for which the probabilities of the two most "
    f"likely classes are closest together. For {one_of_two} of the five, the label is one of these two classes.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the three channels in numbers
#
# How bright are the images, and do the three channels differ? We count how often each intensity level occurs. Look at
# the peaks and at both ends, where the curves may leave the figure.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
parts = np.array_split(dataset.x_train, 50)  # part by part, to save memory
levels = np.array([sum(np.bincount(part[..., c].ravel(), minlength=256) for part in parts) for c in range(3)])
total = levels.sum(axis=1)
means = levels @ np.arange(256) / total
deviations = np.sqrt(levels @ np.arange(256) ** 2 / total - means**2)
figures.show(
    figures.channel_histogram(levels),
    f"The frequency of each intensity level among the training pixels of {dataset.title}. The means are {means[0]:.0f} "
    f"for red, {means[1]:.0f} for green and {means[2]:.0f} for blue.",
)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
for number, channel in enumerate(("red", "green", "blue")):
    ends = (levels[number, 0] + levels[number, 255]) / total[number]
    print(
        f"{channel:5}  mean {means[number]:5.1f} = {means[number] / 255:.3f}   "
        f"standard deviation {deviations[number]:4.1f} = {deviations[number] / 255:.3f}   at 0 or 255: {ends:.1%}"
    )
assert all(0.15 < deviation / 255 < 0.3 for deviation in deviations)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Many recipes subtract the mean of each channel and divide by its standard deviation. Our replica of the slides'
# network only divides by 255, which leaves a standard deviation between 0.15 and 0.3 in each channel. If a network is
# to normalise further, it should do so in a layer *inside* the network: its input then stays in [0, 1], and ε keeps its
# meaning.
#
# In a photograph, many of the values at 0 and 255 are clipped: the scene was darker or brighter than the camera could
# record. Remember this when you attack an image: a pixel that is already white cannot become brighter.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: why the pixels are scaled
#
# Train a new network for eight steps, once on inputs from 0 to 1 and once on inputs from 0 to 255, with everything else
# equal. Watch the *loss*, the number that training reduces ([03-training](03-training.ipynb) defines it). A network
# that gives every class a probability of one tenth has a loss of $\ln 10 \approx 2.3$.


# %% tags=["optional"] slideshow={"slide_type": "skip"}
def first_losses(scale, steps=8, batch_size=32):
    """The loss before each of the first training steps on inputs from 0 to `scale`, and the network afterwards."""
    models.keras.utils.set_random_seed(0)
    network = models.build("vgg3")
    loss = models.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(models.keras.optimizers.SGD(0.001, momentum=0.9), loss, run_eagerly=True)  # for 8 steps: faster
    parts = [slice(start, start + batch_size) for start in range(0, steps * batch_size, batch_size)]
    batches = [(data.to_float(dataset.x_train[part]) * scale, dataset.y_train[part]) for part in parts]
    return [float(network.train_on_batch(*batch)) for batch in batches], network


small, trained = first_losses(scale=1)
large, diverged = first_losses(scale=255)
rows = [(step, f"{a:.2f}", f"{b:.3g}") for step, (a, b) in enumerate(zip(small, large))]
figures.show_table(["steps taken", "loss, inputs 0 to 1", "loss, inputs 0 to 255"], rows)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
finite = {}
for name, network in (("0 to 1", trained), ("0 to 255", diverged)):
    weights = np.concatenate([weight.ravel() for weight in network.get_weights()])
    finite[name] = np.isfinite(weights).mean()
    print(f"inputs {name:8}: {finite[name]:4.0%} of the weights are finite numbers after the last step")
assert finite["0 to 1"] == 1 and finite["0 to 255"] < 0.5 and small[0] > np.log(10) and large[0] > 20 * small[0]

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The first loss on inputs from 0 to 1 is above 2.3 because the random initial weights already favour some classes. (It
# was measured on a single batch, with dropout on.) Inputs that are 255 times larger make the outputs of the untrained
# network about 255 times larger. The gradients grow as well, and the learning rate, which was chosen for small inputs,
# leads to steps that are far too long. The loss grows until the weights exceed the range of `float32` and become `nan`,
# "not a number". A smaller learning rate or batch normalisation would also help; scaling is the cheapest remedy.

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# In each exercise, write the function, then run the cell below it, which checks your function and gives a hint if
# something is wrong.
#
# **1. How many images are there?** How many different images of `side` × `side` pixels with `channels` channels and
# `levels` intensity levels are possible? The number is huge, so return its logarithm to base 10. What does the result
# for 32×32 RGB images tell you about learning from 50,000 of them?


# %% tags=["homework", "solution"]
def possible_images(side, channels, levels):
    """The logarithm to base 10 of the number of different images."""
    return side * side * channels * np.log10(levels)


# %% tags=["homework", "check"]
found = possible_images(1, 1, 10), possible_images(2, 3, 10)
assert not np.isclose(found[1], 4), "a pixel has one value per channel: how many values does the whole image have?"
assert not np.isclose(found[1], np.log10(120)), "the values are chosen independently: multiply their numbers of levels"
assert np.allclose(found, [1, 12]), f"1×1×1 and 2×2×3 values: expected 1 and 12, got {found[0]:g} and {found[1]:g}"
try:
    exponent = possible_images(32, 3, 256)
except (TypeError, OverflowError):
    exponent = np.inf
assert np.isfinite(exponent), "the number itself is too large for NumPy: use log(aᵇ) = b·log(a), or math.log10"
print(f"There are 10^{exponent:.0f} images, and the training images cover practically none of this space. Learning")
print("works because real images are a tiny, regular part of it. An adversarial example may lie outside this part.")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Predict, then compute: the best of a thousand.** A thousand "networks" guess at random, all on the same 500
# images. What accuracy does the best of them reach on these images, and what accuracy does the same network reach on
# new images? Enter your prediction, then write `best_of_many(guesses, labels, chosen_on)`, which returns both
# accuracies. The array `guesses` holds predicted classes and has the shape (networks, images); the best network is the
# one with the highest accuracy on the first `chosen_on` images.

# %% tags=["homework"]
my_prediction = 10.0, 10.0  # percent: on the images it was chosen by, on new images


# %% tags=["homework", "solution"]
def best_of_many(guesses, labels, chosen_on):
    """The accuracies, in [0, 1], of the network that is best on the first `chosen_on` images: there and elsewhere."""
    correct = guesses == labels
    best = correct[:, :chosen_on].mean(axis=1).argmax()
    return correct[best, :chosen_on].mean(), correct[best, chosen_on:].mean()


# %% tags=["homework", "check"]
tiny = np.array([[1, 1, 1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1, 0, 0]])  # the labels are 1
on_chosen, on_new = best_of_many(tiny, np.ones(8, int), 4)
assert on_chosen <= 1, "return fractions from 0 to 1, not percent"
assert on_chosen != 0.5, "this is the accuracy of the average network: take the maximum over networks, not the mean"
assert on_chosen == 0.75, "choose the network that is best on the first `chosen_on` images, and on these alone"
assert on_new != 1, "on new images, use the network that was chosen before; do not choose again"
assert on_new == 0.25, f"expected 0.25, got {on_new}: the first `chosen_on` images are not new; leave them out"
guesses = np.random.default_rng(0).integers(10, size=(1000, len(dataset.y_test)), dtype=np.uint8)
on_chosen, on_new = best_of_many(guesses, dataset.y_test, 500)
print(f"best of 1,000 on the 500 images: {on_chosen:.1%} (predicted: {my_prediction[0]:.1f}%)")
print(f"the same one on new images:      {on_new:.1%} (predicted: {my_prediction[1]:.1f}%)")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# The best guesser knows nothing: its accuracy exceeds chance level only because we chose it afterwards. Choosing among
# real networks by their test accuracy has the same effect, though a smaller one.
#
# **3. How far do averages get you?** Write `nearest_mean(train_images, train_labels, images)`, which averages all
# training images of each class into one mean image and predicts, for each image, the class whose mean image is nearest.
# Between chance level and the accuracy of the network, where do you expect its accuracy to lie?


# %% tags=["homework", "solution"]
def nearest_mean(train_images, train_labels, images):
    """For each image (n, 32, 32, 3), uint8, the class whose mean training image is nearest, integers (n,)."""
    means = np.array([train_images[train_labels == label].mean(axis=0).ravel() for label in range(10)])
    flat = images.reshape(len(images), -1).astype(float)  # uint8 would wrap around below zero
    # ‖x − m‖² = ‖x‖² − 2 x·m + ‖m‖², and ‖x‖² is the same for all classes.
    return ((means**2).sum(axis=1) - 2 * flat @ means.T).argmin(axis=1)


# %% tags=["homework", "check"]
plain = np.arange(10, dtype=np.uint8).repeat(2) * 20  # two plain images per class, each class brighter than the last
plain = np.broadcast_to(plain[:, None, None, None], (20, 32, 32, 3))
found = nearest_mean(plain, np.arange(20) // 2, plain[::2] + np.uint8(5))
assert found[0] != 9, "this is the farthest mean image; take the smallest distance"
assert (found == np.arange(10)).all(), f"expected classes 0 to 9, got {found}: are differences computed in uint8?"
predicted = nearest_mean(dataset.x_train, dataset.y_train, shown)
network_accuracy = (probability.argmax(axis=1) == labels).mean()
print(f"nearest mean image: {(predicted == labels).mean():.1%}; the network: {network_accuracy:.1%}; chance level: 10%")
for label, name in enumerate(names):
    print(f"{name:10} correct {(predicted == label)[labels == label].mean():4.0%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. Have the test images been seen before?** Write `thumbnails(images)`, which describes each image by 192 numbers,
# in any order: the means of its 8×8 blocks of 4×4 pixels in each channel. So that brightness and contrast do not count,
# it subtracts the mean of all 192 numbers from each of them, then scales the vector to length 1. The last cell finds,
# for each test image, the training image with the largest scalar product. What do pairs above 0.97 mean for a reported
# accuracy?


# %% tags=["homework", "solution"]
def thumbnails(images):
    """Images (n, 32, 32, 3) as float32 vectors (n, 192) of mean 0 and length 1."""
    small = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4), dtype=np.float32).reshape(len(images), -1)
    small = small - small.mean(axis=1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


# %% tags=["homework", "check"]
vectors, spot = thumbnails(shown[:50]), np.zeros((1, 32, 32, 3), np.uint8)
spot[0, 4:8, :4, 0] = 255  # red in one block: one of the 192 numbers differs from all others
largest = thumbnails(spot).max()
assert vectors.shape == (50, 192), f"expected shape (50, 192), got {vectors.shape}: 8 × 8 blocks of three channels"
assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4), "the length is not 1: divide each row by its norm"
assert np.allclose(vectors, thumbnails(shown[:50] / 2 + 100.0), atol=1e-3), "subtract each image's own mean first"
assert largest > 0.9, "take each mean over 4×4 neighbouring pixels of one channel"
assert np.isclose(largest, (191 / 192) ** 0.5, atol=1e-3), "subtract one mean of all 192 numbers, not one per channel"
print("thumbnails: correct")

# %% tags=["homework"]
known, twin, similarity = thumbnails(dataset.x_train), [], []
for part in np.array_split(thumbnails(shown), 20):  # part by part, to save memory
    cosine = part @ known.T
    twin.extend(cosine.argmax(axis=1))
    similarity.extend(cosine.max(axis=1))
for i in np.argsort(similarity)[:-9:-1]:
    where = f"test {i:4} {names[labels[i]]:10}  training {twin[i]:5} {names[dataset.y_train[twin[i]]]:10}"
    print(f"{where}  {similarity[i]:.3f}")
print(f"above 0.97: {(np.array(similarity) > 0.97).sum()} of {len(shown):,}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# In CIFAR-10, most of the closest pairs are the same photograph, cropped or coloured differently, or two photographs of
# one scene; look at some of them with `figures.labelled_images`. A network may have memorised such an image, so its
# test accuracy is slightly too high. Of all 10,000 test images, 3.3% have such a near-duplicate in the training set
# ([Barz and Denzler 2020](https://arxiv.org/abs/1902.00423)). In the sketches, a high similarity means similar colours
# and nothing more.
#
# Next: [02-architecture](02-architecture.ipynb)

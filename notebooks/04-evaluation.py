# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 04 · How good is the network?
#
# **The question:** what does a single accuracy leave out?
#
# Afterwards, you can
#
# - put a confidence interval around an accuracy,
# - compare two networks on the same images,
# - read a confusion matrix.
#
# **Before this:** [03-training](03-training.ipynb). **Time:** 7 minutes.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: an accuracy does not tell you how much of it is due to chance, or which errors the network makes. A common
# wrong answer is "more test images make the network better". They only make the estimate more precise.
#
# **They will ask:** *Why not judge the network by its loss?* The loss also depends on how confident each prediction is.
# Training reduces the loss, but a user wants correct predictions. Calibration, in the optional part, asks whether the
# confidence matches the accuracy. Source: Guo et al., *On Calibration of Modern Neural Networks*, 2017,
# arXiv:1706.04599.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import data, evaluation, figures, runs

dataset = data.load()
labels, names, shown = dataset.y_test, data.CLASS_NAMES, slice(data.ORIGINAL_TEST_IMAGES)
print(f"{dataset.source}; {len(labels):,} test images, none of them used for training")
logits = evaluation.logits(runs.load("vgg3", dataset.name).model, dataset.x_test)
print("vgg3 has classified them; next is fast, the network with which we compare it")
other = evaluation.predictions(runs.load("fast", dataset.name).model, dataset.x_test)
probability = evaluation.softmax(logits)
predicted = probability.argmax(axis=1)
correct = predicted == labels

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## How precise is an accuracy?
#
# The test images are a sample. For $n$ independent images, an accuracy $a$ has the standard deviation
# $\sqrt{a(1-a)/n}$. The interval $a$ ± 1.96 standard deviations is a **95% confidence interval**: in about 95 of
# 100 such experiments, it contains the true accuracy.

# %% tags=["core"]
counted = [("the slides (CIFAR-10)", round(10_000 * runs.SLIDES["test"]), 10_000)]
counted += [(f"vgg3 on {len(labels):,} test images", correct.sum(), len(labels))]
if len(labels) > len(labels[shown]):
    counted += [(f"vgg3 on the first {len(labels[shown]):,}", correct[shown].sum(), len(labels[shown]))]
rows = [(name, count / n, *evaluation.wilson_interval(count, n)) for name, count, n in counted]
figures.show(
    figures.intervals(rows),
    f"Test accuracies (ours on {dataset.title}) with 95% confidence intervals by Wilson's formula, which also holds "
    "for few images and near 100%: "
    + "; ".join(f"{name}, {100 * low:.1f} to {100 * high:.1f}%" for name, _, low, high in rows)
    + ".",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: four times as many images halve the interval. With 10,000 images and an accuracy near 80%, it is about ±0.8
# points. A common wrong guess is ±0.1, because 10,000 feels like a lot.
#
# **They will ask:** *What does the interval leave out?* It leaves out other training runs of the same recipe and images
# from other sources. Both change the accuracy as well: 03 trains `airbench` with three seeds, and Recht et al. (2019,
# arXiv:1902.10811) collected new images.
#
# **They will ask:** *Why Wilson's interval?* The simple one, ±1.96 standard deviations, is nearly the same here, but
# for 7 of 8 images it would reach beyond 100%. Source: Wilson, *Probable Inference, the Law of Succession, and
# Statistical Inference*, 1927.
#
# On CIFAR-10, the figure shows the first 1,017 images separately because, in the copy that we used, only these test
# images have their original pixels. The others went through JPEG compression once, which may lower the accuracy on
# them.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# ## Two networks on the same images
#
# Two accuracies on the same images are **paired**: only images on which exactly one network is correct tell the two
# apart. **McNemar's test** gives the probability p of so large a difference by chance alone.

# %% tags=["core"]
compared = evaluation.paired_comparison(correct, other == labels)
unpaired = np.hypot(*(evaluation.ci_half_width(np.mean(hits), len(labels)) for hits in (correct, other == labels)))
print(f"only vgg3 correct: {compared.only_first:,} images; only fast correct: {compared.only_second:,}")
print(f"vgg3 − fast: {100 * compared.difference:+.2f} ± {100 * compared.half_width:.2f} points, as paired results")
print(f"             {100 * compared.difference:+.2f} ± {100 * unpaired:.2f} points, if treated as unpaired")
verdict = "more than chance explains" if compared.p_value < 0.05 else "no more than chance may explain"
print(f"McNemar's test, p = {compared.p_value:.2g}: for these two trained networks, the difference is {verdict}")

# %% tags=["core"] slideshow={"slide_type": "skip"}
assert compared.half_width < unpaired, "pairing must make the interval narrower"

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: images that both networks get right, or both get wrong, say nothing about which of them is better. The
# errors of the two networks are correlated, so the paired interval is narrower. `fast` is another network with a
# shorter recipe, which an optional section of 03 explains.
#
# **They will ask:** *Does this show that one recipe is better?* No. It compares two sets of weights. To compare
# recipes, repeat the training with several seeds (02). Source: McNemar, *Note on the Sampling Error of the Difference
# Between Correlated Proportions or Percentages*, 1947; Dietterich, *Approximate Statistical Tests for Comparing
# Supervised Classification Learning Algorithms*, 1998, separates the two questions.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## Which errors?
#
# **Your bet:** which class is most often mistaken for which other class?

# %% tags=["core", "bet"]
my_bet = ("airplane", "ship")  # true class, predicted class

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
matrix = evaluation.confusion_matrix(labels, predicted)
pairs = [(names[t], names[p], count) for t, p, count in evaluation.most_confused_pairs(matrix, 90)]
vehicle = np.isin(names, ["airplane", "automobile", "ship", "truck"])
same_kind = (vehicle[:, None] == vehicle) & ~np.eye(10, dtype=bool)
within, by_chance = matrix[same_kind].sum() / (~correct).sum(), same_kind.sum() / 90
top = " and ".join(f"{true} → {other}" for true, other, count in pairs if count == pairs[0][2])
figures.show(
    figures.confusion(matrix, names),
    f"Predictions of vgg3. Most frequent error: {top}, {pairs[0][2]} of {matrix[0].sum():,} images. Of all errors, "
    f"{within:.0%} confuse two animals or two vehicles; if errors were spread evenly, {by_chance:.0%} would.",
)

# %% [markdown] tags=["core", "reveal"] slideshow={"slide_type": "fragment"}
# A row of this **confusion matrix** shows how the images of one class are predicted. The errors are plausible: most
# confuse two animals or two vehicles.

# %% tags=["core"] slideshow={"slide_type": "skip"}
assert within > max(0.5, by_chance), "errors are not plausible in this sense"

# %% tags=["core", "bet"]
place = next(number for number, pair in enumerate(pairs, start=1) if pair[:2] == my_bet)
print(f"your bet, {my_bet[0]} → {my_bet[1]}: number {place} of {len(pairs)}, with {pairs[place - 1][2]} errors")
print("the five most frequent: " + ", ".join(f"{true} → {other} {count}" for true, other, count in pairs[:5]))

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a network confuses what people would confuse. Collect bets by a show of hands before you show the matrix.
# On CIFAR-10, most people say cat and dog. The shade of a cell is proportional to the square root of its percentage, so
# that small percentages remain visible; all confusion matrices of the series use the same scale.
#
# **They will ask:** *Is the matrix symmetric?* No. On CIFAR-10, compare airplane → ship with ship → airplane, or horse
# → dog with dog → horse: a network may favour one of two similar classes.
#
# **They will ask:** *What are precision and recall?* The diagonal shows the recall of each class; the optional part
# explains both.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The most confident errors

# %% tags=["core"]
first_labels, first_probability = labels[shown], probability[shown]
confident = evaluation.most_confident_errors(first_probability, first_labels, 5)
captions = [f"{names[predicted[i]]} {probability[i].max():.1%}\nlabel: {names[labels[i]]}" for i in confident]
lowest = np.floor(1000 * probability[confident].max(axis=1).min()) / 10
figures.show(
    figures.labelled_images(dataset.x_test[confident], captions),
    f"The five wrong predictions with the highest probability among test images 0–{len(first_labels) - 1}. "
    f"Each has a probability of at least {lowest:.1f}%.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# A high probability guarantees nothing: the network must distribute 100% over ten classes, whatever the image shows. Labels
# can be wrong, too: of 275 suspicious test images of CIFAR-10, [54 had wrong labels](https://arxiv.org/abs/2103.14749),
# a lower bound for all 10,000.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: "I do not know" is not among the ten classes. In 05, we make a network err on purpose, often with high
# confidence. Let the class judge two images: is the label wrong, the image ambiguous, or the network wrong?
#
# **They will ask:** *So can no network reach 100%?* A network could do so by reproducing wrong labels, but it should
# not: at least half a percent of the labels are wrong. An algorithm had selected those 275 images as suspicious; the
# study did not check the other 9,725. Source: Northcutt, Athalye and Mueller, *Pervasive Label Errors in Test Sets*,
# 2021, arXiv:2103.14749. In the sketches, every label is correct, because the program that drew the image also wrote
# its label.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - Every accuracy has a **confidence interval**; four times as many images halve it.
# - Results on the same images are **paired**.
# - The **confusion matrix** shows which errors occur; here, most are plausible,
#   and some are confident.
#
# Next: make the network err on purpose. [05-fgsm](05-fgsm.ipynb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Repeat the point: report no accuracy without an interval, and do not trust a probability alone.
#
# **They will ask:** *Which accuracy should we report, then?* Report the accuracy on the test set, measured once, with
# its interval and the number of training runs. Source: Bouthillier et al., *Accounting for Variance in Machine Learning
# Benchmarks*, 2021, arXiv:2103.03098.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: precision and recall
#
# - **Recall** of a class: of the images *of* that class, the fraction that are predicted as such (along the row).
# - **Precision** of a class: of the images *predicted as* that class, the fraction that belong to it (along the
#   column).

# %% tags=["optional"] slideshow={"slide_type": "skip"}
precision, recall = evaluation.precision_and_recall(matrix)
said = []
for measure, values in (("Recall", recall), ("Precision", precision)):
    where = [" and ".join(np.array(names)[values == extreme]) for extreme in (values.min(), values.max())]
    said.append(
        f"{measure} is lowest for {where[0]} ({values.min():.0%}) and highest for {where[1]} ({values.max():.0%})."
    )
figures.show(
    figures.precision_recall(precision, recall, names), " ".join(["Precision and recall of each class.", *said])
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# With balanced classes, the accuracy is the mean recall. If a class has a higher precision than recall, the network
# predicts it too rarely; if its recall is higher, the network predicts it too often.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: calibration, or does 80% mean 80%?
#
# The **confidence** of a prediction is the probability of the predicted class. A network is **calibrated** if, of all
# predictions with a confidence of 80%, 80% are correct, and likewise for every other confidence. A **reliability
# diagram** sorts the predictions into ten bins by their confidence and plots the accuracy in each bin against the mean
# confidence. The **expected calibration error (ECE)** is the mean absolute difference between the two, with each bin
# weighted by the number of its predictions.
#
# **Temperature scaling** divides the logits by a temperature T before the softmax. A temperature above 1 makes a
# network less confident, and one below 1 more confident; the predicted classes do not change. The temperature is fitted
# on validation images. This network was trained on all training images, so none of them is new to it. We therefore use
# half of the test images as a validation set for T, and evaluate on the other half.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
validation, rest = np.array_split(np.random.default_rng(0).permutation(len(labels)), 2)
temperature = evaluation.fit_temperature(logits[validation], labels[validation])
panels = {
    f"T = {t:.2f}": evaluation.calibration(evaluation.softmax(logits[rest] / t), labels[rest]) for t in (1, temperature)
}
gap = 100 * (probability[rest].max(axis=1).mean() - correct[rest].mean())
errors = [100 * panel[3] for panel in panels.values()]
figures.show(
    figures.reliability_diagram(panels),
    f"Reliability diagrams on {len(rest):,} test images; larger dots are bins with more predictions. At T = 1, the "
    f"mean confidence is {abs(gap):.1f} points {'above' if gap > 0 else 'below'} the accuracy: the network is "
    f"{'over' if gap > 0 else 'under'}confident. Temperature scaling with T = {temperature:.2f} reduces the expected "
    f"calibration error from {errors[0]:.1f} to {errors[1]:.1f} points.",
)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
assert (gap > 0) == (temperature > 1) and errors[1] < errors[0]
reasons = {
    True: "vgg3 was trained so long that the probabilities on its training images are close to 1",
    False: "vgg3 was trained with dropout, and not for long, which keeps probabilities away from 1",
}
print(f"A likely reason: {reasons[bool(gap > 0)]}.")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Source: Guo et al., [*On Calibration of Modern Neural Networks*](https://arxiv.org/abs/1706.04599), 2017. Guo et al.
# found that large networks are overconfident and that a single temperature works as well as more complicated remedies.
# The ECE depends on the choice of bins, and accuracies in bins with few predictions are imprecise.

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# In each exercise, write the function, then run the cell below it, which checks your function and gives a hint if
# something is wrong.
#
# **1. Animal or vehicle?** Compute from a confusion matrix how often the predicted class is at least of the correct
# kind, animal or vehicle. The boolean array `vehicle` marks the vehicles among the classes. Write
# `kind_accuracy(matrix, vehicle)`, which returns the fraction of images whose predicted class is of the same kind as
# the true class.


# %% tags=["homework", "solution"]
def kind_accuracy(matrix, vehicle):
    """The fraction of images whose predicted class is of the same kind as the true class."""
    return matrix[vehicle[:, None] == vehicle].sum() / matrix.sum()


# %% tags=["homework", "check"]
small = np.array([[5, 3, 2], [1, 8, 1], [0, 2, 8]])
found = kind_accuracy(small, np.array([True, True, False]))
assert not np.isclose(found, 21 / 30), "this is the accuracy: count correct kinds, not only correct classes"
assert not np.isclose(found, 4 / 30), "correct predictions are of the correct kind, too: include the diagonal"
assert not np.isclose(found, 17 / 30), "include both kinds: animals predicted as animals count as well"
assert np.isclose(found, 25 / 30), f"for the small matrix 25 of 30 images have the correct kind, got {found:.3f}"
print(f"correct kind: {kind_accuracy(matrix, vehicle):.1%}; correct class: {correct.mean():.1%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Predict, then compute: refuse when in doubt.** Let the network refuse to predict if its confidence, the
# probability of the predicted class, is below a threshold. What accuracy does vgg3 reach on the remaining images at a
# threshold of 90%? Enter your prediction, then write `selective(probability, labels, threshold)`, which returns the
# fraction of images that remain and the accuracy on them.

# %% tags=["homework"]
my_prediction = 90.0  # percent


# %% tags=["homework", "solution"]
def selective(probability, labels, threshold):
    """The fraction of images with a confidence of at least `threshold`, and the accuracy on them."""
    kept = probability.max(axis=1) >= threshold
    return kept.mean(), (probability.argmax(axis=1) == labels)[kept].mean()


# %% tags=["homework", "check"]
small = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.95, 0.05]])
coverage, accuracy = selective(small, np.array([0, 1, 0, 1]), 0.75)
assert not np.isclose(coverage, 0.5), "the confidence is the largest probability, not that of the true class"
assert np.isclose(coverage, 0.75), f"three of four predictions have a confidence of at least 75%, got {coverage:.2f}"
assert not np.isclose(accuracy, 0.5), "divide by the images that remain, not by all"
assert np.isclose(accuracy, 2 / 3), f"two of the three predictions that remain are correct, got {accuracy:.2f}"
for threshold in (0, 0.5, 0.8, 0.9, 0.99):
    coverage, accuracy = selective(probability, labels, threshold)
    print(f"threshold {threshold:4.0%}: classifies {coverage:4.0%} of the images, with an accuracy of {accuracy:.1%}")
print(f"predicted for 90%: {my_prediction:.1f}%")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# Refusing helps against ordinary errors. Before you rely on it, read [05-fgsm](05-fgsm.ipynb): a network is often
# confident about adversarial examples.
#
# **3. How many images?** How many test images do you need for a 95% confidence interval of a given half-width at a
# given accuracy? The half-width is two standard deviations (more precisely, 1.96). Write `images_needed(accuracy,
# half_width)`. Both arguments are fractions: a half-width of 0.1 points is 0.001.


# %% tags=["homework", "solution"]
def images_needed(accuracy, half_width):
    """The number of test images for a 95% confidence interval of accuracy ± half_width."""
    return 1.96**2 * accuracy * (1 - accuracy) / half_width**2


# %% tags=["homework", "check"]
found = images_needed(0.5, 0.1)
assert not np.isclose(found, 25, rtol=0.05), "one standard deviation covers only 68%: the half-width is two of them"
assert not np.isclose(found, 10, rtol=0.05), "the half-width shrinks with the square root of n: solve for n by squaring"
assert 95 < found < 102, f"0.5 ± 0.1 needs 96 images with 1.96 standard deviations, or 100 with 2; got {found}"
needed = images_needed(correct.mean(), 0.001)
print(f"An interval of ±0.1 points at an accuracy of {correct.mean():.1%} needs about {needed:,.0f} images.")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. An interval without a formula.** The *bootstrap* draws n of the n test images at random, with replacement,
# computes the accuracy on this sample, and repeats both steps many times. The middle 95% of these accuracies form the
# interval. Write `bootstrap_interval(correct, repeats, seed)`, which returns this interval. Does it agree with
# Wilson's?


# %% tags=["homework", "solution"]
def bootstrap_interval(correct, repeats, seed):
    """The 95% interval (low, high) of the mean of `correct`, booleans (n,), from `repeats` samples."""
    rng = np.random.default_rng(seed)
    means = [correct[rng.integers(len(correct), size=len(correct))].mean() for _ in range(repeats)]
    return np.quantile(means, (0.025, 0.975))


# %% tags=["homework", "check"]
sample = np.arange(1000) % 5 > 0  # 80% are correct
found, wilson = bootstrap_interval(sample, 1000, seed=0), evaluation.wilson_interval(800, 1000)
width = (found[1] - found[0]) / (wilson[1] - wilson[0])
assert width > 0.1, "all samples agree: draw with replacement, otherwise each sample is the whole set"
assert not 0.78 < width < 0.89, "this covers 90%: the middle 95% lie between the quantiles 0.025 and 0.975"
assert 0.9 < width < 1.1, f"the interval is {width:.2f} times as wide as Wilson's: does each sample have n images?"
for name, (low_end, high_end) in {
    "bootstrap": bootstrap_interval(correct, 1000, seed=0),
    "Wilson": evaluation.wilson_interval(correct.sum(), len(correct)),
}.items():
    print(f"{name:9} {low_end:.2%} to {high_end:.2%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# Next: [05-fgsm](05-fgsm.ipynb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 04 · How good is it, and how sure can we be?
#
# **The question:** the network is right on a certain share of the test images. How sure is that number, and what does
# it hide?
#
# Afterwards you can
#
# - put an interval around an accuracy,
# - read a confusion matrix, and say what precision and recall of a class are,
# - look at the surest mistakes, and judge whether the network or the label is to blame.
#
# **Before this:** [03-training](03-training.ipynb). **Time:** 7 minutes for the core. Running everything takes half a
# minute and less than 1.5 GB.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: one number hides two things, how far chance moves it and which mistakes it is made of. Common wrong answer:
# "more test images make the network better". They only make the number surer. Short of time: skip to the confusion
# matrix.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import data, evaluation, figures, runs

dataset = data.load()
run = runs.load("vgg3", dataset.name)
labels, names = dataset.y_test, data.CLASS_NAMES
probability = evaluation.probabilities(run.model, dataset.x_test)
answers = probability.argmax(axis=1)
print(f"{dataset.name}: {dataset.source}")
print(f"network: the recorded run of 03-training, judged on {len(labels):,} test images it has never seen")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## How sure is an accuracy?
#
# The test images are a sample. With other test images the same network would get another accuracy. If n images are
# independent and a share a of them is right, then a spreads around the true accuracy with standard deviation
# √(a(1−a)/n), and
#
# $$a \pm 1.96 \sqrt{\frac{a\,(1-a)}{n}}$$
#
# covers the true accuracy in 95 of 100 repetitions.
#
# **Predict:** how wide is that for the slides' 82.72% on 10,000 images: ±0.07, ±0.7 or ±7 points?

# %% tags=["core"]
right = answers == labels
shown = data.ORIGINAL_TEST_IMAGES
rows = [
    ("the slides", runs.SLIDES["test"], 10_000),
    (f"ours, {len(labels):,} {dataset.name} images", right.mean(), len(labels)),
]
if len(labels) > shown:
    rows.append((f"ours, the first {shown:,} of them", right[:shown].mean(), shown))
rows = [(name, share, evaluation.ci_half_width(share, count)) for name, share, count in rows]
figures.show(
    figures.intervals(rows),
    "Test accuracies with 95% intervals: "
    + "; ".join(f"{name} {share:.1%} ± {100 * margin:.1f} points" for name, share, margin in rows)
    + ". Ten times fewer images make the interval about three times as wide.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: four times as many images halve the interval. Two results on 10,000 images that differ by less than about one point
# cannot be told apart by these images alone, and a difference of 0.1 points is nothing to write about.
#
# Not in the interval: another training of the same network, and images from another camera. Both move the number too.
#
# Common wrong answer: ±0.07, because 10,000 feels like a lot.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Which mistakes?
#
# **Guess first:** which class is most often taken for which other class?

# %% tags=["core"]
my_bet = ("airplane", "ship")  # true class, the network's answer

# %% tags=["core"]
matrix = evaluation.confusion_matrix(labels, answers)
pairs = [(names[t], names[p], count) for t, p, count in evaluation.most_confused_pairs(matrix, 90)]
worst = pairs[0]
figures.show(
    figures.confusion(matrix, names),
    f"Confusion matrix in percent of each true class. The most frequent mistake: {worst[2]} of "
    f"{matrix[names.index(worst[0])].sum():,} images of class {worst[0]} are called {worst[1]}.",
)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
for place, (true, answer, count) in enumerate(pairs[:5], start=1):
    print(f"{place}. {true} → {answer}: {count}")
place = next(number for number, pair in enumerate(pairs, start=1) if pair[:2] == my_bet)
print(f"your bet, {my_bet[0]} → {my_bet[1]}, is number {place} of {len(pairs)} with {pairs[place - 1][2]} mistakes")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Read a **row** to see what becomes of the images of a class, a **column** to see what hides behind an answer. Dark
# fields come in mirror pairs: what looks alike is confused both ways. The mistakes have sense: four-legged animals are
# taken for each other, and so are things with wheels.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Collect bets by a show of hands before the figure comes. Nearly everybody finds the worst pair on CIFAR-10, which is
# itself a finding: the network's mistakes resemble ours.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Precision and recall
#
# - **Recall** of a class: of the images *of* that class, the share that is found (along the row).
# - **Precision** of a class: of the images *called* that class, the share that is of it (along the column).

# %% tags=["core"]
precision, recall = evaluation.precision_and_recall(matrix)
low, high = int(recall.argmin()), int(recall.argmax())
figures.show(
    figures.precision_recall(precision, recall, names),
    f"Precision and recall of each class. Recall is lowest for {names[low]} ({recall[low]:.0%}) and highest for "
    f"{names[high]} ({recall[high]:.0%}); the precision of {names[low]} is {precision[low]:.0%}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# One accuracy is the mean over classes that differ by many points. Where precision is above recall, the network is
# shy of that answer; where it is below, it gives that answer too freely.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the two questions divide by different totals, the row's and the column's. Common wrong answer: that the class
# with the lowest recall also has the lowest precision. Look for the classes where the two are far apart. Skip this slide
# first when short of time.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The surest mistakes
#
# You met these pictures in [01-data](01-data.ipynb), where the question was about their labels. Now look at the other
# side: how sure the network is of answers that are wrong.

# %% tags=["core"]
first = slice(0, shown)
surest = evaluation.most_confident_errors(probability[first], labels[first], 12)
captions = [f"{names[answers[i]]} {probability[i].max():.0%}\ntrue: {names[labels[i]]}" for i in surest]
figures.show(
    figures.labelled_images(dataset.x_test[surest], captions),
    f"The twelve wrong answers with the highest probability among the first {len(labels[first]):,} test images: each "
    f"was given with at least {probability[surest].max(axis=1).min():.1%}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a high probability is no proof. The network has to divide 100% among ten classes, whatever it is shown;
# "I do not know" is not among them. This prepares 05, where a wrong answer is produced on purpose, and is often as sure.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Calibration: does 80% mean 80%?
#
# Sort the answers by their probability into ten bins and compare, in each bin, the mean probability with the share that is
# right. A network whose dots lie on the dashed line is *calibrated*. Below the line it is too sure of itself.

# %% tags=["optional"]
confidence, share, count, error = evaluation.calibration(probability, labels)
figures.show(
    figures.reliability_diagram(confidence, share, count, error),
    f"Share of right answers against the probability given, in ten bins; larger dots hold more answers. "
    f"{count[-1] / count.sum():.0%} of all answers are given with over 90%; of these {share[-1]:.0%} are right, while "
    f"their mean probability is {confidence[-1]:.0%}.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Training pushed the loss on the training images towards zero, which only probabilities near 1 can do. The network
# took the habit along to images that it does not know as well. Source: Guo et al., *On Calibration of Modern Neural
# Networks*, 2017.

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Each solution is in the collapsed cell below its exercise.
#
# **1. Animal or vehicle?** Use the confusion matrix to compute how often the network at least tells animals from vehicles.

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
vehicle = np.isin(names, ["airplane", "automobile", "ship", "truck"])
same_kind = vehicle[:, None] == vehicle[None, :]
print(f"right kind: {matrix[same_kind].sum() / matrix.sum():.1%}; right class: {np.trace(matrix) / matrix.sum():.1%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. How many images?** How many test images does an interval of ±0.1 points need at this accuracy?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
a = right.mean()
needed = 1.96**2 * a * (1 - a) / 0.001**2
print(f"about {needed:,.0f} images")
assert abs(evaluation.ci_half_width(a, int(needed)) - 0.001) < 1e-6

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Refuse when in doubt.** Let the network refuse to answer when its probability is below a threshold. How right is it
# on the rest, and how many answers are left, for thresholds from 0.5 to 0.99?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
top = probability.max(axis=1)
for threshold in (0, 0.5, 0.8, 0.9, 0.99):
    kept = top >= threshold
    print(f"threshold {threshold:4.0%}: answers {kept.mean():4.0%} of the images, {right[kept].mean():.1%} rightly")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. Cool the network down.** Divide the logits by a temperature T before the softmax. Find the T with the lowest
# cross-entropy on the first half of the test images, and the calibration error on the second half before and after. Does the
# accuracy change? Why is T not chosen on all of them?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
logits, half = evaluation.logits(run.model, dataset.x_test), len(labels) // 2


def cross_entropy(temperature):
    cooled = evaluation.softmax(logits[:half] / temperature)
    return -np.log(cooled[np.arange(half), labels[:half]] + 1e-30).mean()


best = min(np.arange(0.5, 5, 0.05), key=cross_entropy)
for temperature in (1, best):
    error = evaluation.calibration(evaluation.softmax(logits[half:] / temperature), labels[half:])[3]
    print(f"T = {temperature:.2f}: calibration error {100 * error:.1f} points on the second half")
print("the largest logit stays the largest: the accuracy does not change; choosing and judging need different images")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **An interval** belongs to every accuracy: ±1.96 √(a(1−a)/n), about ±0.7 points for 10,000 images.
# - **The confusion matrix** shows which mistakes are made; **recall** reads a row, **precision** a column.
# - **The surest mistakes** are given with as much confidence as right answers: a probability is not a proof.
#
# Next: make the network err on purpose. [05-fgsm](05-fgsm.ipynb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point to repeat: no accuracy without an interval, and no trust in a probability alone. Ask for one thing that this
# accuracy does not say: which classes, how sure, on which pictures. Then go on to the attack.
#
# </details>

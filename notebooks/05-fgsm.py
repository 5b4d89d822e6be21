# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 05 · Fooling the network: the Fast Gradient Sign Method
#
# **The question:** how little must a picture change before the network gives a wrong answer?
#
# Afterwards you can
#
# - write down the Fast Gradient Sign Method (FGSM) and say what every symbol means,
# - explain why it uses the *sign* of the gradient, and why random noise of the same size does so much less,
# - show original, perturbation and adversarial image with the answers before and after,
# - name the mistakes that turn an attack into nonsense.
#
# **Before this:** [04-evaluation](04-evaluation.ipynb), which says how often the network is right on untouched
# pictures. **Time:** 19 minutes for the core. Running everything takes about a minute and less than 1.5 GB.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a network can be right on most pictures, and wrong on others that look the same to you. Put the question
# to the class before you go on. Common wrong answer: "as much as it takes to fool me". Short of time: the sliders,
# "Why the sign?" and accuracy against ε must stay.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import warnings

import numpy as np

from helpers import attacks, data, evaluation, figures, robustness, runs
from helpers.explorer import FgsmExplorer
from helpers.photographs import photograph

dataset = data.load()
shown = data.ORIGINAL_TEST_IMAGES
model = runs.load("vgg3", dataset.name).model
images, labels = data.to_float(dataset.x_test[:shown]), dataset.y_test[:shown]
picture = slice(figures.RUNNING_IMAGE, figures.RUNNING_IMAGE + 1)
print(f"{dataset.name}: {dataset.source}")
print(f"network: the recorded run of 03-training; {len(images):,} test images are attacked here")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## One photograph, one flip
#
# Move **ε** and watch the answer. ε is the most that any pixel value may change, on the scale from 0 to 1:
# 8/255 means eight of 255 grey levels.
#
# Before you touch the slider, bet: from which ε on is *your* eye sure that something is wrong with the picture?

# %% tags=["core"]
explorer = FgsmExplorer(model, dataset.x_test[:shown], labels)
explorer.image.value = figures.RUNNING_IMAGE
explorer

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the answer changes long before the eye objects. Use the arrow keys on the ε slider, one grey level a
# press. Then take two or three other images, among them one that holds out; "next fooled image" finds those that do
# not. "Random signs" shows the control at the same ε. Behind "more": the probabilities against ε, and one class alone.
#
# Common wrong answer: "the picture was bad to begin with". Set ε back to 0.
#
# If the widget does not come up, go on to the next picture: it shows the same, fixed at one ε.
#
# </details>

# %% tags=["core"] slideshow={"slide_type": "subslide"}
epsilon = 8 / 255
adversarial = attacks.fgsm(model, images[picture], labels[picture], epsilon)
before, after = (evaluation.probabilities(model, x)[0] for x in (images[picture], adversarial))
true = labels[figures.RUNNING_IMAGE]

figure = figures.adversarial_example(
    images[picture][0], adversarial[0], before, after, true, data.CLASS_NAMES, epsilon
)
figures.show(
    figure,
    f"A test image of class {data.CLASS_NAMES[true]}, changed by at most 8 of 255 grey levels: the network's answer "
    f"goes from {data.CLASS_NAMES[before.argmax()]} ({before.max():.0%}) to {data.CLASS_NAMES[after.argmax()]} "
    f"({after.max():.0%}). The perturbation in the middle is centred on grey and made 16 times stronger to be seen.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# The middle picture cannot be shown as it is: half of its values are negative, and all of them are tiny. So it is
# shown as 0.5 + δ/(2ε): grey means "unchanged", and the strength of the magnification stands in the title.

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The rules of the game
#
# An attack means nothing until you say what the attacker may do. This is our **threat model**:
#
# | | |
# | --- | --- |
# | goal | any wrong answer (*untargeted*) |
# | knowledge | everything: architecture, weights, gradients (*white box*) |
# | power | each of the 3,072 pixel values may move by at most ε, and must stay in [0, 1] |
# | time | after training: the network itself is not touched |
#
# The size of a perturbation δ is measured by its largest entry, ‖δ‖∞ = max |δᵢ|. That is a convention, not a law of
# seeing: it is simple, and for small ε it is certain that nobody notices.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Ask: which of these rows would a spam sender or somebody with a sticker on a road sign not fulfil? White box and
# pixel access are generous to the attacker. A defence that fails here may still hold against weaker attackers, but
# nobody should rely on secrecy.
#
# Skip to "Why the sign?" when short of time.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Why the sign?
#
# Training moves the *weights* down the loss. The attack keeps the weights and moves the *picture* up the loss.
# Near the picture x the loss is almost a straight line in every direction:
#
# $$L(x + \delta) \approx L(x) + \sum_{i=1}^{3072} \delta_i \, g_i, \qquad g = \nabla_x L(x)$$
#
# Here L(x) is the loss of the true class, δ the perturbation, and gᵢ the slope of the loss for pixel value i.
#
# Each δᵢ may be anything from −ε to ε. Which choice makes the sum largest?

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Every term can be made largest on its own: take δᵢ = ε where gᵢ is positive and δᵢ = −ε where it is negative. So
#
# $$\delta = \varepsilon \cdot \operatorname{sign}(g), \qquad L(x + \delta) - L(x) \approx \varepsilon \sum_i |g_i| = \varepsilon \lVert g \rVert_1$$
#
# No other perturbation within ±ε gains more. The *size* of gᵢ does not matter for what the best move is: a pixel
# with a tiny slope still helps a tiny bit, at no cost.
#
# With random signs the same 3,072 steps are taken, but they mostly cancel: their sum is about √Σgᵢ² in size, and
# as often down as up.

# %% tags=["core"]
gradient = attacks.input_gradient(model, images[picture], labels[picture].astype(int)).numpy().ravel()
chosen, by_chance = abs(gradient).sum(), np.sqrt((gradient**2).sum())
print(f"slope along the sign of the gradient:   ‖g‖₁ = {chosen:.3g} nats per unit of ε")
print(f"typical slope along random signs:       ‖g‖₂ = {by_chance:.3g} nats per unit of ε, up or down")
print(f"the chosen signs climb {chosen / by_chance:.0f} times faster; √3072 = {3072**0.5:.0f} would be the most")

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: high dimension is what makes this work. 3,072 steps that nobody can see add up when all go the same way.
#
# Common wrong answer: "large gradients matter most, so use the gradient itself". That is the best step for a limit
# on the Euclidean length of δ. For a limit on every single pixel, the sign is.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# The straight line is an approximation. How far does it hold? Look at where the real loss leaves the dashed line, and
# on which side.

# %% tags=["core"]
ray = np.arange(0, 16.5, 0.5, dtype=np.float32) / 255
sign = attacks.gradient_sign(model, images[picture], labels[picture])
control = attacks.random_signs(sign.shape, seed=0)


def losses_along(direction):
    moved = np.concatenate([attacks.perturb(images[picture], direction, e) for e in ray])
    return -np.log(evaluation.probabilities(model, moved)[:, true])


losses = {"chosen": losses_along(sign), "random": losses_along(control)}

# %% tags=["core"]
rays = {
    "along the sign": (losses["chosen"], figures.ORANGE, "-"),
    "straight line\nwith slope ‖g‖₁": (losses["chosen"][0] + ray * chosen, figures.GREY, "--"),
    "random-sign noise": (losses["random"], figures.BLUE, "-"),
}
figures.show(
    figures.loss_along_ray(ray, rays),
    f"The loss of the running photograph against ε. Along the gradient's sign it goes from {losses['chosen'][0]:.2f} "
    f"to {losses['chosen'][-1]:.1f} nats at ε = 16/255; along random signs it ends at {losses['random'][-1]:.2f}. "
    f"The straight line with the slope at ε = 0 reaches {losses['chosen'][0] + ray[-1] * chosen:.1f}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# The line is too modest here. While the network is sure, the loss is nearly flat: it cannot fall below 0. Once the
# answer tips, it climbs steeply. The line's *direction* was right, and that is all that FGSM takes from it.

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The method: one step and one clip
#
# $$x_{\text{adv}} = \operatorname{clip}_{[0,1]}\bigl(x + \varepsilon \cdot \operatorname{sign}(\nabla_x L(x, y))\bigr)$$
#
# | symbol | meaning |
# | --- | --- |
# | x | the image: 32 × 32 × 3 numbers in [0, 1] |
# | y | its true class |
# | L(x, y) | cross-entropy of the network's answer to x, in nats |
# | ∇ₓ | gradient with respect to the *pixels*; the weights stay as they are |
# | sign | −1, 0 or 1 for each pixel value |
# | ε | the step, the largest change of any pixel value: a number in [0, 1], often given as n/255 |
# | clip | values below 0 become 0, values above 1 become 1: the result is a picture again |
#
# Source: Goodfellow, Shlens and Szegedy, *Explaining and Harnessing Adversarial Examples*, 2015. This is the code that
# runs here, all of it but the checks of its arguments:

# %% tags=["core"]
figures.show_source(attacks.input_gradient, attacks.fgsm, attacks.perturb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Point at three things: the tape watches the image, not the weights; `training=False`, so that dropout is off; and ε
# appears once, after the gradient. The sign does not depend on ε, which is why the slider can be so quick.
#
# Our networks end in logits. The softmax of the slides' listing is applied only where a probability is shown; why
# this is safer for an attack comes up below.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Guess the ε
#
# What is the smallest ε, in grey levels of 255, at which the running photograph gets a wrong answer? Write down your bet.

# %% tags=["core"]
my_level = 16  # grey levels of 255

# %% tags=["core"]
greys = np.arange(33)
_, by_grey = attacks.epsilon_sweep(model, images[picture], labels[picture], greys / 255)
wrong = greys[by_grey[:, 0] != true]
found = f"at ε = {wrong[0]}/255, as {data.CLASS_NAMES[by_grey[wrong[0], 0]]}" if wrong.size else "at no ε up to 32/255"
print(f"first wrong {found}; your bet was {my_level}/255")
again = [f"{grey}/255" for grey in greys[wrong[0] :] if grey not in wrong] if wrong.size else []
print("right again at:", ", ".join(again) or "no larger ε")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Mind the second line: a larger ε need not be worse for the network. FGSM takes *one* straight step, and the loss
# does not climb for ever along a straight line. So "never fooled by FGSM" is a weak promise.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the eye's threshold is not the network's. Collect bets, write the smallest and the largest on the board,
# and only then run the cell. Common wrong answer: the ε at which they saw a difference on the slider.
#
# Short of time: skip to "Ten pictures, as on the slides".
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Ten pictures, as on the slides
#
# The slides draw ten test images at random and attack each with ε = 0.1, which is 25.5 grey levels. Three outcomes
# are shown there: a car becomes a truck, a cat becomes a deer, and a frog stays a frog.
#
# Here are ten of ours, drawn without replacement from a seeded generator. How many will be fooled?

# %% tags=["core"]
my_bet = 7  # of ten
ten = np.random.default_rng(7).choice(len(images), size=10, replace=False)
fooled = attacks.fgsm(model, images[ten], labels[ten], 0.1)
answers = {name: evaluation.predictions(model, x) for name, x in (("before", images[ten]), ("after", fooled))}

# %% tags=["core"]
def outcome(true, before, after):
    """Three lines: the true class, the network's answer before, and after."""
    return "\n".join((f"true: {data.CLASS_NAMES[true]}", data.CLASS_NAMES[before], f"→ {data.CLASS_NAMES[after]}"))


captions = [outcome(*classes) for classes in zip(labels[ten], answers["before"], answers["after"])]
right = answers["before"] == labels[ten]
flipped = int((right & (answers["after"] != labels[ten])).sum())
figures.show(
    figures.labelled_images(fooled, captions, columns=5),
    f"Ten test images after FGSM with ε = 0.1, each with its true class and the network's answer before and after. "
    f"{right.sum()} were right before the attack; {flipped} of these are fooled. Your bet was {my_bet}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# ### Why ten images are no rate

# %% tags=["core"]
share = flipped / right.sum()
print(f"fooled: {flipped} of {right.sum()} that were right before")
for count in (10, 100, 1_017, 10_000):
    margin = 100 * evaluation.ci_half_width(0.5, count)
    print(f"if half of {count:>6,} images are fooled, the 95% interval is 50 ± {margin:.0f} points")

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Three hand-picked outcomes show that something *can* happen. How often it happens needs many images, a denominator
# (all images, or those that were right to begin with?) and an interval. The next figure has all three.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## How often? Accuracy against ε, with a control
#
# A wrong answer under noise proves nothing if *any* noise does that. So each ε is tried twice: along the gradient's
# sign, and along random signs of exactly the same size.

# %% tags=["core"]
levels = np.array([0, 1, 2, 4, 6, 8, 12, 16, 20, 25.5, 32])
under_fgsm, _ = attacks.epsilon_sweep(model, images, labels, levels / 255)
under_noise = [evaluation.accuracy(model, attacks.random_sign_noise(images, e, seed=0), labels) for e in levels / 255]
at_8 = int(np.flatnonzero(levels == 8)[0])

# %% tags=["core"]
curves = {"random-sign noise": (under_noise, figures.BLUE), "FGSM": (under_fgsm, figures.ORANGE)}
figures.show(
    figures.accuracy_against_epsilon(levels / 255, curves, marked=8 / 255),
    f"Accuracy on {len(images):,} {dataset.name} test images against ε. At ε = 8/255 FGSM leaves "
    f"{under_fgsm[at_8]:.1%} right and random signs of the same size {under_noise[at_8]:.1%}, from {under_fgsm[0]:.1%} "
    f"without either (each ± {100 * evaluation.ci_half_width(0.5, len(images)):.0f} points at most).",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# - The claim is the **gap at a named ε**, not the lower curve alone: once ε is large, random noise hurts too.
# - Accuracy is over *all* images, those that were wrong to begin with included.
# - FGSM does not reach zero. That is a weakness of the attack and no strength of the network: the next cell takes many
#   small steps in place of one large one.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
many = attacks.pgd(model, images[:200], labels[:200], 8 / 255, step_size=2 / 255, steps=20)
single = attacks.fgsm(model, images[:200], labels[:200], 8 / 255)
for name, adversarial in (("one step of 8/255, FGSM", single), ("20 steps of 2/255 that stay within 8/255", many)):
    print(f"{evaluation.accuracy(model, adversarial, labels[:200]):.1%} of 200 images right under {name}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# This attack is called **projected gradient descent**, PGD (Madry et al., *Towards Deep Learning Models Resistant to
# Adversarial Attacks*, 2018). Whoever claims that a network is robust has to show at least this one beside FGSM.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Common wrong answer: "the curve ends above zero, so some images are safe". One straight step is the weakest attack
# worth the name.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The autopsy: what the slides' attack does, and what we do
#
# | the slides' listing | what happens then | here |
# | --- | --- | --- |
# | does not clip | the network sees pixels outside [0, 1], which no camera delivers; shown as uint8, bright ones wrap to dark | clip to [0, 1] |
# | `(sign · eps · 255).astype(np.uint8)` to show the noise | negative values have no uint8: −25 turns into 231, and on other processors into something else | centre on grey, name the magnification |
# | mean squared error of the softmax as the loss | works as long as the softmax is not saturated | cross-entropy of the logits; measured below |
# | default ε is 2/255, called with 0.1 = 25.5/255 | a reader takes the signature for the experiment | ε is always said, as n/255 |
# | `np.random.choice` without a seed, with replacement | nobody sees those ten images again; one can come up twice | seeded, without replacement |
# | plots inside the attack | it cannot run on 10,000 images, nor be tested | arrays in, arrays out |
#
# The three outcomes on the slides are real all the same: the sign of the gradient is right, and so is the step.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# This is code review, not a tribunal: each row is a mistake that published code has made. Let the class find the
# first two in the listing before you show the table. The optional cells below measure each of the first three rows.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Measured: no clipping, and what `uint8` makes of it

# %% tags=["optional"]
unclipped = images[ten] + 0.1 * attacks.gradient_sign(model, images[ten], labels[ten])
outside = (unclipped < 0) | (unclipped > 1)
brightest = int(outside.mean(axis=(1, 2, 3)).argmax())
# Through int16, because a float outside 0–255 has no defined uint8: here it wraps on every processor.
wrapped = (255 * unclipped[brightest]).astype(np.int16).astype(np.uint8)
noise = (25.5 * attacks.gradient_sign(model, images[ten], labels[ten])[brightest]).astype(np.int16).astype(np.uint8)
print(f"{outside.mean():.1%} of all pixel values lie outside [0, 1], in one image {outside[brightest].mean():.1%}")

# %% tags=["optional"]
looks = [wrapped, fooled[brightest], noise, figures.amplified((fooled - images[ten])[brightest], 0.1)]
words = ["not clipped,\nwrapped by uint8", "clipped", "noise, negative\nvalues wrapped", "noise, centred\non grey, ×5"]
figures.show(
    figures.labelled_images(looks, words, columns=4),
    "The same adversarial image without and with clipping, and the same noise cast to uint8 and centred on grey. "
    "Where values leave the range, wrapping swaps bright and dark; of the noise it makes +25 nearly black and −25 "
    "nearly white, the wrong way round.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Measured: squared error of the softmax against cross-entropy of the logits
#
# It is often said that attacking the softmax must fail. Measure it before you judge it.

# %% tags=["optional"]
for loss in attacks.LOSSES:
    adversarial = attacks.fgsm(model, images, labels, 8 / 255, loss=loss)
    print(f"{loss:>13} at ε = 8/255: {evaluation.accuracy(model, adversarial, labels):.1%} still right")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# On this network the loss makes little difference. Now make the network surer of itself: multiply its logits by 20.
# Its answers stay the same, its probabilities become 0 and 1, and in float32 a probability of exactly 1 has no slope.

# %% tags=["optional"]
import keras

steep = keras.Sequential([keras.Input((32, 32, 3)), model, keras.layers.Rescaling(20.0)])
for loss in attacks.LOSSES:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        adversarial = attacks.fgsm(steep, images[:500], labels[:500], 8 / 255, loss=loss)
    print(f"{loss:>13}: {evaluation.accuracy(steep, adversarial, labels[:500]):.1%} still right")
    for warning in said:
        print("   ", warning.message)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The gradient of the cross-entropy with respect to the logits is p − y, with y = 1 for the true class. Where p rounds to
# exactly that, nothing is left of it. The squared error multiplies by p and 1 − p once more, so it fails on more images.
#
# Where the gradient is zero the attack does nothing, and the network *looks* robust. Nothing about the network got
# better: the answers are the same as before. So count the images whose gradient is zero, and say so.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## How far does it go?
#
# From here on: all test images, and the strongest network of the series beside the slides'. That takes minutes, so it was
# done once: `python -m helpers.robustness vgg3 --dataset cifar10` repeats it.

# %% tags=["optional"]
reports = {name: robustness.load(name, dataset.name) for name in ("vgg3", "airbench")}
styles = {"random-sign noise": figures.BLUE, "FGSM": figures.ORANGE, "PGD": figures.GREEN}
panels = {
    name: {a: (found[a]["levels"], found[a]["accuracy"], colour) for a, colour in styles.items()}
    for name, found in reports.items()
}
named = robustness.REPORT_LEVEL
at = {name: found["FGSM"]["accuracy"][named] for name, found in reports.items()}
figures.show(
    figures.robustness_curves(panels, named / 255),
    f"Accuracy against ε on {reports['vgg3']['n']:,} {dataset.name} test images, under PGD on the first "
    f"{reports['vgg3']['n_pgd']:,}. At ε = {named}/255 FGSM leaves vgg3 {at['vgg3']:.1%} and strong "
    f"{at['airbench']:.1%} right, PGD {panels['vgg3']['PGD'][1][-1]:.1%} and {panels['airbench']['PGD'][1][-1]:.1%}.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Judged by FGSM alone, `airbench` would pass for the more robust network. Under PGD it is not. **How to read such a curve
# honestly:**
#
# - FGSM tries one point for each ε. What it leaves is an *upper* bound of what a better attack leaves: look at PGD.
# - The curve may rise again with ε. A step that is too long lands beyond the wrong answer.
# - Name ε, the attack, the number of images, and whether those count that were wrong to begin with. Here they do.
# - Without the control, random signs, you do not know whether the direction matters or only the size.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### The smallest ε that fools
#
# For each picture, look for the first ε at which FGSM finds a wrong answer. Some pictures are fooled at no ε that was tried,
# so this has no mean. A curve of what is left can show them, too.

# %% tags=["optional"]
found = reports["vgg3"]
classes = np.array(found["survival"])
left = classes.mean(axis=1)  # each class has as many test images, or nearly
half = next((level for level, share in zip(found["FGSM"]["levels"], left) if share < 0.5), None)
figures.show(
    figures.survival_curve(found["FGSM"]["levels"], left, classes, data.CLASS_NAMES),
    f"The share of {dataset.name} test images that FGSM on vgg3 has fooled at no ε up to the one below; what was wrong "
    f"to begin with is missing from the start. Fewer than half are left from ε = {half}/255 on; {left[-1]:.1%} are "
    f"left at ε = {found['FGSM']['levels'][-1]}/255. The two named classes are the furthest apart.",
)

# %% tags=["optional"]
smallest = 255 * attacks.minimal_epsilon(model, images[:200], labels[:200], max_level=4, steps_per_level=4)
print(f"wrong already: {(smallest == 0).sum()} of 200; not fooled up to 4/255: {np.isnan(smallest).sum()}")
print(f"fooled below 1/255, the smallest step of an 8-bit picture: {((smallest > 0) & (smallest < 1)).sum()}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Who turns into whom?

# %% tags=["optional"]
counts = np.array(reports["vgg3"]["confusion_matrix"])
mistakes = counts * (1 - np.eye(len(counts), dtype=int))
row, column = np.unravel_index(mistakes.argmax(), mistakes.shape)
figures.show(
    figures.confusion(counts, data.CLASS_NAMES),
    f"The answers of vgg3 to {counts.sum():,} {dataset.name} test images under FGSM with ε = {named}/255. The "
    f"commonest mistake: {mistakes.max() / counts[row].sum():.0%} of the images of class {data.CLASS_NAMES[row]} are "
    f"taken for {data.CLASS_NAMES[column]}.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Compare it with the confusion matrix of 04: the attack follows the borders between classes that were weak before.
#
# ### Does a picture that fools one network fool another?

# %% tags=["optional"]
networks = {"vgg3": model, "airbench": runs.load("airbench", dataset.name).model}
some, some_labels = images[:400], labels[:400]
made_for = {
    # Small batches, because the maps of `airbench` are large: the kernel stays below 1.5 GB.
    name: attacks.fgsm(network, some, some_labels, named / 255, batch_size=50)
    for name, network in networks.items()
}
made_for["nobody: random signs"] = attacks.random_sign_noise(some, named / 255, seed=0)
made_for["nobody: untouched"] = some
rows = [
    (name, *(f"{evaluation.accuracy(network, moved, some_labels):.1%}" for network in networks.values()))
    for name, moved in made_for.items()
]
figures.show_table([f"made for, at ε = {named}/255", *(f"{name} is right on" for name in networks)], rows)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Read a column downwards: a picture made for the other network does more harm than random signs of the same size, and
# less than one made for this network. This **transfer** lets an attacker without access to your network train one of
# their own.
#
# ### Does the attack survive being saved?
#
# A file holds whole grey levels. A photograph has them, and with ε = k/255 the attacked picture has them again: saving
# changes nothing. With another ε, or with PGD, it rounds each value.

# %% tags=["optional"]
def saved(pictures):
    """What is left of float pictures after a file of 8 bits for each value."""
    return data.to_float(np.rint(255 * pictures).astype(np.uint8))


few, few_labels = images[:300], labels[:300]
tried = {f"FGSM, ε = {grey:>4}/255": attacks.fgsm(model, few, few_labels, grey / 255) for grey in (0.4, 0.6, 8, 25.5)}
tried["PGD,  ε =    2/255"] = attacks.pgd(model, few, few_labels, 2 / 255, step_size=0.5 / 255, steps=20)
for name, moved in tried.items():
    shares = [f"{evaluation.accuracy(model, x, few_labels):.1%}" for x in (moved, saved(moved))]
    print(f"{name}: {shares[0]} right as floats, {shares[1]} from a file")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# A step below half a level vanishes when it is rounded. One just above half a level is rounded *up* to a whole level.
# Rounding is no defence.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## The assignment's other option: a library
#
# Foolbox runs the same attack. Does it find the same pixels?

# %% tags=["optional"]
import foolbox
import tensorflow as tf

theirs = foolbox.attacks.LinfFastGradientAttack().run(
    foolbox.TensorFlowModel(model, bounds=(0, 1), device="/CPU:0"),
    tf.constant(images[:100]),
    foolbox.criteria.Misclassification(tf.constant(labels[:100])),
    epsilon=8 / 255,
).numpy()
ours = attacks.fgsm(model, images[:100], labels[:100], 8 / 255)
print(f"{np.mean(ours != theirs):.4%} of {ours.size:,} pixel values differ")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Your own photograph
#
# Choose a picture, then run the cells that follow. JPEG, PNG, GIF, WebP, BMP and TIFF will do, up to about 10 MB, which
# is as much as Jupyter takes in at once. For a larger one, put its path into `my_path` instead. Without either, the cells
# take a picture of the data set.

# %% tags=["optional"]
import ipywidgets

upload = ipywidgets.FileUpload(accept="image/*", description="your photograph", layout={"width": "220px"})
upload

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The network takes 32 × 32 pixels, so we cut out a square and shrink it. Is what you wanted to show still to be seen?
# If it lies to one side, move `centre`: 0 is the left or upper edge, 1 the right or lower one.

# %% tags=["optional"]
my_path, one_of_ours = None, 8
centre = (0.5, 0.5)

if upload.value:
    my_name, my_picture = upload.value[0]["name"], upload.value[0]["content"]
else:
    my_name, my_picture = my_path or f"test image {one_of_ours}", my_path
if my_picture:
    large, small = (photograph(my_picture, name=my_name, side=side, centre=centre) for side in (256, 32))
else:
    large = small = dataset.x_test[one_of_ours]
words = ["the square", "as the network gets it"]
figures.show(
    figures.labelled_images([large, small], words, columns=2),
    f"{my_name}: the square that was cut out of it, and the same with 32 × 32 pixels.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# An attack needs a class to lead away from. Name it, if your picture shows one of the ten. With `None` the network's own
# answer takes its place. Mind that the network knows only these ten: it calls your bicycle one of them, too, and may
# be sure of it.

# %% tags=["optional"]
my_class = None  # or one of data.CLASS_NAMES, such as "cat"

one = small[np.newaxis]
truth = [data.CLASS_NAMES.index(my_class)] if my_class else evaluation.predictions(model, one)
smallest = attacks.minimal_epsilon(model, data.to_float(one), truth)[0]
print(f"{my_name}: FGSM needs", "more than 32/255" if np.isnan(smallest) else f"ε = {255 * smallest:.0f}/255")
FgsmExplorer(model, one, truth, image_names=[my_name])

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Your own network
#
# Any Keras classifier of 32 × 32 colour images with pixels in [0, 1] will do. Put the path of yours into the next
# cell. If it expects other pixels, make the conversion its first layer (`keras.layers.Rescaling`): then ε keeps its
# meaning. If it ends in softmax, the attack takes that off and says so.

# %% tags=["optional"]
my_file = None  # "my_network.keras"

mine = keras.models.load_model(my_file, compile=False) if my_file else model
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    adversarial = attacks.fgsm(mine, images[:200], labels[:200], 8 / 255)
    clean, attacked = (evaluation.accuracy(mine, x, labels[:200]) for x in (images[:200], adversarial))
print(f"{mine.name}: {clean:.1%} right on 200 images, {attacked:.1%} under FGSM with ε = 8/255")
print(*{str(warning.message) for warning in said}, sep="\n")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Each solution is in the collapsed cell below its exercise.
#
# **1. By hand.** Write FGSM for the running photograph yourself, from `attacks.input_gradient`. Check it against
# `attacks.fgsm`.

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
slope = attacks.input_gradient(model, images[picture], labels[picture].astype(int)).numpy()
by_hand = np.clip(images[picture] + np.float32(8 / 255) * np.sign(slope), 0, 1)
assert np.array_equal(by_hand, attacks.fgsm(model, images[picture], labels[picture], 8 / 255))

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Without the truth.** An attacker may not know the true label. Attack the network's own answers instead. Is the
# attack weaker? What happens to images that were wrong to begin with?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
own = evaluation.predictions(model, images)
for name, target in (("true labels", labels), ("the network's answers", own)):
    adversarial = attacks.fgsm(model, images, target, 8 / 255)
    print(f"attacking {name}: {evaluation.accuracy(model, adversarial, labels):.1%} right")
pushed = evaluation.predictions(model, attacks.fgsm(model, images, own, 8 / 255))
print(f"images that were wrong and are pushed onto the right answer: {((own != labels) & (pushed == labels)).sum()}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Make it a frog.** `attacks.fgsm(..., targeted=True)` walks *down* the loss of a class that you choose. For how
# many of the images that are no frogs does it reach "frog" at ε = 8/255? Why is that harder than "any wrong answer"?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
frog = data.CLASS_NAMES.index("frog")
others = images[labels != frog]
wanted = np.full(len(others), frog)
reached = evaluation.predictions(model, attacks.fgsm(model, others, wanted, 8 / 255, targeted=True)) == frog
before = evaluation.predictions(model, others) == frog
print(f"called a frog: {before.mean():.1%} before, {reached.mean():.1%} after")
print("any wrong answer will do for the plain attack; here, eight of the nine wrong answers are failures")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **FGSM** is one step of size ε along the sign of the loss's gradient with respect to the pixels, then a clip.
# - **The sign** is the best move when every pixel may change by ε: 3,072 tiny steps add up, while random signs cancel.
#   That is why noise of the same size is the control.
# - **Original, perturbation, adversarial image**: the perturbation is shown centred on grey and magnified, with the
#   magnification named.
# - **An attack becomes nonsense** without a clip, without a named ε, with a loss whose gradient is zero, or when three
#   pictures are taken for a rate.
#
# Next: can a network be made to hold? [06-defence](06-defence.ipynb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Let the class name the three mistakes that would make their own attack nonsense. Then ask how they would defend the
# network, and go on to 06 with their answers on the board. Short of time: the first figure of 06 is the answer.
#
# </details>

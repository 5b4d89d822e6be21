# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 05 · Fooling the network: the Fast Gradient Sign Method
#
# **The question:** how little must an image change before the network misclassifies it?
#
# Afterwards you can
#
# - write down the Fast Gradient Sign Method (FGSM),
# - say why it takes the *sign* of the gradient, and why random-sign noise is its control,
# - show original, perturbation and adversarial image,
# - name errors that make an attack look weak.
#
# **Before this:** [04-evaluation](04-evaluation.ipynb). **Time:** 19 minutes for the core.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a network can be accurate on clean images and wrong on images that look the same to you. Put the question
# to the class. A common wrong answer is "as much as it would take to fool me".
#
# Short of time: the sliders, "Why the sign?" and accuracy against ε must stay. Running the whole notebook takes about
# a minute.
#
# **They will ask:** *Is this a bug of this one network?* No. Szegedy et al. (2014, arXiv:1312.6199) found it in every
# network they tried, and the accuracy of the stronger network of this series falls as well (optional cells below).
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import attacks, data, evaluation, figures, robustness, runs
from helpers.backend import tf
from helpers.explorer import FgsmExplorer

dataset = data.load()
model = runs.load("vgg3", dataset.name).model
shown = data.ORIGINAL_TEST_IMAGES
images, labels = data.to_float(dataset.x_test[:shown]), dataset.y_test[:shown]
one = slice(figures.RUNNING_IMAGE, figures.RUNNING_IMAGE + 1)
true = labels[figures.RUNNING_IMAGE]
report = robustness.load("vgg3", dataset.name)
print(f"{dataset.name}: the network is vgg3 as recorded in 03; the images are the first {len(images):,} test images")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## One image, one slider
#
# **ε** limits how far any pixel value, from 0 to 1, may move: 8/255 means eight of 255 intensity levels. Leave ε at 0
# until you have placed your bet.

# %% tags=["core"]
explorer = FgsmExplorer(model, dataset.x_test[:shown], labels)
explorer.image.value = figures.RUNNING_IMAGE
explorer

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Collect bets first and write the smallest and the largest on the board. Then move ε with the arrow keys, one level
# per press, until the prediction changes. Afterwards try two or three other images, one of them an image that FGSM
# does not fool, and switch to random-sign noise at the same ε. If the sliders do not appear, continue: the next cells
# show the same.
#
# **They will ask:** *Was the image unclear to begin with?* Set ε back to 0 and read the probability of the true
# class.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "subslide"}
# ### Guess the ε
#
# The network classifies the running image correctly. What is the smallest ε, in levels out of 255, that fools it?

# %% tags=["core", "bet"]
my_level = 16  # the level at which many people first notice that something is wrong

# %% tags=["core", "reveal"]
levels = np.arange(33)
_, predicted = attacks.epsilon_sweep(model, images[one], labels[one], levels / 255)
wrong = levels[predicted[:, 0] != true]
assert predicted[0, 0] == true, "the running image must be classified correctly before the attack"
if wrong.size:
    print(f"first fooled at ε = {wrong[0]}/255: {data.CLASS_NAMES[true]} → {data.CLASS_NAMES[predicted[wrong[0], 0]]}")
else:
    print("correct at every ε up to 32/255")

# %% tags=["core", "bet"]
print(f"your bet: {my_level}/255; the attack needs {wrong[0] if wrong.size else 'more than 32'}/255")

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: your threshold of seeing is not the network's threshold. The common bet is the ε at which people noticed
# a change on a slider.
#
# **They will ask:** *I can see the change at 8/255. Is that still an adversarial example?* Yes. Coloured speckles
# show in dark, even areas, above all on a large screen. The threat model bounds pixel values, not visibility; what
# matters is that nobody would change the label. For a measure closer to seeing, read Sharif, Bauer and Reiter (2018,
# arXiv:1802.09653).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The threat model
#
# Ours is an **evasion attack**: it changes the input of a trained network.
#
# | | |
# | --- | --- |
# | goal | any wrong class (*untargeted*) |
# | knowledge | architecture, weights, gradients (*white box*) |
# | limit | the **ℓ∞ norm** of the perturbation δ, its largest absolute entry, is at most ε |
# | range | 3,072 pixel values stay in [0, 1] |

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Ask which of these rows somebody who puts a sticker on a road sign would not satisfy. White box is generous to the
# attacker on purpose: nobody should rely on secrecy (Kerckhoffs' principle).
#
# **They will ask:** *Does this work in the real world?* Printed and photographed FGSM images still fool a network
# (Kurakin et al. 2017, arXiv:1607.02533), and so do stickers on road signs (Eykholt et al. 2018, arXiv:1707.08945).
# Both need larger or more visible changes than ours, because camera and angle vary. *Why the ℓ∞ norm?* It is simple
# and common; it is a convention and not a model of human vision.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Why the sign?
#
# Training moves the *weights* down the loss. The attack moves the *image* up. Near the image x, the loss is almost
# linear:
#
# $$L(x + \delta, y) \approx L(x, y) + \sum_i \delta_i \, g_i, \qquad g = \nabla_x L(x, y)$$
#
# Here y is the true class and gᵢ the slope of the loss in pixel value i. Each δᵢ lies between −ε and ε. Which δ makes
# the sum largest?

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Maximise each term on its own:
#
# $$\delta = \varepsilon \cdot \operatorname{sign}(g), \qquad \sum_i \delta_i \, g_i = \varepsilon \sum_i |g_i|$$
#
# No other δ in this ℓ∞ ball increases the *linearised* loss more. With random signs the terms mostly cancel.

# %% tags=["core"] slideshow={"slide_type": "subslide"}
gradient = attacks.input_gradient(model, tf.constant(images[one]), labels[one], loss="cross-entropy").numpy()
climb, spread = abs(gradient).sum(), np.sqrt((gradient**2).sum())
epsilons = np.arange(0, 16.5, 0.5) / 255
sign = attacks.gradient_sign(model, images[one], labels[one])


def losses_along(direction):
    moved = np.concatenate([attacks.perturb(images[one], direction, epsilon) for epsilon in epsilons])
    logits = evaluation.logits(model, moved).astype(np.float64)
    return np.log(np.exp(logits).sum(axis=1)) - logits[:, true]


losses = {"FGSM": losses_along(sign), "random-sign noise": losses_along(attacks.random_signs(sign.shape, seed=0))}

# %% tags=["core"]
end, line_end = losses["FGSM"][-1], losses["FGSM"][0] + climb * epsilons[-1]
assert end > losses["random-sign noise"].max(), "the text says that random signs mostly cancel"
figures.show(
    figures.loss_along_ray(epsilons, losses, climb),
    f"The loss of the running image against ε. Along the sign of the gradient it reaches {end:.1f} nats at ε = "
    f"16/255, along random signs {losses['random-sign noise'][-1]:.2f}. At ε = 0 the sign's slope is "
    f"{climb / spread:.0f} times the standard deviation of a random direction's slope. The linear approximation "
    f"ends at {line_end:.1f} and is {'too low' if line_end < end else 'too high'}: FGSM needs its direction, not "
    "its value.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: high dimension makes this work. 3,072 small steps add up when all of them point uphill. With random signs
# the sum has mean 0 and standard deviation ε√Σgᵢ², as often down as up.
#
# A common wrong answer: "use the gradient itself, large slopes matter most". That is the best step for a limit on the
# Euclidean length of δ. For a limit on each value it is the sign: a value with a tiny slope still helps a little, at
# no cost.
#
# **They will ask:** *Why are networks so linear?* ReLU networks are piecewise linear, and training favours pieces
# that are easy to optimise; Goodfellow et al. (2015, arXiv:1412.6572, section 3) argue that this near-linearity,
# together with many inputs, explains adversarial examples. Ilyas et al. (2019, arXiv:1905.02175) add that the network
# uses real but fragile features of the data.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The method: one step and one clip
#
# $$x_{\text{adv}} = \operatorname{clip}_{[0,1]}(x + \varepsilon \cdot \operatorname{sign}(\nabla_x L(x, y)))$$
#
# (Goodfellow, Shlens and Szegedy, 2015.) Clipping keeps the result an image. "When float32 lies" explains the loss in
# this code, the log-odds:

# %% tags=["core"]
figures.show_source(attacks.fgsm, attacks.gradient_sign, attacks.input_gradient, attacks.perturb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Point at three places: the tape watches the images and not the weights; `training=False`, so that dropout is off;
# and ε appears once, after the gradient. The sign does not depend on ε, so one gradient serves the whole slider.
#
# **They will ask:** *Our listing ends in softmax; does it matter?* Our networks end in logits, and softmax is applied
# only where we show a probability. A later slide shows where the difference matters. *Why is `sign` 0 possible?*
# Where a slope is exactly 0; that value does not move.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Original, perturbation, adversarial example
#
# A perturbation has negative values, so we show 0.5 + δ/(2ε): grey means unchanged, white that red, green and blue
# all rise by ε, black that all fall, pure red that only red rises, cyan that only red falls.

# %% tags=["core"]
epsilon = 8 / 255
adversarial = attacks.fgsm(model, images[one], labels[one], epsilon)
before, after = (evaluation.probabilities(model, x)[0] for x in (images[one], adversarial))
figures.show(
    figures.adversarial_example(images[one][0], adversarial[0], before, after, true, data.CLASS_NAMES, epsilon),
    "The running image before and after FGSM with ε = 8/255. The prediction changes from "
    f"{data.CLASS_NAMES[before.argmax()]} ({before.max():.0%}) to {data.CLASS_NAMES[after.argmax()]} "
    f"({after.max():.0%}); the perturbation is magnified {1 / (2 * epsilon):.0f} times.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# These are the three images that the assignment asks for. Let the class look for speckles in the dark areas.
#
# **They will ask:** *Why does the perturbation look like noise and not like the other class?* Each value moves by the
# same amount, however small its slope. 06 shows a network whose perturbation follows the object.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## Ten images
#
# The slides attack ten random test images with ε = 0.1 (25.5/255) and show three: automobile → truck, cat → deer,
# frog → frog. We draw ten with seed 0. How many will be **fooled**, that is, correct before and wrong after?

# %% tags=["core", "bet"]
my_count = 10  # of ten: "0.1 is plainly visible, so none survives"

# %% tags=["core", "reveal"]
ten = np.random.default_rng(0).choice(len(images), size=10, replace=False)
attacked = attacks.fgsm(model, images[ten], labels[ten], 0.1)
first, then = (evaluation.predictions(model, x) for x in (images[ten], attacked))
fooled = (first == labels[ten]) & (then != labels[ten])


def outcome(label, first, then):
    verdict = "wrong before" if first != label else "fooled" if then != label else "correct"
    return f"{data.CLASS_NAMES[first]} →\n{data.CLASS_NAMES[then]}\n({verdict})"

# %% tags=["core", "reveal"]
low, high = evaluation.wilson_interval(fooled.sum(), (first == labels[ten]).sum())
figures.show(
    figures.attack_grid(images[ten], attacked, list(map(outcome, labels[ten], first, then)), 0.1),
    "Ten test images under FGSM with ε = 25.5/255, with the prediction before → after. "
    f"{(first == labels[ten]).sum()} are classified correctly before the attack, and {fooled.sum()} of these are "
    f"fooled: too few images for a rate (95% interval {low:.0%} to {high:.0%}). The perturbation δ is magnified 5 "
    "times.",
)

# %% tags=["core", "bet"]
print(f"your bet: {my_count} of ten; fooled: {fooled.sum()}")

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Ten images are too few for an attack success rate: the 95% interval in the caption is tens of points wide. The next
# slide takes about a thousand images, and all of them count.
#
# **They will ask:** *Why does a frog remain a frog?* FGSM tries one point per ε. That this point is classified
# correctly says little about the points around it; PGD, two slides on, tries many.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## How often? Accuracy against ε, with a control
#
# Would *any* change of this size fool the network? The control is **random-sign noise**: the same step along random
# signs.

# %% tags=["core"]
curves = {attack: (report[attack]["levels"], report[attack]["accuracy"]) for attack in ("random-sign noise", "FGSM")}
at_8 = {attack: accuracy[list(levels).index(8)] for attack, (levels, accuracy) in curves.items()}
clean = curves["FGSM"][1][0]
assert clean - at_8["FGSM"] > 2 * (clean - at_8["random-sign noise"]), "the direction matters, not the size alone"
figures.show(
    figures.accuracy_against_epsilon(curves, marked=8),
    f"Accuracy on {report['n']:,} {dataset.name} test images, those that are wrong without an attack included. At ε "
    f"= 8/255 it falls from {clean:.1%} to {at_8['FGSM']:.1%} under FGSM and to {at_8['random-sign noise']:.1%} "
    f"under random-sign noise (each ± {100 * evaluation.ci_half_width(0.5, report['n']):.0f} points at most).",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The claim is the difference at a named ε, because once ε is large, noise hurts as well. An optional cell computes
# these curves again (about 20 seconds) and compares them with the record.
#
# **They will ask:** *Are larger networks safer?* Standard ones are not: the strong network of this series ends near
# zero under PGD as well (optional cell). Capacity helps once a network is adversarially trained (Madry et al. 2018,
# arXiv:1706.06083, section 4).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Many small steps: PGD
#
# **Projected gradient descent** (PGD; Madry et al., 2018) starts at a random point of the ℓ∞ ball, takes many small
# FGSM steps, and after each one projects back into the ball. What remains is the **robust accuracy** under PGD at ε.

# %% tags=["core"]
curves["PGD"] = report["PGD"]["levels"], report["PGD"]["accuracy"]
under_pgd = curves["PGD"][1][list(curves["PGD"][0]).index(8)]
assert under_pgd < at_8["FGSM"], "the text says that PGD is the stronger attack"
survived = np.average(report["survival"][16], weights=np.bincount(dataset.y_test[: report["n"]], minlength=10))
back = curves["FGSM"][1][16] - survived
figures.show(
    figures.robustness_curves({"vgg3": curves}, marked=8),
    f"The same {report['n']:,} images. At ε = 8/255 PGD (20 steps of ε/4, 5 random starts) leaves {under_pgd:.1%} "
    f"correct, where FGSM leaves {at_8['FGSM']:.1%}. A larger ε need not be worse: under FGSM, {back:.1%} of the "
    "images are correct at 16/255 although a smaller ε fooled them.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# What FGSM leaves is an upper bound of what a stronger attack leaves. A claim of robustness needs PGD beside it at
# least, and better AutoAttack and an attack made for this very defence (06).
#
# **They will ask:** *Is PGD the strongest attack?* No. It finds a local maximum in the ball; AutoAttack (Croce and
# Hein 2020, arXiv:2003.01690) combines four attacks.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The slides' attack, reviewed
#
# | the listing | consequence | here |
# | --- | --- | --- |
# | does not clip | pixels outside [0, 1] | clip |
# | casts the noise to `uint8` | −25 may become 231 | 0.5 + δ/(2ε) |
# | takes squared error on softmax | sign wrong where confident | log-odds |
# | says ε = 2/255, runs 0.1 | readers quote the wrong one | n/255, stated |
# | draws without seed | not repeatable | seeded |
#
# The step itself is correct.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# This is code review, not a tribunal: each row is an error that published code has contained. Let the class find the
# first two before you show the table. Optional cells measure the first three rows.
#
# **They will ask:** *Then are the slides' results wrong?* No. The direction and the step are correct; the images
# shown are real. What cannot be read from three chosen images is how often the attack succeeds.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## When float32 lies
#
# The cross-entropy −log p has the slope p − 1 in the true class's logit z. Where that logit leads by about 17, p
# rounds to 1 in float32: this slope becomes 0, tiny slopes of other logits survive, and the sign is another
# function's. No warning appears. Our loss is the **log-odds** against the true class:
#
# $$\log \frac{1 - p}{p} = \log \sum_{j \ne y} e^{z_j} - z_y$$
#
# It rises with the cross-entropy, so the sign is the same on paper.

# %% tags=["core"] slideshow={"slide_type": "subslide"}
lead = -attacks.log_odds(evaluation.logits(model, images), labels).numpy()  # of the true class over all others
signs = {loss: attacks.gradient_sign(model, images, labels, loss=loss) for loss in attacks.LOSSES}
agreement = (signs["cross-entropy"] == signs["log-odds"]).mean(axis=(1, 2, 3))
rounded = evaluation.probabilities(model, images)[np.arange(len(labels)), labels] == 1
assert agreement[rounded].mean() < 0.75 and agreement[lead < 10].min() > 0.99, "the sign fails where p rounds to 1"

# %% tags=["core"]
at = {
    loss: [f"{evaluation.accuracy(model, attacks.perturb(images, sign, k / 255), labels):.1%}" for k in (8, 16)]
    for loss, sign in signs.items()
}
exact = report.get("signs", {}).get("agreement", {}).get("log-odds", ())
confirmed = f" (which float64 confirms to {min(exact):.1%} on each image)" if exact else ""
assert min(exact, default=1) > 0.99, "the log-odds keep the sign"
figures.show(
    figures.sign_agreement(lead, agreement, np.log(2**24)),
    f"{rounded.sum()} of {len(images):,} images have p = 1 in float32. Textbook cross-entropy gives them "
    f"{agreement[rounded].mean():.0%} of the signs of the log-odds{confirmed}; 50% would be chance. Accuracy under "
    f"FGSM at 8/255 and at 16/255 is then reported as {' and '.join(at['cross-entropy'])} instead of "
    f"{' and '.join(at['log-odds'])}; mean squared error on softmax reports {' and '.join(at['mse'])}.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Why 17: float32 has 24 bits, so 1 − p disappears below 2⁻²⁴ or so, and ln 2²⁴ = 16.6. Such an evaluation reports a
# network as safer than it is, precisely where the network is most confident.
#
# **They will ask:** *Do the libraries get this right?* Foolbox, CleverHans and ART differentiate the textbook
# cross-entropy, so they agree with one another and share the fault (optional cell). *Would float64 help?* Yes, up to
# a lead of about 37 (ln 2⁵³); the log-odds cost nothing. *Is the loss itself wrong?* Its value is off by less than
# 10⁻⁷; its gradient is what fails. *Why does squared error report nearly the exact numbers here?* Its slope in the
# true logit, −Σpⱼ² over the other classes, does not round away at once. With logits × 20 it fails on most images
# (optional cell).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **FGSM** is one step of size ε along the sign of the loss's input gradient, then a clip.
# - **The sign** maximises the linearised loss; random-sign noise does far less.
# - **Original, perturbation and adversarial image** show one case. A rate needs many images, an ε and a control.
# - **An attack looks weak** when it takes one step only, or when float32 spoils its gradient.
#
# Next: can a network be made robust? [06-defence](06-defence.ipynb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Let the class name three errors that would spoil their own attack. Then ask how they would defend the network, and
# open 06 with their answers on the board.
#
# **They will ask:** *Can't you detect adversarial examples instead?* Ten published detectors were broken by attacks
# that took the detector into account (Carlini and Wagner 2017, arXiv:1705.07263).
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: compute the curve yourself
#
# The figures above take their numbers from the recorded report. The sweep below attacks the same images again, which
# takes about ten seconds, and compares. One gradient per image serves every ε.

# %% tags=["optional"]
first_test = slice(report["n"])
x, y = data.to_float(dataset.x_test[first_test]), dataset.y_test[first_test]
sweep, _ = attacks.epsilon_sweep(model, x, y, np.array(report["FGSM"]["levels"]) / 255)
difference = abs(sweep - report["FGSM"]["accuracy"]).max()
print(f"largest difference from the record: {100 * difference:.2f} points on {report['n']:,} images")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the slides' attack, measured
#
# ### No clipping, and what `uint8` makes of it

# %% tags=["optional"]
unclipped = images[ten] + 0.1 * attacks.gradient_sign(model, images[ten], labels[ten])
outside = (unclipped < 0) | (unclipped > 1)
brightest = int(outside.mean(axis=(1, 2, 3)).argmax())
# Through int16, because a float outside 0–255 has no defined uint8: here it wraps on every processor.
wrapped = (255 * unclipped[brightest]).astype(np.int16).astype(np.uint8)
noise = (25.5 * attacks.gradient_sign(model, images[ten], labels[ten])[brightest]).astype(np.int16).astype(np.uint8)
print(f"{outside.mean():.1%} of all pixel values are outside [0, 1], in one image {outside[brightest].mean():.1%}")

# %% tags=["optional"]
looks = [wrapped, attacked[brightest], noise, figures.amplified((attacked - images[ten])[brightest], 0.1)]
titles = ["not clipped,\nwrapped by uint8", "clipped", "noise, negative\nvalues wrapped", "noise, centred\non grey, ×5"]
figures.show(
    figures.labelled_images(looks, titles, columns=4),
    "The same adversarial image without and with clipping, and the same noise cast to uint8 and centred on grey. "
    "Where values leave the range, wrapping exchanges bright and dark. It turns +25 nearly black and −25 nearly white, "
    "the wrong way round.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### The three losses on a very confident network
#
# Multiply the logits by 20. Every prediction stays the same, but nearly every image now has p = 1 in float32. Nothing
# about the network has become more robust. Which losses report it as more robust?

# %% tags=["optional"]
import warnings

import keras

steep = keras.Sequential([keras.Input((32, 32, 3)), model, keras.layers.Rescaling(20.0)])
for loss in attacks.LOSSES:
    reported = []
    for network in (model, steep):
        with warnings.catch_warnings():  # of gradients that are zero
            warnings.simplefilter("ignore")
            moved = attacks.fgsm(network, images[:500], labels[:500], 8 / 255, loss=loss)
        reported.append(f"{evaluation.accuracy(network, moved, labels[:500]):6.1%}")
    print(f"{loss:>13}: {reported[0]} with the logits as they are, {reported[1]} with logits × 20")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The difference between the columns is the error of the evaluation, because both networks make the same predictions
# on every image. The next notebook calls it **gradient masking** where somebody takes it for a defence.
#
# ## Optional: how far does it go?
#
# `airbench` is the most accurate network of the series. Is it also more robust? Both networks were attacked with all
# three attacks on the same images: `python -m helpers.robustness vgg3 --dataset cifar10` repeats it.

# %% tags=["optional"]
reports = {"vgg3": report, "airbench": robustness.load("airbench", dataset.name)}
tried = ("random-sign noise", "FGSM", "PGD")
panels = {
    name: {attack: (found[attack]["levels"], found[attack]["accuracy"]) for attack in tried}
    for name, found in reports.items()
}
named = robustness.REPORT_LEVEL
at_named = {
    name: {attack: accuracy[list(levels).index(named)] for attack, (levels, accuracy) in curves.items()}
    for name, curves in panels.items()
}

# %% tags=["optional"]
strong, slides = at_named["airbench"], at_named["vgg3"]
figures.show(
    figures.robustness_curves(panels, named),
    f"Accuracy against ε on the first {report['n']:,} {dataset.name} test images. At ε = {named}/255 FGSM leaves vgg3 "
    f"{slides['FGSM']:.1%} and airbench {strong['FGSM']:.1%}, PGD {slides['PGD']:.1%} and {strong['PGD']:.1%}, "
    f"random-sign noise {slides['random-sign noise']:.1%} and {strong['random-sign noise']:.1%}. "
    + (
        "By FGSM alone, airbench would pass for the more robust network; under PGD neither is robust."
        if strong["FGSM"] > slides["FGSM"] and max(strong["PGD"], slides["PGD"]) < 0.1
        else "The more accurate network is not the more robust one under FGSM."
    ),
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# **How to read such curves.** What FGSM leaves is an *upper* bound for what a stronger attack leaves. A curve may
# rise again with ε, because a step that is too long can overshoot the misclassified region. Name ε, the attack, the
# number of images, and whether images count that were wrong without an attack. Here they do.
#
# ### Random-sign noise and the strong network
#
# One of these curves deserves a question: how much does `airbench` lose to random signs, that is, without any attack?
# Every pixel value still moves by exactly 8/255 below, but all values of a square block and a colour move together.

# %% tags=["optional"]
networks = {"vgg3": model} | {
    name: runs.load(name, dataset.name).model for name in ("airbench", "fast", "fast-unwhitened")
}


def blocky_noise(size, seed=0):
    """Test images after random-sign noise of 8/255 that is constant on blocks of `size` × `size` pixels."""
    signs = attacks.random_signs((len(images), 32 // size, 32 // size, 3), seed)
    return attacks.perturb(images, signs.repeat(size, axis=1).repeat(size, axis=2), 8 / 255)


under_noise = {
    name: [evaluation.accuracy(network, x, labels) for x in (images, *(blocky_noise(size) for size in (1, 2, 4)))]
    for name, network in networks.items()
}
rows = [(name, *(f"{accuracy:.1%}" for accuracy in row)) for name, row in under_noise.items()]
figures.show_table(["network", "clean", "blocks of 1×1", "2×2", "4×4"], rows)

# %% tags=["optional"]
def lost(name):
    """How many points of accuracy a network loses to fine and to coarse noise."""
    clean_part, fine, _, coarse = under_noise[name]
    return 100 * (clean_part - fine), 100 * (clean_part - coarse)


def noise_left(size, first):
    """Signal and noise after a first layer: the standard deviation of each filter's output, and of the noise's part."""
    kernel = first.kernel.numpy().reshape(-1, first.kernel.shape[-1])
    outputs = np.asarray(first(images[:200])).reshape(-1, kernel.shape[1])
    return outputs.std(axis=0), size * np.linalg.norm(kernel, axis=0)


fine, coarse = lost("airbench")
whitened, control = lost("fast")[0], lost("fast-unwhitened")[0]
signal, noise = noise_left(8 / 255, networks["fast"].layers[0])
found = f"airbench loses {fine:.1f} points to fine noise and {coarse:.1f} to coarse noise of the same ε. "
if whitened - control > 5:
    found += (
        f"The first layer is the cause: fast loses {whitened:.1f} points, and {control:.1f} when the same recipe "
        f"trains it with an ordinary first layer. The whitening layer amplifies what varies least in photographs, which "
        f"is their fine detail, until all its outputs vary equally. In {np.sum(noise > signal)} of its {len(signal)} "
        "filters, fine noise of this size is then stronger than the image."
    )
else:
    found += f"Whitening does no harm here: fast loses {whitened:.1f} points with it, {control:.1f} without."
print(found)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the minimal adversarial ε
#
# For each image, take the first ε at which FGSM fools the network. FGSM fools some images at no ε that we tried, so
# the mean of this number is undefined. A survival curve shows these images, too.

# %% tags=["optional"]
classes = np.array(report["survival"])
overall = classes @ np.bincount(dataset.y_test[first_test], minlength=10) / report["n"]
half = next((level for level, left in zip(report["FGSM"]["levels"], overall) if left < 0.5), None)
figures.show(
    figures.survival_curve(report["FGSM"]["levels"], overall, classes, data.CLASS_NAMES),
    f"The fraction of {report['n']:,} {dataset.name} test images that FGSM has fooled at no ε so far; images that "
    "are wrong without an attack are missing from the start. Fewer than half are left "
    f"{f'from ε = {half}/255 on' if half else 'nowhere'}, and {overall[-1]:.1%} at ε = "
    f"{report['FGSM']['levels'][-1]}/255. The two named classes are furthest apart.",
)

# %% tags=["optional"]
smallest = 255 * attacks.minimal_epsilon(model, images[:200], labels[:200], max_level=4, steps_per_level=4)
print(f"wrong without an attack: {(smallest == 0).sum()} of 200; not fooled up to 4/255: {np.isnan(smallest).sum()}")
print(f"fooled below 1/255, the smallest step of an 8-bit image: {((smallest > 0) & (smallest < 1)).sum()}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: which class turns into which?

# %% tags=["optional"]
counts = np.array(report["confusion_matrix"])
before_attack = evaluation.confusion_matrix(labels, evaluation.predictions(model, images))
((row, column, _),) = evaluation.most_confused_pairs(counts, 1)
((clean_row, clean_column, _),) = evaluation.most_confused_pairs(before_attack, 1)
attacked_rate, clean_rate = (m[row, column] / m[row].sum() for m in (counts, before_attack))
same = (row, column) == (clean_row, clean_column)
figures.show(
    figures.confusion(counts, data.CLASS_NAMES),
    f"The predictions of vgg3 on {counts.sum():,} {dataset.name} test images under FGSM with ε = {named}/255. The "
    f"most frequent error is {data.CLASS_NAMES[row]} → {data.CLASS_NAMES[column]}, {attacked_rate:.0%} of that "
    f"class; without an attack it is {clean_rate:.0%}. The most frequent error without an attack is "
    + ("the same." if same else f"another, {data.CLASS_NAMES[clean_row]} → {data.CLASS_NAMES[clean_column]}."),
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: does an adversarial example transfer?
#
# An attacker without access to your network (**black box**) can attack a network of their own, the **surrogate
# model**, and hope that the result **transfers**.

# %% tags=["optional"]
some, some_labels = images[:400], labels[:400]
pair = {name: networks[name] for name in ("vgg3", "airbench")}
# Small batches, because the feature maps of airbench are large: the kernel keeps to the memory that check promises.
made_for = {
    name: attacks.fgsm(network, some, some_labels, named / 255, batch_size=50) for name, network in pair.items()
}
made_for |= {"no network: random-sign noise": attacks.random_sign_noise(some, named / 255, seed=0), "clean": some}
on = {
    name: {made: evaluation.accuracy(network, moved, some_labels) for made, moved in made_for.items()}
    for name, network in pair.items()
}
rows = [(made, *(f"{on[name][made]:.1%}" for name in pair)) for made in made_for]
figures.show_table([f"made for, at ε = {named}/255", *(f"accuracy of {name}" for name in pair)], rows)

# %% tags=["optional"]
others = {"vgg3": "airbench", "airbench": "vgg3"}
for name, surrogate in others.items():
    extra = 100 * (on[name]["no network: random-sign noise"] - on[name][surrogate])
    compared = f"{abs(extra):.1f} points {'more' if extra > 0 else 'less'} than random-sign noise"
    print(f"{name}: an attack on {surrogate} costs {compared}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: does the attack survive being saved?
#
# An image file holds whole intensity levels. With ε = k/255 an adversarial image has whole levels again, so saving
# changes nothing. With another ε, or with PGD, saving rounds each value.

# %% tags=["optional"]
def saved(images):
    """What is left of float images after a file with 8 bits per value."""
    return data.to_float(np.rint(255 * images).astype(np.uint8))


few, few_labels = images[:300], labels[:300]
trials = {f"FGSM, ε = {k:>4}/255": attacks.fgsm(model, few, few_labels, k / 255) for k in (0.4, 0.6, 8, 25.5)}
trials["PGD,  ε =    2/255"] = attacks.pgd(model, few, few_labels, 2 / 255, step_size=0.5 / 255, steps=20)
for name, moved in trials.items():
    as_floats, from_file = (evaluation.accuracy(model, x, few_labels) for x in (moved, saved(moved)))
    print(f"{name}: accuracy {as_floats:.1%} as floats, {from_file:.1%} from a file")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# A step below half a level vanishes when it is rounded; one just above half a level becomes a whole level. Rounding
# is not a defence.
#
# ## Optional: a library instead
#
# The assignment allows a library. Foolbox runs the same attack on the textbook cross-entropy. Does it find the same
# signs?

# %% tags=["optional"]
import foolbox

wrapped_model = foolbox.TensorFlowModel(model, bounds=(0, 1), device="/CPU:0")
fast_gradient = foolbox.attacks.LinfFastGradientAttack()
theirs = np.concatenate(
    [
        fast_gradient.run(wrapped_model, *map(tf.constant, batch), epsilon=8 / 255).numpy()
        for batch in zip(np.array_split(images, 24), np.array_split(labels, 24), strict=True)
    ]
)
ours = attacks.fgsm(model, images, labels, 8 / 255)
same_values = np.isclose(theirs, ours, atol=1e-6).mean(axis=(1, 2, 3))
unsure, confident = lead < 10, np.flatnonzero(same_values < 0.9)
assert same_values[unsure].min() > 0.99, "where the network is unsure, both attacks agree"

# %% tags=["optional"]
print(f"lead below 10: {unsure.sum()} images, at least {same_values[unsure].min():.1%} of the values of each agree")
print(f"fewer than 90% agree on {len(confident)} images, whose lead is {lead[confident].min():.1f} or more:")
print(*confident, sep=", ")
for name, moved in (("Foolbox", theirs), ("attacks.fgsm", ours)):
    print(f"{name} reports an accuracy of {evaluation.accuracy(model, moved, labels):.2%} at ε = 8/255")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# These images are those of "When float32 lies": the library is wrong on them, because its cross-entropy has lost the
# true class's part of the gradient. CleverHans and ART share the fault, so agreement among libraries would not reveal
# it; a copy of the network in float64 does.
#
# ## Optional: your own photograph
#
# Choose an image, then run the cells that follow: JPEG, PNG, GIF, WebP, BMP or TIFF, up to about 10 MB. For a larger
# file, put its path into `my_path`. Without either, the cells use a test image.

# %% tags=["optional"]
import ipywidgets

upload = ipywidgets.FileUpload(accept="image/*", description="your photograph", layout={"width": "220px"})
upload

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The network takes 32 × 32 pixels, so we cut out a square and shrink it. Can you still recognise the object? If it is
# near one side, move `centre`: 0 is the left or upper edge, 1 the right or lower one.

# %% tags=["optional"]
from helpers.photographs import photograph

my_path, test_image = None, 8
centre = (0.5, 0.5)

# ipywidgets 8 gives a tuple of dictionaries; ipywidgets 7, which Colab has, one dictionary by file name.
files = upload.value
if isinstance(files, dict):
    files = [{"name": name} | file for name, file in files.items()]
my_name, content = my_path or f"test image {test_image}", my_path
if files:
    my_name, content = files[0]["name"], files[0]["content"]
if content:
    large, small = (photograph(content, name=my_name, side=side, centre=centre) for side in (256, 32))
else:
    large = small = dataset.x_test[test_image]
figures.show(
    figures.labelled_images([large, small], ["the square", "as the network sees it"], columns=2),
    f"{my_name}: the square that was cut out, and the same with 32 × 32 pixels.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# An attack needs a class to step away from. Name it if your image shows one of the ten classes. With `None` the
# predicted class takes its place. The network knows these ten classes only: it assigns your bicycle to one of them
# and may be confident.

# %% tags=["optional"]
my_class = None  # or one of data.CLASS_NAMES, such as "cat"

mine = small[np.newaxis]
label = [data.CLASS_NAMES.index(my_class)] if my_class else evaluation.predictions(model, mine)
needed = attacks.minimal_epsilon(model, data.to_float(mine), np.array(label))[0]
print(f"{my_name}: FGSM needs", "more than 32/255" if np.isnan(needed) else f"ε = {255 * needed:.0f}/255")
FgsmExplorer(model, mine, np.array(label), image_names=[my_name])

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: your own network
#
# Any Keras classifier of 32 × 32 colour images with pixels in [0, 1] will do; put its path into the next cell. If
# yours expects other pixels, make the conversion its first layer (`keras.layers.Rescaling`): then ε keeps its
# meaning. A softmax at the end is recognised and taken off, with a line that says so.

# %% tags=["optional"]
my_file = None  # "my_network.keras"

my_network = keras.models.load_model(my_file, compile=False) if my_file else model
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    moved = attacks.fgsm(my_network, few, few_labels, 8 / 255)
    clean_accuracy, robust_accuracy = (evaluation.accuracy(my_network, x, few_labels) for x in (few, moved))
print(f"{my_network.name}, {len(few)} images: clean {clean_accuracy:.1%}, under FGSM at 8/255 {robust_accuracy:.1%}")
for message in {str(warning.message) for warning in said}:
    print(message)

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# **1. FGSM by hand.** Write `my_fgsm(images, labels, epsilon)` for `model` from `attacks.input_gradient`, which takes
# and returns tensors. It must agree with `attacks.fgsm`.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def my_fgsm(images, labels, epsilon):
    gradient = attacks.input_gradient(model, tf.constant(images), tf.constant(labels)).numpy()
    return np.clip(images + np.float32(epsilon) * np.sign(gradient), 0, 1)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y, expected = images[:20], labels[:20].astype(int), attacks.fgsm(model, images[:20], labels[:20], 8 / 255)
found = np.asarray(my_fgsm(x, y, 8 / 255))
assert found.min() >= 0 and found.max() <= 1, "some values are outside [0, 1]: what does the last step of FGSM do?"
size = abs(found - x)
assert size.max() <= 8 / 255 + 1e-6, f"a value moves by {size.max():.3f}: no value may move by more than ε"
assert np.median(size) > 7 / 255, "most values move by less than ε: take the sign of the gradient, not the gradient"
agree = np.isclose(found, expected, atol=1e-6).mean()
assert agree > 0.99, f"{agree:.0%} of the values agree: does your step climb the loss, or descend?"
print("correct: FGSM by hand agrees with attacks.fgsm")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. The attack success rate.** Write `success_rate(adversarial, images, labels)`: of the images that `model`
# classifies correctly, the fraction that it misclassifies after the attack. Papers report this number beside robust
# accuracy.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def success_rate(adversarial, images, labels):
    correct = evaluation.predictions(model, images) == labels
    return np.mean(evaluation.predictions(model, adversarial)[correct] != labels[correct])

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y = images[:300], labels[:300]
moved = attacks.fgsm(model, x, y, 2 / 255)
was_right, is_right = (evaluation.predictions(model, part) == y for part in (x, moved))
found, expected = success_rate(moved, x, y), (was_right & ~is_right).sum() / was_right.sum()
assert not np.isclose(found, 1 - is_right.mean()), "this counts images that were wrong without an attack as successes"
assert not np.isclose(found, (was_right & ~is_right).mean()), "divide by the correct images, not by all images"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
print(f"correct: {found:.1%} at ε = 2/255, where the accuracy is {is_right.mean():.1%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Predict, then compute.** An attacker may not know the true labels. Suppose they step away from the *predicted*
# labels. Write your prediction into the docstring first: will the accuracy at ε = 8/255, measured with the true
# labels, be higher or lower than with the true labels in the attack, and on which images does the difference arise?
# Then write `accuracy_without_labels(images, labels, epsilon)`.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def accuracy_without_labels(images, labels, epsilon):
    """Prediction: higher or equal, because an image that was wrong may be pushed onto its true class."""
    predicted = evaluation.predictions(model, images)
    return evaluation.accuracy(model, attacks.fgsm(model, images, predicted, epsilon), labels)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y = images[:500], labels[:500]
guessed = evaluation.predictions(model, x)
pushed = evaluation.predictions(model, attacks.fgsm(model, x, guessed, 8 / 255))
with_truth = evaluation.accuracy(model, attacks.fgsm(model, x, y, 8 / 255), y)
found, expected = accuracy_without_labels(x, y, 8 / 255), np.mean(pushed == y)
assert not np.isclose(found, with_truth) or np.isclose(with_truth, expected), "the attack must not see the true labels"
assert not np.isclose(found, np.mean(pushed == guessed)), "judge the accuracy by the true labels"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
luck = ((guessed != y) & (pushed == y)).sum()
print(f"correct: {found:.1%} without the labels, {with_truth:.1%} with them; {luck} wrong images became correct")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. Make it a frog.** With `targeted=True`, `labels` are the classes to be reached, and FGSM walks *down* their
# loss. Write `reached(target, images, labels, epsilon)`: of the images of *other* classes, the fraction that `model`
# predicts as `target` after the attack. Why is it lower than the success rate of the untargeted attack?

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def reached(target, images, labels, epsilon):
    others = images[labels != target]
    wanted = np.full(len(others), target)
    moved = attacks.fgsm(model, others, wanted, epsilon, targeted=True)
    return np.mean(evaluation.predictions(model, moved) == target)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y, frog = images[:300], labels[:300], data.CLASS_NAMES.index("frog")
other, all_frogs = x[y != frog], np.full(300, frog)
down = evaluation.predictions(model, attacks.fgsm(model, x, all_frogs, 8 / 255, targeted=True)) == frog
up = evaluation.predictions(model, attacks.fgsm(model, other, all_frogs[: len(other)], 8 / 255)) == frog
found, expected = reached(frog, x, y, 8 / 255), down[y != frog].mean()
assert not np.isclose(found, up.mean()), "this walks up the loss of the target: pass targeted=True"
assert not np.isclose(found, down.mean()), "leave out the images that show the target already"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
print(f"correct: {found:.1%} become frogs; for the untargeted attack eight more wrong classes count as success")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **5. PGD by hand.** Write `my_pgd(images, labels, epsilon, step_size, steps)` from your `my_fgsm`, starting at the
# images themselves. Each step is followed by the projection into the ℓ∞ ball around the *original* images.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def my_pgd(images, labels, epsilon, step_size, steps):
    moved = images
    for _ in range(steps):
        moved = my_fgsm(moved, labels, step_size)
        moved = np.clip(moved, images - np.float32(epsilon), images + np.float32(epsilon))
    return moved

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y = images[:100], labels[:100].astype(int)
moved = np.asarray(my_pgd(x, y, 4 / 255, 1 / 255, 10))
farthest = abs(moved - x).max()
assert farthest <= 4 / 255 + 1e-6, f"{255 * farthest:.1f}/255 is too far: project after each step, around the original"
assert farthest > 2 / 255, "no value has moved by more than 2/255: does each step start where the last one ended?"
assert moved.min() >= 0 and moved.max() <= 1, "some values are outside [0, 1]"
one_step, many = (evaluation.accuracy(model, part, y) for part in (attacks.fgsm(model, x, y, 4 / 255), moved))
assert many <= one_step, f"accuracy {many:.0%} after ten steps, {one_step:.0%} after one: does each step climb?"
print(f"correct: accuracy {many:.0%} under ten small steps, {one_step:.0%} under one large step")

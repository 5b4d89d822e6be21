# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 05 · Fooling the network: the Fast Gradient Sign Method
#
# **The question:** how little must an image change before the network misclassifies it?
#
# Afterwards, you can
#
# - write down the method (FGSM),
# - say why it takes the *sign* of the gradient, and why random-sign noise is its control,
# - show original, perturbation and adversarial example,
# - name errors that make an attack look weak.
#
# **Before this:** [04-evaluation](04-evaluation.ipynb). **Time:** 19 minutes.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a network can be accurate on clean images and wrong on images that look the same to you. Put the question
# to the class. A common wrong answer is "as much as it would take to fool me".
#
# If you are short of time, keep the sliders, "Why the sign?" and the figure of accuracy against ε. Running the whole
# notebook takes one to two minutes.
#
# **They will ask:** *Is this a bug of this one network?* No. Szegedy et al. (2014, arXiv:1312.6199) found adversarial
# examples for every network they tried, and `airbench`, which is far more accurate than `vgg3`, is fooled as well
# (optional sections below).
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import attacks, data, evaluation, figures, robustness, runs
from helpers.backend import tf
from helpers.explorer import LAST, FgsmExplorer

dataset = data.load()
model = runs.load("vgg3", dataset.name).model
shown = data.ORIGINAL_TEST_IMAGES
images, labels = data.to_float(dataset.x_test[:shown]), dataset.y_test[:shown]
one = slice(figures.RUNNING_IMAGE, figures.RUNNING_IMAGE + 1)
true = labels[figures.RUNNING_IMAGE]
report = robustness.load("vgg3", dataset.name)
print(f"the network is vgg3 as recorded in 03; the images are the first {len(images):,} test images of {dataset.title}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## One image, one slider
#
# **ε** limits how far each pixel value, from 0 to 1, may move: 8/255 means eight intensity levels out of 255. Leave ε
# at 0 until you have bet.

# %% tags=["core"]
explorer = FgsmExplorer(model, dataset.x_test[:shown], labels)
explorer.image.value = figures.RUNNING_IMAGE
explorer

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Collect bets first and write the smallest and the largest on the board. Then move ε one level at a time until the
# prediction changes. Afterwards, try two or three other images, one of them an image that FGSM does not fool, and
# switch to random-sign noise at the same ε. If the sliders do not appear, continue: the printed answer and the figures
# below show the same.
#
# **They will ask:** *Was the image unclear to begin with?* No. Set ε back to 0 and read the probability of the true
# class aloud.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "fragment"}
# **Your bet:** what is the smallest ε, in whole levels, that changes the prediction?

# %% tags=["core", "bet"]
my_level = 16  # at this level the change is plain to see

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
levels = np.arange(LAST + 1)
_, predicted = attacks.epsilon_sweep(model, images[one], labels[one], levels / 255)
wrong = levels[predicted[:, 0] != true]
assert predicted[0, 0] == true, "the running image must be classified correctly before the attack"
if wrong.size:
    first_wrong = data.CLASS_NAMES[predicted[wrong[0], 0]]
    print(f"first misclassified at ε = {wrong[0]}/255: {data.CLASS_NAMES[true]} → {first_wrong}")
else:
    print(f"correct at every ε up to {LAST}/255")

# %% tags=["core", "bet"]
print(f"your bet: {my_level}/255; the attack needs {wrong[0] if wrong.size else f'more than {LAST}'}/255")

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the ε at which people notice a change says nothing about the ε at which the network fails. Most people bet
# on an ε at which they would see the change.
#
# **They will ask:** *I can see the change at 8/255. Is that still an adversarial example?* Yes. Coloured speckles
# appear in dark, even areas, above all on a large screen. The threat model limits how far pixel values move, not how
# visible the change is; what matters is that nobody would change the label. Sharif, Bauer and Reiter (2018,
# arXiv:1802.09653) show how poorly such norms agree with human perception.
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
# | range | all 3,072 pixel values stay in [0, 1] |

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Ask which of these rows would not hold for somebody who puts a sticker on a road sign. The white-box assumption is
# generous to the attacker on purpose: security should not rest on secrecy (Kerckhoffs' principle).
#
# **They will ask:** *Does this work in the real world?* Printed and photographed FGSM images still fool a network
# (Kurakin et al. 2017, arXiv:1607.02533), and so do stickers on road signs (Eykholt et al. 2018, arXiv:1707.08945).
# Because camera and angle vary, such attacks are made to work for many views. *Why the ℓ∞ norm?* It is a simple and
# common convention, not a model of human vision.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Why the sign?
#
# Training changes the *weights* to lower the loss; the attack changes the *image* to raise it. For small δ, the loss at
# the image x is approximately linear:
#
# $$L(x + \delta, y) \approx L(x, y) + \sum_i \delta_i \, g_i, \qquad g = \nabla_x L(x, y)$$
#
# Here y is the true class, gᵢ the slope of the loss in pixel value i, and −ε ≤ δᵢ ≤ ε. Which δ maximises the sum?

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Maximise each term on its own:
#
# $$\delta = \varepsilon \cdot \operatorname{sign}(g), \qquad \sum_i \delta_i \, g_i = \varepsilon \sum_i |g_i|$$
#
# No other δ in this **ℓ∞ ball** of radius ε increases the *linearised* loss more. With signs drawn at random, the terms
# mostly cancel.

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
assert end > losses["random-sign noise"].max(), "the text says that the terms of random-sign noise mostly cancel"
figures.show(
    figures.loss_along_ray(epsilons, losses, climb),
    f"The loss of the running image against ε. Along the sign of the gradient, it is {end:.1f} nats at ε = 16/255; "
    f"along signs drawn at random, it is {losses['random-sign noise'][-1]:.2f}. At ε = 0, the loss rises "
    f"{climb / spread:.0f} times as steeply along the sign as it typically changes along signs drawn at random. The "
    f"linear approximation holds only near ε = 0: at 16/255, it gives {line_end:.1f}, which is too "
    f"{'low' if line_end < end else 'high'}. "
    "FGSM uses the direction of this approximation, not its value.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the high dimension makes this work. When all 3,072 small changes raise the loss, they add up. With signs
# drawn at random, the sum has mean 0 and standard deviation ε√Σgᵢ², and it is negative as often as positive.
#
# A common wrong answer is "use the gradient itself, because large slopes matter most". That is the best step if the
# Euclidean length of δ is limited. If each value is limited, the best step is the sign: even a value with a tiny slope
# adds a little, and moving it costs nothing.
#
# **They will ask:** *Why does the curve leave the line?* The slope of −log p contains the factor 1 − p, which is small
# where the network is confident, and grows as p falls. *Why should a network be nearly linear at all?* ReLU networks
# are piecewise linear, and architectures are chosen to behave linearly because that makes them easy to train;
# Goodfellow et al. (2015, arXiv:1412.6572, section 3) argue that this, together with the many inputs, explains
# adversarial examples. Ilyas et al. (2019, arXiv:1905.02175) add that networks use features of the data that do predict
# the class but are easily reversed.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The method: one step and one clip
#
# $$x_{\text{adv}} = \operatorname{clip}_{[0,1]}(x + \varepsilon \cdot \operatorname{sign}(\nabla_x L(x, y)))$$
#
# (Goodfellow et al. 2015.) "When float32 lies" explains the loss in this code, the **log-odds**:

# %% tags=["core"]
figures.show_source(attacks.fgsm, attacks.perturb)

# %% tags=["core"]
figures.show_source(attacks.gradient_sign, attacks.input_gradient)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Point out three details: the tape watches the images and not the weights; `training=False` switches dropout off; and ε
# enters only after the gradient. The sign does not depend on ε, so the slider needs only one gradient per image.
#
# **They will ask:** *The slides' network ends in softmax; does that matter?* Ours ends in logits, and softmax is
# applied only where we show a probability. A later slide shows where the difference matters. *Can the sign be 0?* Yes,
# where a slope is exactly 0; such a value does not move.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Original, perturbation, adversarial example
#
# A perturbation has negative values, so we show 0.5 + δ/(2ε): grey means unchanged; a colour channel is bright where it
# rises by ε, and dark where it falls.

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
# These are the three images that the assignment asks for. In the perturbation, pure red means that red rises while
# green and blue fall. Let the class look for speckles in the dark areas.
#
# **They will ask:** *Why does the perturbation look like noise and not like the other class?* Each value moves by the
# same amount, however small its slope, and a standard network's slopes follow the object only in part. 06 shows a
# network whose perturbation follows it more closely.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## Ten images
#
# Like the slides, we attack ten random test images with ε = 0.1 (25.5/255). On how many is the network **fooled**:
# correct before the attack, wrong after it?

# %% tags=["core", "bet"]
my_count = 10  # "an ε of 0.1 is plain to see, so every image is fooled"

# %% tags=["core", "reveal"]
ten = np.random.default_rng(0).choice(len(images), size=10, replace=False)
attacked = attacks.fgsm(model, images[ten], labels[ten], 0.1)
first, then = (evaluation.predictions(model, x) for x in (images[ten], attacked))
fooled = (first == labels[ten]) & (then != labels[ten])


def outcome(label, first, then):
    verdict = "wrong before" if first != label else "fooled" if then != label else "correct"
    return f"{data.CLASS_NAMES[first]}\n{data.CLASS_NAMES[then]}\n({verdict})"

# %% tags=["core", "reveal"]
low, high = evaluation.wilson_interval(fooled.sum(), (first == labels[ten]).sum())
figures.show(
    figures.attack_grid(images[ten], attacked, list(map(outcome, labels[ten], first, then)), 0.1),
    "Ten test images under FGSM with ε = 25.5/255, with the prediction before the attack above that after it. On "
    f"{fooled.sum()} of the {(first == labels[ten]).sum()} that are correct before it, the network is fooled. Ten "
    f"images do not give a precise rate (95% interval {low:.0%} to {high:.0%}). The perturbation δ is magnified 5 "
    "times.",
)

# %% tags=["core", "bet"]
print(f"your bet: {my_count} of ten; fooled: {fooled.sum()}")

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The slides show three of their ten images: automobile → truck, cat → deer and frog → frog. Ten images are too few for
# an attack success rate: the 95% interval in the caption is tens of points wide. The next slide uses about a thousand
# images and counts all of them. We fixed the seed, so you see the same ten images each time.
#
# **They will ask:** *Why are some images still classified correctly at such a large ε?* FGSM tries only one point for
# each ε. If this point is classified correctly, that says little about the points around it; PGD, two slides on, tries
# many.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## How often? Accuracy against ε, with a control
#
# Would *any* change of this size fool the network? The control is **random-sign noise**: a step of the same size along
# signs drawn at random.

# %% tags=["core"]
curves = {attack: (report[attack]["levels"], report[attack]["accuracy"]) for attack in ("random-sign noise", "FGSM")}
at_8 = {attack: accuracy[list(levels).index(8)] for attack, (levels, accuracy) in curves.items()}
clean = curves["FGSM"][1][0]
assert clean - at_8["FGSM"] > 2 * (clean - at_8["random-sign noise"]), "the direction matters, not the size alone"
figures.show(
    figures.accuracy_against_epsilon(curves, marked=8),
    f"Accuracy on {report['n']:,} test images of {dataset.title}, including those that are misclassified without an "
    f"attack. It is {clean:.1%} at ε = 0; at ε = 8/255, it is {at_8['FGSM']:.1%} under FGSM and "
    f"{at_8['random-sign noise']:.1%} under random-sign noise (95% intervals of at most ±"
    f"{100 * evaluation.ci_half_width(0.5, report['n']):.1f} points).",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# State the difference at a named ε, because noise with a large ε lowers the accuracy as well. An optional section
# computes the FGSM curve again, which takes about ten seconds, and compares it with the record.
#
# **They will ask:** *How can accuracy fall below chance level?* A random guess hits the true class 10% of the time; an
# attack steers away from it. *Are larger networks safer?* Standard ones are not: airbench, which is more accurate than
# vgg3, has an accuracy near zero under PGD as well (optional section). Capacity helps once a network is adversarially
# trained (Madry et al. 2018, arXiv:1706.06083, section 4).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Many small steps: PGD
#
# **Projected gradient descent** (PGD; Madry et al., 2018) makes a **random start** in the ℓ∞ ball, takes many small
# FGSM steps, and projects back into the ball after each. The accuracy under an attack is called **robust accuracy**.
# **AutoAttack** combines four attacks.

# %% tags=["core"]
curves["PGD"] = report["PGD"]["levels"], report["PGD"]["accuracy"]
under_pgd = curves["PGD"][1][list(curves["PGD"][0]).index(8)]
assert under_pgd < at_8["FGSM"], "the text says that PGD is the stronger attack"
survived = np.average(report["survival"][16], weights=np.bincount(dataset.y_test[: report["n"]], minlength=10))
back = round((curves["FGSM"][1][16] - survived) * report["n"])
figures.show(
    figures.robustness_curves({"vgg3": curves}, marked=8),
    f"On the same {report['n']:,} images at ε = 8/255, the accuracy is {under_pgd:.1%} under PGD "
    f"({robustness.PGD_IN_WORDS}) and {at_8['FGSM']:.1%} under FGSM. A larger ε is not always worse for the "
    f"network: under FGSM, {back} of the images are classified correctly at 16/255, but not at every smaller ε.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Accuracy under FGSM is an upper bound: a stronger attack can only lower it. A claim of robustness needs at least
# PGD, and preferably AutoAttack and an attack designed against the defence in question (06).
#
# **They will ask:** *Why "descent", if the loss rises?* The name is that of the general method, which here minimises
# the negative loss. *Is PGD the strongest attack?* No. PGD approaches a local maximum of the loss in the ball;
# AutoAttack is due to Croce and Hein (2020, arXiv:2003.01690).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The slides' attack, reviewed
#
# The slides compute `image + 0.1 * sign(gradient)` and draw the noise. What can go wrong?

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# | the slides' code | consequence | here |
# | --- | --- | --- |
# | does not clip | values outside [0, 1] | clip |
# | casts the noise to `uint8` (0 to 255) | −25 may become 231 | 0.5 + δ/(2ε) |
# | uses squared error on softmax | gradient vanishes at large logits | log-odds |
# | declares ε = 2/255, uses 0.1 | readers quote the wrong ε | ε stated each time |
# | draws images without a seed | not repeatable | seed |
#
# The step itself is correct.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Treat this as a code review: published code has contained each of these errors. Let the class answer before you
# show the table: it can guess the first two rows. Optional sections measure the first three.
#
# **They will ask:** *Then are the slides' results wrong?* No. The direction and the step are correct, and two of the
# three images fool the network. What three images cannot show is how often the attack succeeds.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## When float32 lies
#
# The cross-entropy −log p has the slope p − 1 in the true class's logit. Where this logit leads the others by about 17,
# p rounds to 1 in float32, which keeps about seven digits. The slope becomes 0, only tiny slopes in other logits remain,
# and the gradient changes direction without a warning. Our loss is the log-odds against the true class:
#
# $$\log \frac{1 - p}{p} = \log \sum_{j \ne y} e^{z_j} - z_y$$
#
# This loss rises with the cross-entropy, so exact arithmetic gives both the same sign.

# %% tags=["core"] slideshow={"slide_type": "subslide"}
lead = -attacks.log_odds(evaluation.logits(model, images), labels).numpy()  # of the true class over all others
signs = {loss: attacks.gradient_sign(model, images, labels, loss=loss).astype(np.int8) for loss in attacks.LOSSES}
agreement = (signs["cross-entropy"] == signs["log-odds"]).mean(axis=(1, 2, 3))
rounded = evaluation.probabilities(model, images)[np.arange(len(labels)), labels] == 1
assert agreement[rounded].mean() < 0.75 and agreement[lead < 10].min() > 0.99, "the sign fails where p rounds to 1"

# %% tags=["core"]
at = {
    loss: [f"{evaluation.accuracy(model, attacks.perturb(images, sign, k / 255), labels):.1%}" for k in (8, 16)]
    for loss, sign in signs.items()
}
exact = report.get("signs", {}).get("agreement", {}).get("log-odds", ())
least = f"{np.floor(1000 * min(exact, default=0)) / 10:.1f}%"
confirmed = f" (float64, with twice as many bits, confirms at least {least} of the latter on each image)"
confirmed = confirmed if exact else ""
assert min(exact, default=1) > 0.99, "the log-odds keep the sign"
figures.show(
    figures.sign_agreement(lead, agreement, np.log(2**24)),
    f"For {rounded.sum()} of {len(images):,} images, p = 1 in float32. On these, {agreement[rounded].mean():.0%} of "
    f"the signs of textbook cross-entropy agree with those of the log-odds{confirmed}; with coin flips, 50% would. On "
    f"all images, accuracy under FGSM at 8/255 and 16/255 then appears to be {' and '.join(at['cross-entropy'])} "
    f"instead of {' and '.join(at['log-odds'])}. With squared error on softmax, it is {' and '.join(at['mse'])}.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Why 17? In float32, a number has 24 significant bits, so 1 − p is lost below about 2⁻²⁴, and ln 2²⁴ = 16.6. With a
# slightly smaller lead, 1 − p keeps so few digits that some signs are already wrong. Such an evaluation makes a network
# appear more robust than it is, precisely where the network is most confident.
#
# **They will ask:** *Do the libraries get this right?* Foolbox, CleverHans and ART differentiate the textbook
# cross-entropy, so they agree with one another and share the error (optional section). *Would float64 help?* Yes, up to
# a lead of about 37 (ln 2⁵³), but the log-odds need no additional memory or time. *Is the loss itself wrong?* Its value
# is off by about 10⁻⁷ at most; what fails is the gradient. *Why is squared error nearly exact here?* Part of its slope
# in the true logit, −Σpⱼ² over the other classes, becomes 0 only at much larger leads. With logits × 20, it fails on
# most images (optional section).
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **FGSM** takes one step of size ε along the sign of the loss's input gradient, then clips.
# - **The sign** maximises the linearised loss; random-sign noise does this network far less harm.
# - **Original, perturbation and adversarial example** show one case; a rate needs many images, an ε and a control.
# - **An attack looks weak** if it takes only one step, or if float32 spoils its gradient.
#
# Next: can a network be made robust? [06-defence](06-defence.ipynb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Let the class name three errors that would make their own attack look weak. Then ask how they would defend the
# network, and open 06 with their suggestions on the board.
#
# **They will ask:** *Can't you detect adversarial examples instead?* Ten published detectors were broken by attacks
# that took the detector into account (Carlini and Wagner 2017, arXiv:1705.07263).
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: compute the curve yourself
#
# The figures above take their numbers from the recorded report. The cell below attacks the same images again, which
# takes about ten seconds, and compares the results. Each image needs only one gradient, however many values of ε there
# are.

# %% tags=["optional"]
first_test = slice(report["n"])
x, y = images[first_test], labels[first_test]
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
print(f"{outside.mean():.1%} of all pixel values are outside [0, 1]; in one image, {outside[brightest].mean():.1%} are")

# %% tags=["optional"]
looks = [wrapped, attacked[brightest], noise, figures.amplified((attacked - images[ten])[brightest], 0.1)]
titles = ["not clipped,\nwrapped by uint8", "clipped", "perturbation,\nwrapped by uint8", "perturbation,\ncentred, × 5"]
figures.show(
    figures.labelled_images(looks, titles, columns=4),
    "The same adversarial example without and with clipping, and its perturbation, once cast to uint8 and once centred "
    "on grey. "
    "Values below 0 wrap around to bright ones, and values above 1 to dark ones. In the perturbation, +25 becomes "
    "nearly black and −25 nearly white, which is the wrong way round.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### The three losses on a very confident network
#
# Multiply the logits by 20. Every prediction stays the same, but most predictions now have a probability of exactly 1
# in float32. The network is as vulnerable as before. With which losses does it appear more robust on the first 500 test
# images?

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
# Both networks make the same prediction on every image, so any difference between the columns comes from the attack,
# not from the network. A defence that relies on such a difference is a case of **gradient masking** (06).
#
# ## Optional: is a more accurate network more robust?
#
# `airbench` is more accurate than `vgg3`. Is it also more robust? All attacks below were run on the same images;
# `python -m helpers.robustness vgg3 --dataset cifar10` repeats those on `vgg3`.

# %% tags=["optional"]
reports = {"vgg3": report, "airbench": robustness.load("airbench", dataset.name)}
panels = {
    name: {attack: (found[attack]["levels"], found[attack]["accuracy"]) for attack in robustness.REPORT_ATTACKS}
    for name, found in reports.items()
}
named = robustness.REPORT_LEVEL
at_named = {
    name: {attack: accuracy[list(levels).index(named)] for attack, (levels, accuracy) in curves.items()}
    for name, curves in panels.items()
}

# %% tags=["optional"]
strong, slides = at_named["airbench"], at_named["vgg3"]
assert strong["FGSM"] > slides["FGSM"] and max(strong["PGD"], slides["PGD"]) < 0.1, "as the caption says"
figures.show(
    figures.robustness_curves(panels, named),
    f"Accuracy against ε on the first {report['n']:,} test images of {dataset.title}. At ε = {named}/255, the accuracy "
    f"of vgg3 is {slides['FGSM']:.1%} under FGSM, {slides['PGD']:.1%} under PGD and {slides['random-sign noise']:.1%} "
    f"under random-sign noise; that of airbench is {strong['FGSM']:.1%}, {strong['PGD']:.1%} and "
    f"{strong['random-sign noise']:.1%}. Judged by FGSM alone, airbench would pass for the more robust network; PGD "
    "shows that neither is robust.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# **How to read such curves.** Accuracy under FGSM is an *upper* bound for accuracy under a stronger attack. A curve may
# rise again with ε, because a step that is too long can overshoot the misclassified region. When you report such a
# curve, state ε, the attack, the number of images, and whether images that are misclassified without an attack are
# counted. Here they are. In our reports, an image that PGD fools at one ε counts as fooled at every larger ε, because
# the larger ball contains the same adversarial example.
#
# ### Random-sign noise on `airbench`
#
# How much accuracy does `airbench` lose to random-sign noise, that is, without any attack? And does the grain of the
# noise matter? In the table below, every pixel value moves by 8/255, but all values of one colour within a square block
# move in the same direction.

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
figures.show_table(["network", "no noise", "blocks of 1×1", "2×2", "4×4"], rows)

# %% tags=["optional"]
def lost(name):
    """How many points of accuracy a network loses to fine and to coarse noise, by the table's rounded numbers."""
    clean_part, fine, _, coarse = (round(100 * accuracy, 1) for accuracy in under_noise[name])
    return clean_part - fine, clean_part - coarse


def noise_left(size, first):
    """The standard deviations of each filter's outputs in a first layer: on images, and on noise of `size` alone."""
    kernel = first.kernel.numpy().reshape(-1, first.kernel.shape[-1])
    outputs = np.asarray(first(images[:200])).reshape(-1, kernel.shape[1])
    return outputs.std(axis=0), size * np.linalg.norm(kernel, axis=0)


# %% tags=["optional"]
fine, coarse = lost("airbench")
whitened, control = lost("fast")[0], lost("fast-unwhitened")[0]
signal, added = noise_left(8 / 255, networks["fast"].layers[0])
found = f"airbench loses {fine:.1f} points to fine noise and {coarse:.1f} to coarse noise of the same ε. "
if whitened - control > 5:
    found += (
        f"The likely cause is the first layer: fast loses {whitened:.1f} points to fine noise, but only "
        f"{control:.1f} if the same recipe trains it with an ordinary first layer. The whitening layer amplifies what "
        "varies least in photographs, their fine detail, so that its outputs vary more evenly. In "
        f"{np.sum(added > signal)} of its {len(signal)} filters, fine noise of this size then exceeds the image."
    )
else:
    found += f"Whitening does no harm here: fast loses {whitened:.1f} points with it and {control:.1f} without."
print(found)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the minimal adversarial ε
#
# For each image, we look for the smallest ε at which FGSM fools the network. For some images, no ε that we try does, so
# the mean of these numbers is undefined. A survival curve includes such images, too.

# %% tags=["optional"]
classes = np.array(report["survival"])
overall = classes @ np.bincount(dataset.y_test[first_test], minlength=10) / report["n"]
half = next((level for level, left in zip(report["FGSM"]["levels"], overall) if left < 0.5), None)
widest = report["FGSM"]["levels"][int(np.ptp(classes, axis=1).argmax())]
fell = f"It falls below one half at ε = {half}/255" if half else "It stays above one half"
figures.show(
    figures.survival_curve(report["FGSM"]["levels"], overall, classes, data.CLASS_NAMES),
    f"The fraction of {report['n']:,} test images of {dataset.title} that are classified correctly without an attack "
    f"and under FGSM with every ε up to the one shown. {fell} and is {overall[-1]:.1%} at ε = "
    f"{report['FGSM']['levels'][-1]}/255. Each grey line is a class; at ε = {widest}/255, where "
    "the classes differ most, the highest and the lowest are named.",
)

# %% tags=["optional"]
smallest = 255 * attacks.minimal_epsilon(model, images[:200], labels[:200], max_level=4, steps_per_level=4)
print(f"misclassified without an attack: {(smallest == 0).sum()} of 200 images")
print(f"fooled below 1/255, the smallest step of an 8-bit image: {((smallest > 0) & (smallest < 1)).sum()}")
print(f"not fooled up to 4/255: {np.isnan(smallest).sum()}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: which classes does the attack confuse?

# %% tags=["optional"]
counts = np.array(report["confusion_matrix"])
before_attack = evaluation.confusion_matrix(labels, evaluation.predictions(model, images))
((row, column, _),) = evaluation.most_confused_pairs(counts, 1)
((clean_row, clean_column, _),) = evaluation.most_confused_pairs(before_attack, 1)
attacked_rate, clean_rate = (m[row, column] / m[row].sum() for m in (counts, before_attack))
same = (row, column) == (clean_row, clean_column)
figures.show(
    figures.confusion(counts, data.CLASS_NAMES),
    f"The predictions of vgg3 on {counts.sum():,} test images of {dataset.title} under FGSM with ε = {named}/255. The "
    f"most frequent error is {data.CLASS_NAMES[row]} → {data.CLASS_NAMES[column]}, with {attacked_rate:.0%} of that "
    f"class, compared with {clean_rate:.0%} without an attack. Without one, the most frequent error on these images is "
    + ("the same." if same else f"{data.CLASS_NAMES[clean_row]} → {data.CLASS_NAMES[clean_column]}."),
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: does an adversarial example transfer?
#
# An attacker without access to your network (**black box**) can attack a network of their own, the **surrogate model**,
# and hope that the result **transfers**. The table is for the first 400 test images.

# %% tags=["optional"]
some, some_labels = images[:400], labels[:400]
pair = {name: networks[name] for name in ("vgg3", "airbench")}
# Small batches, because the feature maps of airbench are large: the kernel keeps to the memory that check promises.
made_for = {
    name: attacks.fgsm(network, some, some_labels, named / 255, batch_size=50) for name, network in pair.items()
}
made_for["no network: random-sign noise"] = attacks.random_sign_noise(some, named / 255, seed=0)
made_for["no perturbation"] = some
on = {
    name: {made: evaluation.accuracy(network, moved, some_labels) for made, moved in made_for.items()}
    for name, network in pair.items()
}
rows = [(made, *(f"{on[name][made]:.1%}" for name in pair)) for made in made_for]
figures.show_table([f"FGSM with ε = {named}/255, computed on", *(f"accuracy of {name}" for name in pair)], rows)

# %% tags=["optional"]
others = {"vgg3": "airbench", "airbench": "vgg3"}
for name, surrogate in others.items():
    noise_only, transferred = (round(100 * on[name][made], 1) for made in ("no network: random-sign noise", surrogate))
    extra = noise_only - transferred
    compared = f"{abs(extra):.1f} points {'more' if extra > 0 else 'less'} than random-sign noise"
    print(f"{name}: FGSM computed on {surrogate} costs {compared}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: does the attack survive being saved?
#
# An image file stores whole intensity levels. If ε is a whole number of levels, the result of FGSM consists of whole
# levels as well, and saving changes nothing. With another ε, or with PGD, saving rounds each value. The next cell
# compares both on 300 images.


# %% tags=["optional"]
def saved(images):
    """Float images as a file with 8 bits per value stores them."""
    return data.to_float(np.rint(255 * images).astype(np.uint8))


few, few_labels = images[:300], labels[:300]


def compare(name, moved):
    as_floats, from_file = (evaluation.accuracy(model, x, few_labels) for x in (moved, saved(moved)))
    print(f"{name}: accuracy {as_floats:.1%} as floats, {from_file:.1%} from a file")


for k in (0.4, 0.6, 8, 25.5):
    compare(f"FGSM, ε = {k:>4}/255", attacks.fgsm(model, few, few_labels, k / 255))
compare("PGD,  ε =    2/255", attacks.pgd(model, few, few_labels, 2 / 255, step_size=0.5 / 255, steps=20))

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Rounding removes a step below half a level and turns one just above half a level into a whole level, which makes the
# attack stronger. Rounding is therefore not a defence.
# 
# ## Optional: a library instead
#
# The assignment allows you to use a library. Foolbox runs the same attack with the textbook cross-entropy. Does it find
# the same signs?

# %% tags=["optional"]
import foolbox

wrapped_model = foolbox.TensorFlowModel(model, bounds=(0, 1), device="/CPU:0")
fast_gradient = foolbox.attacks.LinfFastGradientAttack()
same_values, correct = [], {"Foolbox": [], "attacks.fgsm": []}
for x, y in zip(np.array_split(images, 24), np.array_split(labels, 24), strict=True):  # small batches: little memory
    theirs = fast_gradient.run(wrapped_model, tf.constant(x), tf.constant(y), epsilon=8 / 255).numpy()
    ours = attacks.fgsm(model, x, y, 8 / 255)
    same_values.extend(np.isclose(theirs, ours, atol=1e-6).mean(axis=(1, 2, 3)))
    for name, moved in (("Foolbox", theirs), ("attacks.fgsm", ours)):
        correct[name].extend(evaluation.predictions(model, moved) == y)
same_values = np.array(same_values)
unsure, confident = lead < 10, np.flatnonzero(same_values < 0.9)
assert same_values[unsure].min() > 0.99, "where the network is unsure, both attacks agree"

# %% tags=["optional"]
least = np.floor(1000 * same_values[unsure].min()) / 10
print(f"{unsure.sum()} images have a lead below 10: on each, at least {least:.1f}% of the values agree")
least_lead = int(lead[confident].min())
print(f"on {len(confident)} images, fewer than 90% of the values agree; there, the lead is at least {least_lead}")
for name, each in correct.items():
    print(f"accuracy at ε = 8/255 under FGSM by {name}: {np.mean(each):.2%}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The two disagree on the confident predictions of "When float32 lies": there, the library's cross-entropy has lost the
# true class's part of the gradient. CleverHans and ART share this error, so agreement among libraries does not reveal
# it; a copy of the network in float64 does.
#
# ## Optional: your own photograph
#
# Run the next cell, choose a file (JPEG, PNG, GIF, WebP, BMP or TIFF, up to about 10 MB), then run the cells that
# follow. For a larger file, write its path into `my_path`. If you do neither, the cells use a test image.

# %% tags=["optional"]
import ipywidgets

upload = ipywidgets.FileUpload(accept="image/*", description="your photograph", layout={"width": "220px"})
upload

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The network takes 32 × 32 pixels, so we cut out a square and reduce it to this size. Can you still recognise the
# object? If it is near one side, change `centre`: 0 is the left or upper edge, 1 the right or lower one.

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
cut_out = f"{my_name}: the square that was cut out, and the same square with 32 × 32 pixels."
figures.show(
    figures.labelled_images([large, small], ["the square", "as the network sees it"], columns=2),
    cut_out if content else f"Test image {test_image}, which has 32 × 32 pixels, in place of a photograph of your own.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# An untargeted attack needs a class to move away from. Enter the true class if your image shows one of the ten; with
# `None`, the attack uses the predicted class. The network knows only these ten classes: it assigns even a bicycle to
# one of them, perhaps with confidence.

# %% tags=["optional"]
my_class = None  # or one of data.CLASS_NAMES, such as "cat"

mine = small[np.newaxis]
label = [data.CLASS_NAMES.index(my_class)] if my_class else evaluation.predictions(model, mine)
needed = attacks.minimal_epsilon(model, data.to_float(mine), np.array(label), max_level=LAST)[0]
print(f"{my_name}: FGSM needs", f"more than {LAST}/255" if np.isnan(needed) else f"ε = {255 * needed:.0f}/255")
FgsmExplorer(model, mine, np.array(label), image_names=[my_name])

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: your own network
#
# Any Keras classifier of 32 × 32 colour images with pixel values in [0, 1] will do; write its path into the next cell.
# If yours expects another range, make the conversion its first layer (`keras.layers.Rescaling`), so that ε keeps its
# meaning. A softmax at the end is recognised and removed, and a message says so.

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
# In each exercise, write the function, then run the cell below it, which checks your function and gives a hint if
# something is wrong.
#
# **1. FGSM by hand.** Write `my_fgsm(images, labels, epsilon)`, which attacks `model` with the help of
# `attacks.input_gradient`, a function that takes and returns tensors. It must agree with `attacks.fgsm`.


# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def my_fgsm(images, labels, epsilon):
    gradient = attacks.input_gradient(model, tf.constant(images), tf.constant(labels)).numpy()
    return np.clip(images + np.float32(epsilon) * np.sign(gradient), 0, 1)


# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
least_confident = evaluation.probabilities(model, images[:200]).max(axis=1).argsort()[:20]  # float32 suffices here
x, y = images[least_confident], labels[least_confident].astype(int)
found = np.asarray(my_fgsm(x, y, 8 / 255))
assert found.min() >= 0 and found.max() <= 1, "some values are outside [0, 1]: what does the last step of FGSM do?"
size = abs(found - x)
assert size.max() <= 8 / 255 + 1e-6, f"a value moves by {size.max():.3f}: no value may move by more than ε"
assert np.median(size) > 7 / 255, "most values move by less than ε: take the sign of the gradient, not the gradient"
agree = np.isclose(found, attacks.fgsm(model, x, y, 8 / 255), atol=1e-6).mean()
assert agree > 0.02, "hardly any value agrees: does your step climb the loss, or descend?"
assert agree > 0.99, f"{agree:.0%} of the values agree: take the cross-entropy or log-odds of the true class"
print("correct: FGSM by hand agrees with attacks.fgsm")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. The attack success rate.** Write `success_rate(adversarial, images, labels)`, which returns, of the images that
# `model` classifies correctly, the fraction that it misclassifies after the attack. Papers report this rate alongside
# robust accuracy.


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
print(f"correct: the success rate is {found:.1%} at ε = 2/255, where the accuracy is {is_right.mean():.1%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Predict, then compute.** An attacker who does not know the true labels can attack the *predicted* labels instead.
# First, write your prediction into the docstring: will the accuracy at ε = 8/255 (always measured with the true labels)
# be higher or lower than under an attack that knows the true labels, and which images make the difference? Then write
# `accuracy_without_labels(images, labels, epsilon)`, which returns this accuracy.


# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def accuracy_without_labels(images, labels, epsilon):
    """Prediction: higher or equal, because a misclassified image may be pushed into its true class."""
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
print(f"correct: accuracy {found:.1%} without the labels, {with_truth:.1%} with them")
print(f"{luck} of {len(x)} images are classified correctly only because of the attack")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. Make it a frog.** With `targeted=True`, `labels` are the target classes, and FGSM *lowers* their loss. Write
# `reached(target, images, labels, epsilon)`, which returns, of the images of *other* classes, the fraction that `model`
# predicts as `target` after the attack. Why is this fraction lower than the success rate of the untargeted attack?


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
assert not np.isclose(found, up.mean()), "this raises the loss of the target class: pass targeted=True"
assert not np.isclose(found, down.mean()), "leave out the images that show the target already"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
print(f"correct: {found:.1%} are predicted as frogs; an untargeted attack succeeds with any wrong class")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **5. PGD by hand.** Write `my_pgd(images, labels, epsilon, step_size, steps)` with your `my_fgsm`, starting at the
# images themselves. After each step, project into the ℓ∞ ball around the *original* images.


# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def my_pgd(images, labels, epsilon, step_size, steps):
    moved = images
    for _ in range(steps):
        moved = my_fgsm(moved, labels, step_size)
        moved = np.clip(moved, images - np.float32(epsilon), images + np.float32(epsilon))
    return moved


# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y = images[:100], labels[:100].astype(int)
two, moved = (np.asarray(my_pgd(x, y, 4 / 255, 1 / 255, steps)) for steps in (2, 10))
farthest = abs(two - x).max(), abs(moved - x).max()
assert farthest[0] <= 2 / 255 + 1e-6, "after two steps of 1/255, a value has moved by more than 2/255: use `step_size`"
assert farthest[0] > 1.5 / 255, "after two steps, no value has moved by 2/255: does each start where the last ended?"
assert farthest[1] <= 4 / 255 + 1e-6, f"{255 * farthest[1]:.1f}/255 is too far: project around the original images"
assert moved.min() >= 0 and moved.max() <= 1, "some values are outside [0, 1]"
one_step, many = (evaluation.accuracy(model, part, y) for part in (attacks.fgsm(model, x, y, 4 / 255), moved))
assert many < one_step, f"accuracy {many:.0%} after ten steps, {one_step:.0%} after one: take a new gradient each time"
print(f"correct: accuracy {many:.0%} under ten small steps, {one_step:.0%} under one large step")

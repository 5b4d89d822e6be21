# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 06 · Can a network be made robust?
#
# **The question:** what makes a network harder to fool, what does it cost, and how would you know?
#
# Afterwards you can
#
# - explain adversarial training and find its code,
# - state its price,
# - tell a robust network from one that only looks robust.
#
# **Before this:** [05-fgsm](05-fgsm.ipynb). **Time:** 10 minutes for the core.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: one simple defence works, it costs clean accuracy on CIFAR-10, and it is easy to believe in one that does
# not work. Ask first: "How would you defend the network?" Common answers are to blur the image, to add noise, or to
# hide the gradient.
#
# Short of time: show the figure with price and gain, then go to the three things to take home. Running everything
# takes about a minute.
#
# **They will ask:** *Why not blur or compress the image first?* The attacker differentiates through the blur, or
# around it. Athalye, Carlini and Wagner (2018, arXiv:1802.00420) broke seven of nine such defences, six of them
# completely.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import attacks, data, evaluation, figures, robustness, runs, training
from helpers.autoattack import ATTACKS
from helpers.backend import tf
from helpers.explorer import FgsmExplorer

dataset = data.load()
shown = data.ORIGINAL_TEST_IMAGES
images, labels = data.to_float(dataset.x_test[:shown]), dataset.y_test[:shown]
recorded = [name for name in ("vgg3", "standard-twin") if (runs.folder(name, dataset.name) / "attacks.json").exists()]
standard = recorded[-1]  # standard-twin, where it is recorded: adversarial-fgsm's network and recipe without the attack
names = (*recorded, "adversarial-fgsm", "adversarial-pgd")
reports = {name: robustness.load(name, dataset.name) for name in names}
networks = {name: runs.load(name, dataset.name).model for name in dict.fromkeys((standard, "vgg3", "adversarial-fgsm"))}
print(f"{dataset.name}: recorded networks {', '.join(names)}; the first {len(images):,} test images")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Adversarial training: attack each batch, then learn from it
#
# $$\min_\theta \; \sum_{(x,\,y)} \; \max_{\lVert\delta\rVert_\infty \le \varepsilon} L_\theta(x + \delta,\; y)$$
#
# θ are the weights. The inner maximum can only be approximated: `adversarial-fgsm` takes one step from a random start
# (Wong, Rice and Kolter, 2020), `adversarial-pgd` three steps (after Madry et al., 2018, who took seven). This runs
# before each step of 03:

# %% tags=["core"]
figures.show_source(training.adversarial_batch, attacks.ascend)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: it is data augmentation by an adversary. The loop is that of 03; the images are new in each step, because
# the weights have moved. A common wrong answer: "make adversarial examples once and add them to the training set".
# The network then memorises those, and FGSM finds others.
#
# Madry et al. took 7 steps of 2/255 within 8/255 on CIFAR-10; ours are 3 steps of 4/255.
#
# **They will ask:** *How much longer does it take?* Each attack step costs one more forward and backward pass: one
# step about doubles the work of an epoch, three steps about quadruple it. An optional cell prints the recorded
# seconds per epoch. *Why a random start?* The slide after next shows what happens without one.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## What it costs, what it gains
#
# Take 100 clean images that the standard network classifies correctly. How many of them does `adversarial-fgsm` lose?

# %% tags=["core", "bet"]
my_bet = 7  # about the difference of the two accuracies

# %% tags=["core", "reveal"]
correct = {name: evaluation.predictions(networks[name], images) == labels for name in (standard, "adversarial-fgsm")}
paired = evaluation.paired_comparison(correct[standard], correct["adversarial-fgsm"])
kept = correct[standard].sum()
lost = 100 * paired.only_first / kept
print(f"of {kept} images that {standard} classifies correctly,")
print(f"adversarial-fgsm loses {paired.only_first}: {lost:.0f} of 100")
percent = [round(100 * found.mean(), 1) for found in correct.values()]
change = f"{abs(percent[1] - percent[0]):.1f} points {'lower' if percent[1] < percent[0] else 'higher'}"
print(f"it gains {paired.only_second} others; its accuracy of {percent[1]}% is {change} than {percent[0]}%")

# %% tags=["core", "bet"]
print(f"your bet: {my_bet} of 100; lost: {lost:.0f}")

# %% tags=["core", "reveal"]
level = robustness.REPORT_LEVEL


def recorded_curves(name):
    """Levels and accuracies under each recorded attack on a network, all on the same images."""
    found = reports[name]
    curves = {key: (found[key]["levels"], found[key]["accuracy"]) for key in ("random-sign noise", "FGSM", "PGD")}
    if len(found.get("AutoAttack", {}).get("attacks", ())) == len(ATTACKS):
        curves["AutoAttack"] = [found["AutoAttack"]["level"]], [found["AutoAttack"]["accuracy"]]
    return curves


curves = {name: recorded_curves(name) for name in names}
at_level = {
    name: {"clean": reports[name]["FGSM"]["accuracy"][0]}
    | {attack: accuracies[list(levels).index(level)] for attack, (levels, accuracies) in found.items()}
    for name, found in curves.items()
}

# %% tags=["core", "reveal"]
before, after = at_level[standard], at_level["adversarial-fgsm"]
assert before["PGD"] < 0.1 and 0.3 < after["PGD"] < after["clean"], "robust accuracy is gained, not all of it"
same_images = reports[standard]["n"] == len(images)
assert not same_images or np.isclose(before["clean"], correct[standard].mean()), "the report is of another network"

# %% tags=["core", "reveal"]
sizes = [found["n"] for found in reports.values()]
where = f"the first {sizes[0]:,} {dataset.name} test images"
if len(set(sizes)) > 1:
    where = f"{dataset.name} test images, not as many for each network ({', '.join(map(str, sizes))})"
like_for_like = standard == "standard-twin"
confounders = (
    "standard-twin has the network and recipe of adversarial-fgsm without its attack, so the difference is the price."
    if like_for_like
    else "vgg3 differs in architecture, optimiser, augmentation and epochs as well, so this is "
    "not the price of the attack alone."
)

# %% tags=["core", "reveal"]
autoattack = " AutoAttack combines four attacks." if any("AutoAttack" in found for found in at_level.values()) else ""
drawn = {
    name: {key: accuracy for key, accuracy in found.items() if key != "random-sign noise"}
    for name, found in at_level.items()
}
figures.show(
    figures.clean_vs_robust(drawn, level / 255),
    f"Accuracy on {where}, clean and under attack. Under "
    f"PGD at ε = {level}/255 {standard} keeps {before['PGD']:.1%} and adversarial-fgsm {after['PGD']:.1%}; on clean "
    f"images adversarial-fgsm has {after['clean']:.1%} against {before['clean']:.1%}. {confounders}{autoattack}",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read one row aloud with its numbers. The bet counts images, paired on the same images: the difference of two
# accuracies hides that some images are lost and others gained. PGD took 20 steps of ε/4 from 5 random starts. The two
# defences had different numbers of epochs, so they do not compare step by step.
#
# Where only vgg3 is recorded as a standard network, say the confounders that the caption names.
#
# **They will ask:** *Why does it cost accuracy?* Weak patterns that help on clean images can be reversed within the
# ℓ∞ ball, so a robust network cannot rely on them (Tsipras et al. 2019, arXiv:1805.12152). *Can it be avoided?* Far
# more data narrows the difference; the optional cells name the best published networks, and nobody has closed it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Compare the two networks
#
# One pair of sliders attacks both. Find an image on which `adversarial-fgsm` is correct at 8/255, then one on which
# it is wrong without an attack.

# %% tags=["core"]
compared = {name: networks[name] for name in ("vgg3", "adversarial-fgsm")}
explorer = FgsmExplorer(compared, dataset.x_test[:shown], labels)
explorer.image.value = figures.RUNNING_IMAGE
explorer

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Compare the two perturbations: for the standard network it looks like noise, for the robust one it often follows the
# outline of the object. The probabilities are lower, too. At 8/255 the adversarial image still looks like the
# original.
#
# If the sliders do not appear, continue: the figure before shows the same for all images.
#
# **They will ask:** *Does the robust network see as we do?* More than the other: its input gradients align with what
# people see (Tsipras et al. 2019). It still errs on a large part of the images.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Immune to FGSM: robust?
#
# A third network learns from FGSM at ε = 16/255 *without* a random start. **Catastrophic overfitting** is a collapse:
# within an epoch or two, accuracy under PGD falls to almost zero while accuracy under FGSM keeps rising. Does it
# happen here?

# %% tags=["core"]
overfitted = runs.load("catastrophic-overfitting", dataset.name)
trained_on = overfitted.record["recipe"]["attack"]["epsilon"]
few, few_labels = images[: training.ATTACK_EVAL_SIZE], labels[: training.ATTACK_EVAL_SIZE]
guessed = evaluation.predictions(overfitted.model, few)
after_training = {
    "clean": few,
    "random-sign noise": attacks.random_sign_noise(few, trained_on, seed=0),
    "FGSM, predicted label": attacks.fgsm(overfitted.model, few, guessed, trained_on),
}
final = {name: evaluation.accuracy(overfitted.model, x, few_labels) for name, x in after_training.items()}
pgd, fgsm = (overfitted.history[key] for key in ("pgd_accuracy", "fgsm_accuracy"))
best = int(np.argmax(pgd))
collapsed = pgd[-1] < 0.05 and pgd[best] > 0.1 and fgsm[-1] > fgsm[best]

# %% tags=["core"]
verdict = (
    f"It does: under PGD it falls from {pgd[best]:.0%} after epoch {best + 1} to {pgd[-1]:.0%}, under FGSM it rises "
    f"to {fgsm[-1]:.0%}. The network has learned to beat this one step, not the attack."
    if collapsed
    else f"Not on {dataset.name}: under PGD it ends at {pgd[-1]:.0%}, under FGSM at {fgsm[-1]:.0%}."
)
noisy, guessed_away = final["random-sign noise"], final["FGSM, predicted label"]
expects = min(noisy, guessed_away) > final["clean"] + 0.02
more = " Both exceed its clean accuracy: it expects perturbations of this size." if expects else ""
figures.show(
    figures.epochs_under_attack(overfitted.history, final),
    f"Accuracy on the first {len(few)} {dataset.name} test images after each epoch, under attack with ε = "
    f"{255 * trained_on:.0f}/255. {verdict} Diamonds, after training: clean {final['clean']:.0%}, random-sign noise "
    f"{noisy:.0%}, FGSM away from the predicted label {guessed_away:.0%}.{more}",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Accuracy under FGSM proves nothing about robustness. The evaluation must be stronger than the attack in training,
# and *adaptive*: designed against this very defence.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The common wrong answer: "FGSM fails, so there is no adversarial example nearby". FGSM looks at one corner of the ℓ∞
# ball. After the collapse the slope at the image points elsewhere than the slope around it (optional cell).
#
# Two diamonds say what the network has learned. Stepping away from the predicted label gives away nothing that it
# does not know; the difference to FGSM with the true label is the **label leak** (Kurakin et al. 2017,
# arXiv:1611.01236).
#
# **They will ask:** *How do you prevent it?* A random start and a smaller ε, noise in training (N-FGSM, de Jorge et
# al. 2022, arXiv:2202.01181), or early stopping on PGD accuracy of validation images (Wong et al. 2020,
# arXiv:2001.03994).
#
# </details>

# %% tags=["core"] slideshow={"slide_type": "skip"}
vulnerable = at_level["vgg3"]
assert vulnerable["clean"] > 0.7 and vulnerable["PGD"] < 0.1, "take home 1"
loss_to_noise, loss_to_fgsm = (vulnerable["clean"] - vulnerable[key] for key in ("random-sign noise", "FGSM"))
assert loss_to_noise < loss_to_fgsm / 4, "take home 2"
print("the sentences of 'What we saw' follow from the recorded numbers")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **Adversarial training** attacks each batch and learns from the result.
# - **Its price** is counted in images lost and gained, like for like, and in more work per epoch.
# - **A network that only looks robust** beats FGSM and falls to PGD.
#
# **Three things to take home from the lecture**
#
# 1. A network can be accurate on clean images and wrong on nearly all adversarial ones.
# 2. The perturbation is tiny but not random: noise of the same size does far less.
# 3. A claim of robustness needs a threat model, a control, and a stronger, adaptive attack.
#
# Back to the beginning: [01-data](01-data.ipynb).

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# End on the three things. Ask the class for the first three questions that they would now put to the authors of the
# headline "our network resists attacks": which ε, which attack, what accuracy on clean images?
#
# **They will ask:** *Is any network certified?* Yes, with smaller numbers: randomised smoothing proves robustness for
# a radius in the Euclidean norm (Cohen, Rosenfeld and Kolter 2019, arXiv:1902.02918).
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: all recorded numbers

# %% tags=["optional"]
conditions = ("clean", "random-sign noise", "FGSM", "PGD", "AutoAttack")
rows = [
    (name, *(f"{found[condition]:.1%}" if condition in found else "not recorded" for condition in conditions))
    for name, found in at_level.items()
]
figures.show_table(["network", *conditions], rows)
print(f"attacks at ε = {level}/255, on {where}")

# %% tags=["optional"]
for name in ("adversarial-fgsm", "adversarial-pgd", *(["standard-twin"] if like_for_like else [])):
    record = runs.read_record(name, dataset.name)
    epochs, seconds = record["recipe"]["epochs"], record["seconds"]
    duration = f"{epochs} epochs in {seconds / 60:.0f} minutes on {record['machine']}"
    print(f"{name}: {record['parameters']:,} parameters, {duration}")
print("vgg3 was trained for many more epochs by another optimiser: its minutes do not show the cost of the attack")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: accuracy against ε, standard and adversarially trained

# %% tags=["optional"]
panels = {name: curves[name] for name in (standard, "adversarial-fgsm")}
left = {name: found["FGSM"] - found["PGD"] for name, found in at_level.items()}
figures.show(
    figures.robustness_curves(panels, level),
    f"Accuracy on {where} against ε. At ε = {level}/255 "
    f"FGSM leaves {standard} {before['FGSM']:.1%} and adversarial-fgsm {after['FGSM']:.1%}, PGD {before['PGD']:.1%} "
    f"and {after['PGD']:.1%}. On adversarial-fgsm one step comes within {100 * left['adversarial-fgsm']:.1f} points "
    "of PGD.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### How far is that from the best?
#
# [RobustBench](https://robustbench.github.io) ranks networks for CIFAR-10 at ε = 8/255 by AutoAttack (Croce and Hein,
# 2020), on all test images with original pixels.
#
# | network | parameters | training | clean | AutoAttack |
# | --- | ---: | --- | ---: | ---: |
# | PreActResNet-18, Wong et al. 2020 | 11 million | minutes on one GPU | 83.3% | 43.2% |
# | WideResNet-94-16, Bartoldson et al. 2024 | 366 million | 300 million synthetic images | 93.7% | 73.7% |
# | the same with MeanSparse, Amini et al. 2024 | 366 million | – | 93.6% | 75.3% |
#
# The last row is a lesson of its own. 75.28% is the plain AutoAttack figure; an attack adapted to the MeanSparse
# layer brings it to 73.10%, below the network that MeanSparse was added to, and RobustBench ranks the entry by that.
# Our networks are 100 times smaller than these and were trained for minutes on two processor cores, so do not compare
# the last digit. Their numbers under PGD would be lower under AutoAttack.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the slope turns within the ℓ∞ ball
#
# FGSM is reliable where the loss is close to linear: there the gradient at the image and the gradient at a random
# point of the ball have the same direction. Andriushchenko and Flammarion (*Understanding and Improving Fast
# Adversarial Training*, 2020) measure it by the cosine between the two. 1 means the same direction, 0 that one says
# nothing about the other. The ball must be the one of the training.

# %% tags=["optional"]
def alignment(network, epsilon, count=500):
    """The cosine between the loss's gradients at each of `count` images and at a random point within epsilon of it."""
    rng, clean = np.random.default_rng(0), images[:count]
    near = np.clip(clean + rng.uniform(-epsilon, epsilon, clean.shape), 0, 1).astype(np.float32)
    slopes = []
    for x in (clean, near):
        parts = [slice(start, start + 100) for start in range(0, len(x), 100)]
        found = [attacks.input_gradient(network, tf.constant(x[p]), tf.constant(labels[:count][p])) for p in parts]
        slopes.append(np.concatenate(found).reshape(len(x), -1))
    a, b = slopes
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-30)

# %% tags=["optional"]
measured = {
    "adversarial-fgsm": (networks["adversarial-fgsm"], 8 / 255),
    "catastrophic-overfitting": (overfitted.model, trained_on),
    f"{standard}, for comparison": (networks[standard], trained_on),
}
for name, (network, epsilon) in measured.items():
    cosine = alignment(network, epsilon)
    half_width = 1.96 * cosine.std() / np.sqrt(len(cosine))
    print(f"{name:>26}: {cosine.mean():.2f} ± {half_width:.2f} at ε = {255 * epsilon:.0f}/255, {len(cosine)} images")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the label leak
#
# FGSM steps away from the *true* class, so the step itself carries information about it. A network can learn to read
# the class from the step: then it is more accurate on adversarial examples than on clean images (Kurakin, Goodfellow
# and Bengio, *Adversarial Machine Learning at Scale*, 2017). An attack on the predicted label tells the network
# nothing new.

# %% tags=["optional"]
fgsm_true = evaluation.accuracy(
    overfitted.model, attacks.fgsm(overfitted.model, few, few_labels, trained_on), few_labels
)
leak, clean_few = fgsm_true - guessed_away, final["clean"]
low, high = evaluation.wilson_interval(round(fgsm_true * len(few)), len(few))
print(f"clean {clean_few:.1%}; FGSM, true label {fgsm_true:.1%} ({low:.1%} to {high:.1%} at 95%), {len(few)} images")
print(f"FGSM, predicted label {guessed_away:.1%}: the true label is worth {100 * leak:.1f} points")
print("label leaking" if fgsm_true > clean_few and leak > 0.05 else f"no label leaking on {dataset.name}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: how a defence deceives its author
#
# Many published defences only make the gradient useless: **gradient masking**. Here is the simplest one. Multiply the
# logits by 50 and take the softmax: predictions stay the same, and nearly every probability becomes 0 or 1. The
# author attacks the *probabilities*, sees that little happens, and publishes. An adaptive attacker takes the logits
# before the factor.
#
# Two losses, two attacks: which of the two makes the difference?

# %% tags=["optional"]
import warnings

import keras

pixels = keras.Input((32, 32, 3))
hard = keras.ops.softmax(50.0 * networks["vgg3"](pixels))
masked = keras.Model(pixels, keras.ops.log(keras.ops.clip(hard, 1e-7, 1.0)))
two_hundred, their_labels, limit = images[:200], labels[:200], 8 / 255
remaining = {}
for target, network, loss in (("probabilities", masked, "cross-entropy"), ("logits", networks["vgg3"], "log-odds")):
    with warnings.catch_warnings():  # of gradients that are zero: the next cell counts them
        warnings.simplefilter("ignore")
        sign = attacks.gradient_sign(network, two_hundred, their_labels, loss=loss)
        many = attacks.pgd(network, two_hundred, their_labels, limit, step_size=limit / 4, steps=20)
    moved = attacks.perturb(two_hundred, sign, limit), many
    remaining[target] = [evaluation.accuracy(networks["vgg3"], x, their_labels) for x in moved]
    print("attack on the {:>13}: FGSM leaves {:6.1%}, PGD {:6.1%} correct".format(target, *remaining[target]))

# %% tags=["optional"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    signs = attacks.gradient_sign(masked, two_hundred, their_labels, loss="cross-entropy")
stuck = ~signs.any(axis=(1, 2, 3))
assert remaining["logits"][0] < min(remaining["probabilities"]), "the loss decides, not the number of steps"
print(f"the gradient through the probabilities is zero everywhere for {stuck.sum()} of {len(stuck)} images")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# A stronger attack through the wrong loss remains blind: steps do not help where the slope is zero. One step along
# the right loss already breaks the defence. Signs of a masked gradient: random-sign noise does as well as FGSM, more
# steps do not help, a large ε leaves some images correct, or a transferred attack does better than a direct one
# (Athalye, Carlini and Wagner, *Obfuscated Gradients Give a False Sense of Security*, 2018).

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# **1. Predict, then compute.** `adversarial-fgsm` was trained at ε = 8/255. Write your prediction into the docstring:
# which fraction of its accuracy under FGSM at 8/255 is left at 16/255? Then write `fraction_left(network, images,
# labels)`.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def fraction_left(network, images, labels):
    """Prediction: about a half; robustness does not end at the ε of the training, it declines."""
    small, large = (attacks.fgsm(network, images, labels, level / 255) for level in (8, 16))
    return evaluation.accuracy(network, large, labels) / evaluation.accuracy(network, small, labels)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
network, x, y = networks["adversarial-fgsm"], images[:300], labels[:300]
at_8, at_16 = (evaluation.accuracy(network, attacks.fgsm(network, x, y, k / 255), y) for k in (8, 16))
found = fraction_left(network, x, y)
assert not np.isclose(found, at_16), "this is the accuracy at 16/255: divide it by the accuracy at 8/255"
assert not np.isclose(found, at_8 / at_16), "upside down: the fraction that is left at the larger ε is below 1"
assert np.isclose(found, at_16 / at_8), f"got {found:.3f}, expected {at_16 / at_8:.3f}"
print(f"correct: {at_8:.1%} at 8/255, {at_16:.1%} at 16/255; {found:.0%} is left")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Lost and gained.** Two networks with the same accuracy can be correct on different images. Write
# `lost_and_gained(first, second, images, labels)`: how many images only `first` classifies correctly, and how many
# only `second`.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def lost_and_gained(first, second, images, labels):
    a, b = (evaluation.predictions(network, images) == labels for network in (first, second))
    return (a & ~b).sum(), (~a & b).sum()

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
first, second = networks["vgg3"], networks["adversarial-fgsm"]
a, b = (evaluation.predictions(network, images[:500]) == labels[:500] for network in (first, second))
expected = (a & ~b).sum(), (~a & b).sum()
found = tuple(int(count) for count in lost_and_gained(first, second, images[:500], labels[:500]))
assert found != (a.sum(), b.sum()), "these are all correct images of each network: leave out what both do"
assert found != expected[::-1] or expected[0] == expected[1], "the other way round: begin with `first`"
assert found == expected, f"got {found}, expected {tuple(map(int, expected))}; their difference is {a.sum() - b.sum()}"
print(f"correct: {found[0]} lost, {found[1]} gained; the difference of {abs(found[0] - found[1])} images hides that")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Somebody else's attack.** Write `transfer(source, target, images, labels, epsilon)`: the accuracy of `target`
# on FGSM examples made for `source` (05, "does an adversarial example transfer?"). Which direction between vgg3 and
# adversarial-fgsm still does harm?

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def transfer(source, target, images, labels, epsilon):
    return evaluation.accuracy(target, attacks.fgsm(source, images, labels, epsilon), labels)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y = images[:300], labels[:300]
moved = {name: attacks.fgsm(network, x, y, 8 / 255) for name, network in (("a", first), ("b", second))}
expected, swapped = evaluation.accuracy(second, moved["a"], y), evaluation.accuracy(first, moved["b"], y)
found = transfer(first, second, x, y, 8 / 255)
assert not np.isclose(found, evaluation.accuracy(first, moved["a"], y)), "judge `target`, not the attacked network"
assert not np.isclose(found, swapped) or np.isclose(swapped, expected), "attack `source`, judge `target`"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
print(f"correct: vgg3 → adversarial-fgsm leaves {found:.1%}, the other direction {swapped:.1%}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. The worst of several attacks.** A network is robust on an image only if *every* attack fails. Write
# `worst_case(network, attacked, labels)` for a list of attacked versions of the same images: the fraction of images
# on which the network is correct under all of them. This is how AutoAttack reports.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def worst_case(network, attacked, labels):
    return np.mean(np.all([evaluation.predictions(network, x) == labels for x in attacked], axis=0))

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
x, y = images[:200], labels[:200]
versions = [attacks.fgsm(second, x, (y + k) % 10, 8 / 255, targeted=True) for k in (1, 2, 3)]
versions.append(attacks.fgsm(second, x, y, 8 / 255))
survives = np.array([evaluation.predictions(second, version) == y for version in versions])
found, expected = worst_case(second, versions, y), survives.all(axis=0).mean()
assert not np.isclose(found, survives.mean()), "a mean is no worst case: ask for all attacks on each image"
assert not np.isclose(found, survives.any(axis=0).mean()), "one failed attack is not enough: every attack must fail"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
print(f"correct: {found:.1%} under all, {survives.mean(axis=1).min():.1%} under the strongest single attack")

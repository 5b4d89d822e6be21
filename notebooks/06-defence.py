# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 06 · Can a network be made robust?
#
# **The question:** what makes a network harder to fool, what does it cost, and how can you tell?
#
# Afterwards, you can
#
# - explain adversarial training and find its code,
# - state its price,
# - tell a robust network from one that only looks robust.
#
# **Before this:** [05-fgsm](05-fgsm.ipynb). **Time:** 10 minutes.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: one simple defence works, though it costs clean accuracy on CIFAR-10; and people easily believe in defences
# that do not work. First, ask: "How would you defend the network?" Common suggestions are to blur the image, to add
# noise, or to hide the gradient.
#
# If you are short of time, show the figure of accuracies on clean images and under attack, then go to the three things
# to take home. Running everything takes one to two minutes.
#
# **They will ask:** *Why not blur or compress the image first?* The attacker differentiates through the blur or
# approximates its gradient. Of nine defences published at one conference, seven relied on such obstacles to the
# gradient; Athalye, Carlini and Wagner (2018, arXiv:1802.00420) broke six of these completely and one partially.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import attacks, data, durations, evaluation, figures, robustness, runs, training
from helpers.autoattack import ATTACKS
from helpers.backend import tf
from helpers.explorer import FgsmExplorer

dataset = data.load()
shown = data.ORIGINAL_TEST_IMAGES
images, labels = data.to_float(dataset.x_test[:shown]), dataset.y_test[:shown]
names = "vgg3", "standard-twin", "adversarial-fgsm", "adversarial-pgd"
reports = {name: robustness.load(name, dataset.name) for name in names}
networks = {name: runs.load(name, dataset.name).model for name in names[:3]}
assert {report["n"] for report in reports.values()} == {len(images)}, "all reports must be of the same images"
attacked = [runs.read_record(name, dataset.name)["recipe"]["attack"] for name in names[2:]]
taken = [(attack["steps"], round(255 * attack["step_size"]), round(255 * attack["epsilon"])) for attack in attacked]
assert taken == [(1, 8, 8), (3, 4, 8)], "as the text on adversarial training says"
print(f"recorded networks: {', '.join(names)}; the first {len(images):,} test images of {dataset.title}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Adversarial training: attack each batch, then learn from it
#
# $$\min_\theta \; \sum_{(x,\,y)} \; \max_{\lVert\delta\rVert_\infty \le \varepsilon} L_\theta(x + \delta,\; y)$$
#
# Here, θ denotes the weights. The inner maximum can only be approximated: `adversarial-fgsm` adds uniform noise and
# takes one step of 8/255 from there (**N-FGSM**, de Jorge et al. 2022), and `adversarial-pgd` takes three of 4/255 from
# a random start within ε = 8/255 (after Madry et al. 2018). Each attack step costs one more forward and backward pass.
# This code runs before each training step:

# %% tags=["core"]
figures.show_source(training.adversarial_batch, attacks.ascend)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: this is data augmentation by an adversary. The loop is that of 03; the adversarial examples are new in each
# step, because the weights have changed. A common wrong suggestion is "make adversarial examples once and add them to
# the training set". The network would then learn to classify those, and FGSM would find others.
#
# On CIFAR-10, Madry et al. took 7 steps of 2/255 within 8/255; we take 3 steps of 4/255.
#
# **They will ask:** *How much longer does it take?* One attack step makes an epoch about two thirds longer, and three
# steps triple it: an attack needs no gradients of the weights, so its backward pass is cheaper than that of training.
# An optional section lists passes and recorded times. *Why the noise?* "Immune to FGSM: robust?" shows what can happen
# without it. *May N-FGSM leave the ℓ∞ ball?* Yes, during training, because noise and step add up. Every evaluation
# stays within ε.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## What it costs, what it gains
#
# `standard-twin` has the architecture and the recipe of `adversarial-fgsm`, without the attack. Of 100 unperturbed
# images (**clean images**) that `standard-twin` classifies correctly, how many does `adversarial-fgsm` misclassify?

# %% tags=["core", "bet"]
my_bet = 5

# %% tags=["core", "reveal"]
pair = "standard-twin", "adversarial-fgsm"
correct = {name: evaluation.predictions(networks[name], images) == labels for name in pair}
paired = evaluation.paired_comparison(*correct.values())
lost = 100 * paired.only_first / correct["standard-twin"].sum()
print(f"Of {correct['standard-twin'].sum():,} images that standard-twin classifies correctly, adversarial-fgsm")
print(f"misclassifies {paired.only_first}, or {lost:.1f} of 100.")
percent = [round(100 * found.mean(), 1) for found in correct.values()]
change = f"{abs(percent[1] - percent[0]):.1f} points {'lower' if percent[1] < percent[0] else 'higher'}"
print(f"It gains {paired.only_second} others; its accuracy, {percent[1]}%, is {change} than the twin's, {percent[0]}%.")

# %% tags=["core", "bet"]
print(f"your bet: {my_bet} of 100; misclassified: {lost:.1f}")

# %% tags=["core", "reveal"]
level = robustness.REPORT_LEVEL


def recorded_curves(name):
    """Levels and accuracies under each recorded attack on a network, all on the same images."""
    found = reports[name]
    curves = {key: (found[key]["levels"], found[key]["accuracy"]) for key in robustness.REPORT_ATTACKS}
    if len(found.get("AutoAttack", {}).get("attacks", ())) == len(ATTACKS):
        curves["AutoAttack"] = [found["AutoAttack"]["level"]], [found["AutoAttack"]["accuracy"]]
    return curves


curves = {name: recorded_curves(name) for name in names}

# %% tags=["core", "reveal"]
at_level = {
    name: {"clean": reports[name]["FGSM"]["accuracy"][0]}
    | {attack: accuracies[list(levels).index(level)] for attack, (levels, accuracies) in found.items()}
    for name, found in curves.items()
}

before, after = (at_level[name] for name in pair)
assert before["PGD"] < 0.1 and 0.3 < after["PGD"] < after["clean"], "robust accuracy is gained, not all of it"
assert np.isclose(before["clean"], correct["standard-twin"].mean()), "the report is of another network"

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
where = f"the first {len(images):,} test images of {dataset.title}"
epochs = [runs.read_record(name, dataset.name)["recipe"]["epochs"] for name in names[2:]]
spans = [durations.in_words(durations.seconds(name, dataset.name)) for name in names[2:]]
autoattack = " AutoAttack combines four attacks." if any("AutoAttack" in found for found in at_level.values()) else ""
drawn = {
    name: {key: accuracy for key, accuracy in found.items() if key != "random-sign noise"}
    for name, found in at_level.items()
}
figures.show(
    figures.clean_vs_robust(drawn, level / 255),
    f"Accuracy on {where}, clean and under attack. Under PGD at ε = {level}/255, standard-twin has an accuracy of "
    f"{before['PGD']:.1%} and adversarial-fgsm of {after['PGD']:.1%}; on clean images, that of adversarial-fgsm is "
    f"{change}. These two are compared like for like; vgg3 differs in architecture and recipe, and adversarial-pgd was "
    f"trained for {epochs[1]} epochs instead of {epochs[0]}, in {spans[1]} instead of {spans[0]}.{autoattack}",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read one row aloud with its numbers. The bet compares the two networks image by image: the difference of two
# accuracies does not show how many images are lost and how many gained. `adversarial-pgd` has the same architecture and
# was trained for about the same time, so the two compare one step with three: three steps are a stronger attack, but
# leave time for fewer epochs.
#
# **They will ask:** *Why does adversarial training cost accuracy?* Weak patterns that help on clean images can be
# reversed within the ℓ∞ ball, so a robust network cannot rely on them (Tsipras et al. 2019, arXiv:1805.12152). On the
# sketches, it costs almost nothing, because the shapes remain clear at 8/255. *Can the cost on CIFAR-10 be avoided?* Far
# more data reduces it; the optional section "How far is that from the best?" names networks that still pay it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Compare two networks
#
# The sliders attack both networks. Find an image on which `adversarial-fgsm` is correct at 8/255, then one on which it
# is wrong without an attack.

# %% tags=["core"]
compared = {name: networks[name] for name in ("vgg3", "adversarial-fgsm")}
explorer = FgsmExplorer(compared, dataset.x_test[:shown], labels)
explorer.image.value = figures.RUNNING_IMAGE
explorer

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Compare the two perturbations: that of the standard network looks like noise, while that of the robust one often
# follows the outline of the object. On CIFAR-10, the robust network is also less confident. At 8/255, both adversarial
# examples still show the true class.
#
# If the sliders do not appear, continue: the figure before them gives the accuracies on all images.
#
# **They will ask:** *Does the robust network see as we do?* More so than the standard one: its input gradients agree
# better with what people perceive (Tsipras et al. 2019). Still, it misclassifies many images that people recognise.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Immune to FGSM: robust?
#
# The same architecture was trained with FGSM at ε = 16/255 *without* noise. In **catastrophic overfitting**, accuracy
# under PGD falls to almost zero within an epoch or two, while accuracy under FGSM rises. Does this happen here?

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

# %% tags=["core"] slideshow={"slide_type": "subslide"}
verdict = (
    f"It happens: accuracy under PGD falls from {pgd[best]:.0%} after epoch {best + 1} to {pgd[-1]:.0%}, while "
    f"accuracy under FGSM rises to {fgsm[-1]:.0%}. The network withstands this one step, but not many small ones."
    if collapsed
    else f"On {dataset.title}, it does not happen: at the end, accuracy is {pgd[-1]:.0%} under PGD and {fgsm[-1]:.0%} "
    "under FGSM."
)
noisy, guessed_away = final["random-sign noise"], final["FGSM, predicted label"]
expects = noisy > final["clean"] + 0.02
more = " Noise even raises the network's accuracy: it has adapted to perturbations of this size." if expects else ""
figures.show(
    figures.epochs_under_attack(overfitted.history, final),
    f"Accuracy on the first {len(few)} test images of {dataset.title} after each epoch, under attack with ε = "
    f"{255 * trained_on:.0f}/255. {verdict} The diamonds show accuracies after training: {final['clean']:.0%} clean, "
    f"{noisy:.0%} under random-sign noise, and {guessed_away:.0%} under FGSM away from the predicted label.{more}",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Accuracy under FGSM does not prove robustness. An evaluation needs an attack that is stronger than the one used
# in training, and *adaptive*: designed against this very defence. Our accuracies under PGD are only upper bounds.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# A common wrong answer is "FGSM fails, so there is no adversarial example nearby". FGSM looks at only one corner of the
# ℓ∞ ball. After the collapse, the gradient at the image and the gradient near it have different directions (see the
# optional part).
#
# On CIFAR-10, the diamonds show what the network has learned. FGSM with the true label tells the network something
# about that label; this is the **label leak** (Kurakin et al. 2017, arXiv:1611.01236). FGSM with the predicted label
# tells it nothing that it does not know, and fewer images are then classified correctly.
#
# **They will ask:** *How do you prevent it?* With noise and a smaller ε, as `adversarial-fgsm` does (N-FGSM,
# arXiv:2202.01181), with a random start within ε, or by ending the training when the accuracy under PGD on a batch of
# training images collapses (Wong et al. 2020, arXiv:2001.03994).
#
# </details>

# %% tags=["core"] slideshow={"slide_type": "skip"}
vulnerable = at_level["vgg3"]
assert vulnerable["clean"] > 0.7 and vulnerable["PGD"] < 0.1, "take home 1"
loss_to_noise, loss_to_fgsm = (vulnerable["clean"] - vulnerable[key] for key in ("random-sign noise", "FGSM"))
assert loss_to_noise < loss_to_fgsm / 4, "take home 2"

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **Adversarial training** attacks each batch and learns from the result.
# - **Its price**, measured like for like: some images are lost, perhaps others gained, and each epoch takes more work.
# - **A network that withstands FGSM** may still fail under PGD: then it only looks robust.
#
# **Three things to take home**
#
# 1. A network can be accurate on clean images and wrong on nearly all adversarial ones.
# 2. The perturbation is small but not random: noise of the same size does `vgg3` far less harm.
# 3. A claim of robustness needs a threat model, a control, and a strong, adaptive attack.
#
# Back to the beginning: [01-data](01-data.ipynb).

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# End with the three things to take home. Then let the class put questions to the authors of the headline "our network
# resists attacks": which ε, which attack, what accuracy on clean images?
#
# **They will ask:** *Is any network certified to be robust?* Yes, at lower accuracies: randomised smoothing proves
# robustness within a radius in the Euclidean norm (Cohen, Rosenfeld and Kolter 2019, arXiv:1902.02918).
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: all recorded numbers

# %% tags=["optional"]
conditions = ("clean", *robustness.REPORT_ATTACKS, "AutoAttack")
rows = [
    (name, *(f"{found[condition]:.1%}" if condition in found else "not recorded" for condition in conditions))
    for name, found in at_level.items()
]
figures.show_table(["network", *conditions], rows)
print(f"attacks at ε = {level}/255, on {where}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: accuracy against ε, standard and adversarially trained

# %% tags=["optional"]
percent = {attack: round(100 * accuracy, 1) for attack, accuracy in after.items()}
under = [f"{percent[attack]}% under {attack}" for attack in ("FGSM", "PGD", "AutoAttack") if attack in percent]
figures.show(
    figures.robustness_curves({name: curves[name] for name in pair}, level),
    f"Accuracy against ε on {where}. At ε = {level}/255, the accuracy of standard-twin is {before['FGSM']:.1%} under "
    f"FGSM and {before['PGD']:.1%} under PGD; that of adversarial-fgsm is {', '.join(under[:-1])} and {under[-1]}, so "
    f"FGSM overstates its robust accuracy by at least {percent['FGSM'] - min(percent.values()):.1f} points.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### How far is that from the best?
#
# [RobustBench](https://robustbench.github.io) ranks networks for CIFAR-10 by their accuracy under AutoAttack (Croce and
# Hein, 2020) at ε = 8/255, on all test images with their original pixels.
#
# | network | parameters | training | clean | AutoAttack |
# | --- | ---: | --- | ---: | ---: |
# | PreActResNet-18, Wong et al. 2020 | 11 million | minutes on one GPU | 83.3% | 43.2% |
# | WideResNet-94-16, Bartoldson et al. 2024 | 366 million | 300 million synthetic images | 93.7% | 73.7% |
# | the same with MeanSparse, Amini et al. 2024 | 366 million | – | 93.6% | 75.3% |
#
# The last row is a lesson in itself. The 75.28% were measured under plain AutoAttack; an attack adapted to the
# MeanSparse layer lowers the accuracy to 73.10%, below that of the network to which MeanSparse was added, and
# RobustBench ranks the entry by this lower number.
#
# The next table shows our networks, which are small and are judged on fewer images.

# %% tags=["optional"]
rows = []
for name in names[1:]:
    record, found = runs.read_record(name, dataset.name), at_level[name]
    passes = 1 + (record["recipe"].get("attack") or {"steps": 0})["steps"]
    span = durations.in_words(durations.seconds(name, dataset.name))
    accuracies = (f"{found[key]:.1%}" if key in found else "not recorded" for key in ("clean", "PGD", "AutoAttack"))
    size = f"{record['parameters'] / 1e6:.2f} million"
    rows.append((name, size, passes, record["recipe"]["epochs"], span, *accuracies))
columns = "network", "parameters", "passes per batch", "epochs", "training", "clean", "PGD", "AutoAttack"
figures.show_table(columns, rows)
print(f"accuracies on {where}, under attack at ε = {level}/255; a pass is one forward and one backward pass")
print(f"training: the time of all training steps, measured on one machine in one run ({durations.load()['machine']})")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the gradient turns within the ℓ∞ ball
#
# FGSM is reliable where the loss is close to linear: there, the gradient at the image and the gradient at a random
# point of the ball have nearly the same direction. Andriushchenko and Flammarion (*Understanding and Improving Fast
# Adversarial Training*, 2020) measure this by the cosine of the angle between the two gradients: 1 means that they have
# the same direction, 0 that they are orthogonal. We evaluate each adversarially trained network at the ε with which it
# was trained.

# %% tags=["optional"]
def alignment(network, epsilon, count=500):
    """The cosine between the loss's gradients at each of `count` images and at a random point within epsilon of it."""
    rng, clean = np.random.default_rng(0), images[:count]
    near = np.clip(clean + rng.uniform(-epsilon, epsilon, clean.shape), 0, 1).astype(np.float32)
    slopes = []
    for x in (clean, near):
        parts = [slice(start, start + 25) for start in range(0, len(x), 25)]
        found = [attacks.input_gradient(network, tf.constant(x[p]), tf.constant(labels[:count][p])) for p in parts]
        slopes.append(np.concatenate(found).reshape(len(x), -1))
    a, b = slopes
    return (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-30)

# %% tags=["optional"]
measured = {
    "adversarial-fgsm": (networks["adversarial-fgsm"], 8 / 255),
    "catastrophic-overfitting": (overfitted.model, trained_on),
    "standard-twin, for comparison": (networks["standard-twin"], trained_on),
}
for name, (network, epsilon) in measured.items():
    cosine = alignment(network, epsilon)
    half_width = 1.96 * cosine.std() / np.sqrt(len(cosine))
    print(f"{name:>29}: {cosine.mean():.3f} ± {half_width:.3f} at ε = {255 * epsilon:.0f}/255, {len(cosine)} images")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the label leak
#
# FGSM steps away from the *true* class, so the step itself carries information about it. A network can learn to read
# the class from the step; it is then more accurate on adversarial examples than on clean images (Kurakin, Goodfellow
# and Bengio, *Adversarial Machine Learning at Scale*, 2017). A step away from the *predicted* class tells it
# nothing new.

# %% tags=["optional"]
fgsm_true = evaluation.accuracy(
    overfitted.model, attacks.fgsm(overfitted.model, few, few_labels, trained_on), few_labels
)
leak, clean_few = fgsm_true - guessed_away, final["clean"]
low, high = evaluation.wilson_interval(round(fgsm_true * len(few)), len(few))
print(f"clean {clean_few:.1%}; FGSM, true label {fgsm_true:.1%} ({low:.1%} to {high:.1%} at 95%), {len(few)} images")
print(f"FGSM, predicted label {guessed_away:.1%}, a change of {-100 * leak:+.1f} points")
print("the label leaks" if fgsm_true > clean_few and leak > 0.05 else f"no label leak on {dataset.title}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: how a defence deceives its author
#
# Many published defences merely make the gradient useless, which is called **gradient masking**. Here is a simple
# example. Multiply the logits by 50 and take the softmax: the predictions stay the same, and nearly every probability
# becomes 0 or 1. The author attacks the *probabilities*, finds that most predictions remain correct, and publishes. An
# adaptive attacker instead differentiates the logits, before they are multiplied.
#
# The cell below attacks both the probabilities and the logits, with FGSM and with PGD. Which makes the difference on
# the first 200 test images: the number of steps, or the function that is differentiated?

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
    print("attack on the {:>13}: accuracy {:6.1%} under FGSM, {:6.1%} under PGD".format(target, *remaining[target]))

# %% tags=["optional"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    signs = attacks.gradient_sign(masked, two_hundred, their_labels, loss="cross-entropy")
stuck = ~signs.any(axis=(1, 2, 3))
assert remaining["logits"][0] < min(remaining["probabilities"]), "one good step is better than many blind ones"
print(f"the gradient through the probabilities is zero everywhere for {stuck.sum()} of {len(stuck)} images")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Through the probabilities, even PGD remains blind: more steps do not help where the gradient is zero. Through the
# logits, a single step already breaks the defence. Symptoms of gradient masking are that random-sign noise lowers
# accuracy as much as FGSM does, that more steps do not help, that some images are still classified correctly under PGD
# at a very large ε, or that a transferred attack is stronger than a direct one (Athalye, Carlini and Wagner, *Obfuscated
# Gradients Give a False Sense of Security*, 2018).

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# In each exercise, write the function, then run the cell below it, which checks your function and gives a hint if
# something is wrong.
#
# **1. Predict, then compute.** `adversarial-fgsm` was trained at ε = 8/255. Write your prediction into the docstring:
# what fraction of its accuracy under FGSM at 8/255 remains at 16/255? Then write `fraction_left(network, images,
# labels)`, which returns this fraction.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def fraction_left(network, images, labels):
    """Prediction: more than a half; robustness does not end at the ε of the training but declines gradually."""
    small, large = (attacks.fgsm(network, images, labels, level / 255) for level in (8, 16))
    return evaluation.accuracy(network, large, labels) / evaluation.accuracy(network, small, labels)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
network, x, y = networks["adversarial-fgsm"], images[:300], labels[:300]
at_8, at_16 = (evaluation.accuracy(network, attacks.fgsm(network, x, y, k / 255), y) for k in (8, 16))
found = fraction_left(network, x, y)
assert not np.isclose(found, at_16), "this is the accuracy at 16/255: divide it by the accuracy at 8/255"
assert not np.isclose(found, at_8 / at_16), "upside down: divide the accuracy at 16/255 by that at 8/255"
assert np.isclose(found, at_16 / at_8), f"got {found:.3f}, expected {at_16 / at_8:.3f}"
print(f"correct: accuracy {at_8:.1%} at 8/255 and {at_16:.1%} at 16/255, so {found:.0%} remains")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Lost and gained.** Two networks with the same accuracy can be correct on different images. Write
# `lost_and_gained(first, second, images, labels)`, which returns how many images only `first` classifies correctly, and
# how many only `second` does.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def lost_and_gained(first, second, images, labels):
    a, b = (evaluation.predictions(network, images) == labels for network in (first, second))
    return (a & ~b).sum(), (~a & b).sum()

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
first, second = networks["vgg3"], networks["adversarial-fgsm"]
a, b = (evaluation.predictions(network, images[:500]) == labels[:500] for network in (first, second))
expected = (a & ~b).sum(), (~a & b).sum()
found = tuple(int(count) for count in lost_and_gained(first, second, images[:500], labels[:500]))
assert found != (a.sum(), b.sum()), "these are all correct images of each network: leave out those that both get right"
assert found != expected[::-1] or expected[0] == expected[1], "the other way round: begin with `first`"
assert found == expected, f"got {found}, expected {tuple(map(int, expected))}; their difference is {a.sum() - b.sum()}"
print(f"correct: {found[0]} lost, {found[1]} gained; the difference, {abs(found[0] - found[1])} images, hides this")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Somebody else's attack.** Attackers who cannot see the weights of a network may attack another network instead
# and hope that the adversarial examples **transfer**: that they fool the first network as well. Write `transfer(source,
# target, images, labels, epsilon)`, which returns the accuracy of `target` on adversarial examples that FGSM computed
# on `source`. By how many points does the attack on `vgg3` lower the accuracy of `adversarial-fgsm`, and by how many
# does the attack on `adversarial-fgsm` lower that of `vgg3`?

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def transfer(source, target, images, labels, epsilon):
    return evaluation.accuracy(target, attacks.fgsm(source, images, labels, epsilon), labels)

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
first, second, x, y = networks["vgg3"], networks["adversarial-fgsm"], images[:300], labels[:300]
moved = {name: attacks.fgsm(network, x, y, 8 / 255) for name, network in (("a", first), ("b", second))}
expected, swapped = evaluation.accuracy(second, moved["a"], y), evaluation.accuracy(first, moved["b"], y)
found = transfer(first, second, x, y, 8 / 255)
assert not np.isclose(found, evaluation.accuracy(first, moved["a"], y)), "judge `target`, not the attacked network"
assert not np.isclose(found, swapped) or np.isclose(swapped, expected), "attack `source`, judge `target`"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
clean = [evaluation.accuracy(network, x, y) for network in (first, second)]
drops = 100 * (clean[1] - found), 100 * (clean[0] - swapped)
print(f"correct: the attack on vgg3 lowers the accuracy of adversarial-fgsm, {clean[1]:.1%}, by {drops[0]:.1f} points;")
print(f"the attack on adversarial-fgsm lowers that of vgg3, {clean[0]:.1%}, by {drops[1]:.1f} points")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. The worst of several attacks.** A network is robust on an image only if *every* attack fails. Write
# `worst_case(network, attacked, labels)`, where `attacked` is a list of arrays that hold the same images, each after a
# different attack. It returns the fraction of images on which the network is correct under all attacks. AutoAttack
# counts in this way.

# %% tags=["homework", "solution"] slideshow={"slide_type": "skip"} jupyter={"source_hidden": true}
def worst_case(network, attacked, labels):
    return np.mean(np.all([evaluation.predictions(network, x) == labels for x in attacked], axis=0))

# %% tags=["homework", "check"] slideshow={"slide_type": "skip"}
network, x, y = networks["adversarial-fgsm"], images[:200], labels[:200]
versions = [attacks.fgsm(network, x, (y + k) % 10, 8 / 255, targeted=True) for k in (1, 2, 3)]
versions.append(attacks.fgsm(network, x, y, 8 / 255))
survives = np.array([evaluation.predictions(network, version) == y for version in versions])
found, expected = worst_case(network, versions, y), survives.all(axis=0).mean()
assert not np.isclose(found, survives.mean()), "a mean is not a worst case: on each image, all attacks must fail"
assert not np.isclose(found, survives.any(axis=0).mean()), "one failed attack is not enough: every attack must fail"
strongest = survives.mean(axis=1).min()
assert not np.isclose(found, strongest), "this is the strongest attack alone: another one may fool further images"
assert np.isclose(found, expected), f"got {found:.3f}, expected {expected:.3f}"
print(f"correct: accuracy {found:.1%} under all, {strongest:.1%} under the strongest single attack")

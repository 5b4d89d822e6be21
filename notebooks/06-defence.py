# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 06 · Can a network be made to hold?
#
# **The question:** what makes a network harder to fool, what does that cost, and how would you know?
#
# Afterwards you can
#
# - explain adversarial training in one sentence, and point at its lines of code,
# - name its price,
# - tell a defence that holds from one that only looks so.
#
# **Before this:** [05-fgsm](05-fgsm.ipynb), which fools the network of the slides. **Time:** 10 minutes for the core.
# Running everything takes half a minute and less than 1.5 GB.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: one simple defence works, it costs accuracy, and it is easy to believe in one that does not work. Ask first:
# "how would you defend the network?" Common answers are to blur the picture, to add noise, to hide the gradient. The
# last slides say why hiding the gradient is none.
#
# Short of time: show the figure with price and gain, then go to the end.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import warnings

import ipywidgets
import numpy as np

from helpers import attacks, data, evaluation, figures, robustness, runs, training
from helpers.explorer import FgsmExplorer

dataset = data.load()
shown = data.ORIGINAL_TEST_IMAGES
images, labels = data.to_float(dataset.x_test[:shown]), dataset.y_test[:shown]
names = ("vgg3", "airbench", "adversarial-fgsm", "adversarial-pgd")
reports = {name: robustness.load(name, dataset.name) for name in names}
model, defended = (runs.load(name, dataset.name).model for name in ("vgg3", "adversarial-fgsm"))
print(f"{dataset.name}: {dataset.source}")
print("networks:", ", ".join(names), "as recorded by helpers.training; attacked by helpers.robustness")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## One idea: attack each batch, learn from the result
#
# Training looks for weights θ with a small loss on the pictures. Now let the attacker move each picture first:
#
# $$\min_\theta \; \sum_{(x,\,y)} \; \max_{\lVert\delta\rVert_\infty \le \varepsilon} L_\theta(x + \delta,\; y)$$
#
# L is the cross-entropy, x a picture with class y, δ the perturbation, none of its entries larger than ε. The inner
# maximum cannot be found exactly. One step of FGSM or a few of PGD come near it. That is all of **adversarial training**.

# %% tags=["core"] slideshow={"slide_type": "subslide"}
figures.show_source(training.adversarial_batch)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# `make_step` of 03 calls this before each step; the loop stays as it was. Two networks of one architecture were trained:
#
# - **adversarial-fgsm** with one step from a random start (Wong, Rice and Kolter, *Fast is better than free*, 2020),
# - **adversarial-pgd** with three steps (Madry et al., *Towards Deep Learning Models Resistant to Adversarial Attacks*, 2018).

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: it is data augmentation by an enemy. The loop is that of 03; the pictures are new in each step, because the
# weights have moved since. Common wrong answer: "make the adversarial pictures once and add them to the training set".
# The network then learns those pictures, and FGSM finds others.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What it gains, and what it costs
#
# Bet: of 100 pictures that the undefended network gets right, how many does the defended one give up *without* any attack?

# %% tags=["core"]
my_bet = 5  # points of accuracy on untouched pictures
NAMED = robustness.REPORT_LEVEL


def share(name, attack):
    """The recorded accuracy under `attack` at ε = 0 and at the named ε; PGD takes the first 1,017 test images."""
    found = reports[name][attack]
    return [found["accuracy"][found["levels"].index(level)] for level in (0, NAMED)]


colours = dict(zip(names, (figures.ORANGE, figures.ORANGE, figures.BLUE, figures.BLUE)))
points = {name: (*share(name, "PGD"), colours[name]) for name in names}
price = 100 * (points["vgg3"][0] - points["adversarial-fgsm"][0])
figures.show(
    figures.clean_vs_robust(points),
    f"Accuracy on {reports['vgg3']['n_pgd']:,} {dataset.name} test images, untouched and under PGD with "
    f"ε = {NAMED}/255. PGD leaves vgg3 {points['vgg3'][1]:.1%} and adversarial-fgsm {points['adversarial-fgsm'][1]:.1%}; on "
    f"untouched images adversarial-fgsm has {points['adversarial-fgsm'][0]:.1%}, {-price:+.1f} points against vgg3. Your bet "
    f"was {my_bet}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# A defended network sees less: it must not trust the faint patterns that help on untouched pictures, because the
# attacker writes with the same ink. And it still loses a large share of the pictures. Nobody has a full defence.

# %% tags=["core"] slideshow={"slide_type": "skip"}
rows = [
    (name, f"{share(name, 'FGSM')[0]:.1%}", *(f"{share(name, a)[1]:.1%}" for a in ("random-sign noise", "FGSM", "PGD")))
    for name in names
]
figures.show_table(["network", "untouched", "random signs", "FGSM", "PGD (first test images)"], rows)
print(f"all at ε = {NAMED}/255; {reports['vgg3']['n']:,} test images, PGD {reports['vgg3']['n_pgd']:,}")

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read one dot aloud with both of its numbers. PGD took 20 steps of ε/4 from 5 random starts. The networks differ in more
# than the defence: `airbench` and the defended ones share their layout, but neither width nor activation, and the defended have no
# whitening layer. So the price is not a clean comparison with vgg3; the gain is far larger than any such difference. Nor do
# the two defences compare step by step: three steps of attack cost more time, so adversarial-pgd had fewer epochs.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Both under your hand
#
# The sliders move both networks at once: above the undefended one, below the defended one. Find a picture on which the
# defended network holds at 8/255. Then find one that it gets wrong with no attack at all.

# %% tags=["core"]
above, below = (FgsmExplorer(network, dataset.x_test[:shown], labels) for network in (model, defended))
above.image.value = below.image.value = figures.RUNNING_IMAGE
for slider in ("image", "epsilon"):
    ipywidgets.jslink((getattr(above, slider), "value"), (getattr(below, slider), "value"))
titles = (ipywidgets.HTML(f"<h3>{name}</h3>") for name in ("vgg3, undefended", "adversarial-fgsm"))
ipywidgets.VBox([next(titles), above.widget, next(titles), below.widget])

# %% tags=["core"] slideshow={"slide_type": "subslide"}
picture = slice(figures.RUNNING_IMAGE, figures.RUNNING_IMAGE + 1)
true = labels[figures.RUNNING_IMAGE]
adversarial = attacks.fgsm(defended, images[picture], labels[picture], 8 / 255)
before, after = (evaluation.probabilities(defended, x)[0] for x in (images[picture], adversarial))
figure = figures.adversarial_example(
    images[picture][0], adversarial[0], before, after, true, data.CLASS_NAMES, 8 / 255
)
figures.show(
    figure,
    f"The running photograph, attacked on the defended network with ε = 8/255. Its answer goes from "
    f"{data.CLASS_NAMES[before.argmax()]} ({before.max():.0%}) to {data.CLASS_NAMES[after.argmax()]} "
    f"({after.max():.0%}). The perturbation in the middle is centred on grey and made 16 times stronger.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Compare the middle picture with the one in 05: against the undefended network it looked like noise, here it follows
# the outline of the thing. The attacker now has to change what people see, too. Less sure answers are part of the price.
#
# If the widget does not come up, go on: the picture shows one position of it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Immune to FGSM: robust?
#
# A third network learned from FGSM without a random start, and with a larger ε. Here is how it did after each epoch, on
# the attack that it was trained against. Bet before you run the cell: how does it do under PGD in the end?

# %% tags=["core"]
my_bet = 30  # percent right under PGD after the last epoch
overfitted = runs.load("catastrophic-overfitting", dataset.name)
last = {key: values[-1] for key, values in overfitted.history.items()}
trained_on = overfitted.record["recipe"]["attack"]["epsilon"]
figures.show(
    figures.epochs_under_attack(overfitted.history),
    f"Accuracy on {training.ATTACK_EVAL_SIZE} test images of {dataset.name} after each epoch of training on FGSM with "
    f"ε = {255 * trained_on:.0f}/255 and without a random start. At the end: untouched {last['test_accuracy']:.0%}, "
    f"under FGSM {last['fgsm_accuracy']:.0%}, under PGD with the same ε {last['pgd_accuracy']:.0%}. Your bet was "
    f"{my_bet}%.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Where PGD falls to zero within an epoch and FGSM does not, that is **catastrophic overfitting**: the network has learned to
# beat one step of this size, and holds against nothing else. It bends its loss so that the slope at the picture leads
# nowhere; smaller steps walk around the bend. An accuracy under FGSM is no evidence of robustness. Under PGD it is some.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the judge must be stronger than the attack that was trained against. Common wrong answer: "FGSM fails, so
# there is no adversarial picture near". FGSM looks at one point on the edge of the box. The optional cells measure how
# the slope turns, and how the network reads the true class out of the attack itself.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Measured: the slope turns within the box
#
# FGSM is right where the loss is close to a straight line: there the gradient at the picture and the gradient at a random
# point of the box point the same way. Andriushchenko and Flammarion (*Understanding and Improving Fast Adversarial
# Training*, 2020) measure that by the cosine between the two: 1 means the same direction, 0 that one says nothing of the
# other.

# %% tags=["optional"]
def alignment(network, epsilon, count=200):
    """Mean cosine between the loss's gradients at a picture and at a random point within epsilon of it."""
    rng, few = np.random.default_rng(0), images[:count]
    near = np.clip(few + rng.uniform(-epsilon, epsilon, few.shape), 0, 1).astype(np.float32)
    a, b = (
        attacks.input_gradient(network, x, labels[:count].astype(int)).numpy().reshape(count, -1) for x in (few, near)
    )
    cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-30)
    return cosines.mean()


for name, network in (("vgg3", model), ("adversarial-fgsm", defended), ("catastrophic-overfitting", overfitted.model)):
    print(f"{name:>16}: cosine {alignment(network, 8 / 255):.2f} at ε = 8/255")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ### Measured: the label leaks
#
# FGSM steps away from the *true* class. A network that has seen only such pictures can learn to read the class from the
# step: then it is better on attacked pictures than on untouched ones (Kurakin, Goodfellow and Bengio, *Adversarial Machine
# Learning at Scale*, 2017). An attack on the network's own answer tells it nothing that it did not know.

# %% tags=["optional"]
some, some_labels = images[:300], labels[:300]
own = evaluation.predictions(overfitted.model, some)
tried = {
    "untouched": some,
    "FGSM away from the true class": attacks.fgsm(overfitted.model, some, some_labels, trained_on),
    "FGSM away from the network's answer": attacks.fgsm(overfitted.model, some, own, trained_on),
    "random-sign noise": attacks.random_sign_noise(some, trained_on, seed=0),
    "PGD": attacks.pgd(overfitted.model, some, some_labels, trained_on, step_size=trained_on / 4, steps=10),
}
for name, moved in tried.items():
    print(f"{name:>36}: {evaluation.accuracy(overfitted.model, moved, some_labels):.1%} right of {len(some)}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# What the true class adds to the network's own answer is the leak. Where random signs, too, leave more right than no attack
# at all, the network has come to expect noise of that size. So say whose class an attack steps away from.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## How a defence fools its author
#
# Many published defences only hide the gradient: **gradient masking**. Here is the simplest one. Multiply the logits by 50 and take the softmax:
# the answers stay the same, and nearly every probability becomes 0 or 1. The author attacks the *probabilities*, sees
# that little happens, and is glad. An attacker takes the logits before the factor.
#
# Two losses, two attacks: which of the two makes the difference?

# %% tags=["optional"]
import keras

pixels = keras.Input((32, 32, 3))
hard = keras.ops.softmax(50.0 * model(pixels))
by_probabilities = keras.Model(pixels, keras.ops.log(keras.ops.clip(hard, 1e-7, 1.0)))

few, few_labels, limit = images[:200], labels[:200], 8 / 255
for loss, target in (("probabilities", by_probabilities), ("logits", model)):
    with warnings.catch_warnings(record=True):  # of gradients that are zero: the next cell counts them
        warnings.simplefilter("always")
        one = attacks.fgsm(target, few, few_labels, limit)
        many = attacks.pgd(target, few, few_labels, limit, step_size=limit / 4, steps=20)
    right = [f"{evaluation.accuracy(model, moved, few_labels):.1%}" for moved in (one, many)]
    print(f"attack on the {loss:>13}: FGSM leaves {right[0]:>6} right, PGD {right[1]:>6}")

# %% tags=["optional"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    signs = attacks.gradient_sign(by_probabilities, few, few_labels)
stuck = int((~signs.any(axis=(1, 2, 3))).sum())
print(f"the gradient through the probabilities is zero throughout for {stuck} of {len(few)} images")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# A stronger attack with the wrong loss stays blind: no number of steps helps where the slope is zero. The right loss with
# one step already breaks the defence. So look at the loss first, then at the attack. Signs of a hidden gradient: random
# signs do as well as FGSM, more steps do not help, or a large ε leaves some pictures unharmed (Athalye, Carlini and
# Wagner, *Obfuscated Gradients Give a False Sense of Security*, 2018).

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Accuracy against ε, undefended and defended

# %% tags=["optional"]
styles = {"random-sign noise": figures.BLUE, "FGSM": figures.ORANGE, "PGD": figures.GREEN}
panels = {
    name: {a: (reports[name][a]["levels"], reports[name][a]["accuracy"], colour) for a, colour in styles.items()}
    for name in ("vgg3", "adversarial-fgsm")
}
figures.show(
    figures.robustness_curves(panels, NAMED / 255),
    f"Accuracy on {dataset.name} test images against ε under random signs, FGSM and PGD. At ε = {NAMED}/255 FGSM "
    f"leaves vgg3 {share('vgg3', 'FGSM')[1]:.1%} and adversarial-fgsm {share('adversarial-fgsm', 'FGSM')[1]:.1%}, PGD "
    f"{share('vgg3', 'PGD')[1]:.1%} and {share('adversarial-fgsm', 'PGD')[1]:.1%}.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# On the defended network FGSM and PGD lie close together. Its loss is nearly a straight line within the box, so one step
# finds nearly what many find.
#
# ### How far is that from the best?
#
# [RobustBench](https://robustbench.github.io) lists defences for CIFAR-10 at ε = 8/255. There the ResNet-18 of Wong et al.
# (2020) has 83.3% on untouched pictures and 43.2% under attack, and one of the best entries, a WideResNet-94-16 with
# MeanSparse (Amini et al. 2024), 93.6% and 75.3%. RobustBench attacks with AutoAttack, which is stronger than our PGD of 20
# steps, so our networks would get less there than here.

# %% tags=["optional"]
for name in ("adversarial-fgsm", "adversarial-pgd"):
    record = runs.read_record(name, dataset.name)
    epochs, minutes = record["recipe"]["epochs"], record["seconds"] / 60
    print(f"{name}: {record['parameters']:,} parameters, {epochs} epochs in {minutes:.0f} minutes")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Each solution is in the collapsed cell below its exercise.
#
# **1. A larger ε.** The defended networks learned against 8/255. How does adversarial-fgsm do under FGSM at 16/255?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
for level in (8, 16):
    moved = attacks.fgsm(defended, images[:300], labels[:300], level / 255)
    held = evaluation.accuracy(defended, moved, labels[:300])
    print(f"adversarial-fgsm under FGSM with ε = {level}/255: {held:.1%} right")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Somebody else's attack.** Make adversarial pictures against vgg3 and show them to adversarial-fgsm, and the other way
# round. Which of the two ways still does harm?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
pair = {"vgg3": model, "adversarial-fgsm": defended}
for made_for, target in pair.items():
    moved = attacks.fgsm(target, images[:300], labels[:300], 8 / 255)
    for name, network in pair.items():
        print(f"made for {made_for}, shown to {name}: {evaluation.accuracy(network, moved, labels[:300]):.1%} right")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. What does each network look at?** Draw the perturbation with ε = 8/255 for the first five test images, once made for
# vgg3 and once for adversarial-fgsm. In which of them do you see the thing?

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
signs = [attacks.gradient_sign(network, images[:5], labels[:5]) for network in pair.values()]
drawn = [figures.amplified(sign, 1.0) for row in signs for sign in row]
figures.show(
    figures.labelled_images(drawn, [f"{data.CLASS_NAMES[k]}\n{name}" for name in pair for k in labels[:5]], columns=5),
    "The sign of the gradient for five test images, for vgg3 in the upper row and for adversarial-fgsm in the lower one.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **Adversarial training** attacks each batch and learns from the result: a loop of 03 with one line more.
# - **The price** is accuracy on untouched pictures, and a multiple of the training time.
# - **A defence that only looks so** beats FGSM and falls to PGD, or hides its gradient behind a saturated softmax.
#
# Three things to take home from the lecture: a network can be right on most pictures and still be fooled on nearly all of
# them; what fools it is invisible, but not random; and a claim about robustness needs a threat model, a control and an
# attack that is stronger than the one that was trained against.
#
# Back to the beginning: [01-data](01-data.ipynb).

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# End on the three things. Ask the class to name, for a headline such as "our network resists attacks", the first three
# questions they would now ask its authors: which ε, which attack, what on untouched pictures?
#
# </details>

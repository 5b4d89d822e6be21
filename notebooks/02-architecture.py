# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 02 · Why does the network look like this?
#
# **The question:** what does each layer do, what does it cost, and would another choice be better?
#
# Afterwards, you can
#
# - say what each part of the network computes,
# - compute a layer's parameters and multiply-adds, and say which layers have the most,
# - read an ablation study, and answer the assignment's questions from its results.
#
# **Before this:** [01-data](01-data.ipynb), and a first idea of convolutional and dense layers. **Time:** 16 minutes.

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the assignment asks students to justify each choice. "VGG does it" is an appeal to authority; the study
# below is evidence. If you are short of time, keep the first bet and the two figures of the study.
#
# **They will ask:** *Is this network still used?* Only as a teaching example. The best networks for CIFAR-10 are far
# more accurate (an optional section of 03 comes closer to them), but many larger networks consist of the same parts.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np
from IPython.display import Markdown

from helpers import ablations, data, evaluation, figures, findings, models, runs
from helpers.backend import keras, tf

dataset = data.load()
run = runs.load("vgg3", dataset.name)
study = ablations.results(dataset.name)
table = models.layer_table(run.model)
print(f"{dataset.source}; nothing is trained in this notebook")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The whole network
#
# The network, `vgg3`, repeats one unit, as VGG networks do ([Simonyan and Zisserman
# 2015](https://arxiv.org/abs/1409.1556)):
#
# | part | what it computes |
# | --- | --- |
# | 3×3 convolution | each filter takes a weighted sum of every 3×3 window, over all input channels, and yields one **feature map**, or channel; two in a row see 5×5 |
# | ReLU | $\max(0, z)$: sets negative values to 0; without it, two convolutions would be one linear function |
# | max pooling | keeps the largest of each 2×2 values: **downsamples** height and width by two, so that later layers cost less and see more |
# | dropout | in training only, sets a random 20% of the values to 0: **regularisation** against **overfitting**, fitting what only the training images have |
# | dense layer | connects each of its units to every input |
# | **logits** | ten real numbers; the largest gives the predicted class; **softmax** turns them into probabilities |
# | `he_uniform` | **He initialisation**: random initial weights whose size suits ReLU |
# | `"same"` | **padding** with zeros around the border, which keeps height and width |

# %% tags=["core"] slideshow={"slide_type": "subslide"}
figures.show_source(models.vgg_block)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
figures.show_source(models.vgg3)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
figures.show(
    figures.network_drawing(table),
    "The network, drawn to scale: the height of a box is that of the layer's feature maps, and its length is the "
    "number of channels. From block to block, the feature maps become smaller and the channels more numerous.",
)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Let the class find what stays the same from block to block (the unit) and what changes (the size of the feature maps,
# the number of filters). The slides' listing ends in softmax; ours ends one step earlier, in logits. Softmax has no
# weights and never changes which class comes first.
#
# **They will ask:** *Why 128 units, and why 20% dropout?* We do not know: the slides give no reason. Usually, such
# numbers are chosen on a validation set. *Why is dropout off when we test?* Because we want a definite prediction, not
# a random one; the optional section on dropout measures both modes.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## Where are the parameters, and where is the work?
#
# A 3×3 convolution from $C_\text{in}$ to $C_\text{out}$ channels has $9\,C_\text{in}\,C_\text{out}$ weights and
# $C_\text{out}$ biases. It uses each weight at every position of its $H \times W$ feature maps, which takes
# $9\,C_\text{in}\,C_\text{out}\,H\,W$ **multiply-adds** (MACs). A dense layer uses each weight once. Parameters
# (weights and biases) cost memory; multiply-adds cost time.
#
# **Bet.** The last block outputs 4×4×128 = 2,048 numbers, and a dense layer with 128 units follows. What fraction of
# the parameters and what fraction of the multiply-adds does this layer take?

# %% tags=["core", "bet"] slideshow={"slide_type": "skip"}
my_bet = 10, 10  # percent of the parameters, percent of the multiply-adds

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
weighted = [layer for layer in table if layer.parameters]
parts = ["block 1"] * 2 + ["block 2"] * 2 + ["block 3"] * 2 + ["dense, 128", "logits"]
parameters, products = dict.fromkeys(parts, 0), dict.fromkeys(parts, 0)
for part, layer in zip(parts, weighted, strict=True):
    parameters[part] += layer.parameters
    products[part] += layer.multiply_adds
dense = [100 * cost["dense, 128"] / sum(cost.values()) for cost in (parameters, products)]
figures.show(
    figures.cost_fractions(list(parameters), list(parameters.values()), list(products.values())),
    f"The dense layer holds {dense[0]:.1f}% of all {run.model.count_params():,} parameters and needs {dense[1]:.1f}% "
    f"of the {sum(products.values()):,} multiply-adds.",
)

# %% [markdown] tags=["core", "reveal"] slideshow={"slide_type": "fragment"}
# A convolution reuses each weight at every position; the dense layer has separate weights for each. Blocks 2 and 3 need
# the same work: pooling leaves a quarter of the positions, and twice as many inputs and filters make each position four
# times as expensive.

# %% tags=["core", "bet"] slideshow={"slide_type": "skip"}
print(f"your bet: {my_bet[0]}% and {my_bet[1]}%; the answer: {dense[0]:.1f}% and {dense[1]:.1f}%")

# %% tags=["core"] slideshow={"slide_type": "skip"}
assert run.model.count_params() == 550_570 and weighted[1].parameters == 9 * 32 * 32 + 32
assert weighted[1].multiply_adds == 9 * 32 * 32 * 32 * 32 and products["block 2"] == products["block 3"]
assert parameters["dense, 128"] == max(parameters.values()) and dense[1] < 1
budget = ablations.RECIPE  # as the notes to the study say
assert (budget.batch_size, budget.learning_rate, budget.momentum, len(ablations.SEEDS)) == (128, 0.05, 0.9, 4)
assert budget.epochs == {"cifar10": 16, "sketches": 8} and len(ablations.VARIANTS) == 1 + 14

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Collect the first number by a show of hands and let somebody call out the second. Check one layer on the board: the
# second convolution has 9 · 32 · 32 + 32 = 9,248 parameters. A common wrong answer is 9 · 32, which forgets that each
# filter reads all input channels.
#
# **They will ask:** *Then why keep the dense layer?* Later networks drop it and average each channel over its positions
# (global average pooling; Lin et al. 2014, arXiv:1312.4400). *Do equal multiply-adds take equal time?* Only roughly:
# pooling, normalisation and data movement take time but need no multiply-adds, and two layers with equal counts can run
# at different speeds.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## An ablation study
#
# An **ablation study** changes one choice, retrains the network by the same recipe, and compares results: here,
# accuracies on the **validation set** over up to four **seeds** (other initial weights and image orders). In at least
# 95 of 100 such studies with other seeds and validation images, all intervals contain the true differences, if the
# seed matters equally for all networks. Where an interval contains 0, the study finds **no difference**, and states
# how large one could be, in percentage points.
#
# | change | what it means |
# | --- | --- |
# | strided convolution | instead of pooling, a convolution that moves by two pixels downsamples |
# | skip (residual) connection | adds the input of two convolutions to their output: $y = x + f(x)$ |
# | Glorot initialisation | smaller initial weights, derived without regard to ReLU |
# | batch normalisation | brings each channel to mean 0 and variance 1 in each training step |
# | augmentation | random translation and horizontal flip of the training images |

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The recipe is the same for all networks: SGD with momentum 0.9, a learning rate of up to 0.05, batches of 128, and 16
# epochs on CIFAR-10 (8 on the sketches). A batch is the set of images that one training step uses, and an epoch is one
# pass through all training images; 03 explains both. There are up to four seeds per network; `python -m
# helpers.ablations` carries out the training runs that are missing, and this notebook then reads their records.
#
# **They will ask:** *Why not compare on the test set?* We would then choose the network by looking at the test set
# fourteen times, and its accuracy there would overstate its accuracy on new images (01). *Why are the intervals so
# wide?* They are widened because the study makes fourteen comparisons at once (Bonferroni): with a 95% interval for
# each, up to a half of all such studies would report a difference even if no change had any effect.
#
# </details>

# %% [markdown] tags=["core", "bet"] slideshow={"slide_type": "slide"}
# ## Which change costs the most accuracy?
#
# **Bet** on one of these: `two-blocks`, `one-5x5` (in place of two 3×3), `constant-filters` (32 throughout),
# `average-pooling`, `strided-convolution`, `glorot` or `no-dropout`.

# %% tags=["core", "bet"] slideshow={"slide_type": "skip"}
my_choice = "glorot"

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
figures.show(
    figures.ablations(findings.rows(findings.LAYERS, study), study.get("baseline"), findings.limits(study)),
    findings.caption(findings.LAYERS, study, dataset.title),
)

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
headings = ["question", "the slides chose", "the study says"]
figures.show_table(headings, findings.answers(findings.LAYERS, study))

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
figures.show(
    figures.ablations(findings.rows(findings.OPERATIONS, study), study.get("baseline"), findings.limits(study)),
    findings.caption(findings.OPERATIONS, study, dataset.title),
)

# %% tags=["core", "reveal"] slideshow={"slide_type": "subslide"}
figures.show_table(headings, findings.answers(findings.OPERATIONS, study))

# %% [markdown] tags=["core", "reveal"] slideshow={"slide_type": "fragment"}
# In the figures, brackets name what else differs: fewer blocks leave larger feature maps, so the dense layer grows.
# Every verdict holds for this training budget.

# %% tags=["core", "bet"] slideshow={"slide_type": "skip"}
choices = "two-blocks", "one-5x5", "constant-filters", "average-pooling", "strided-convolution", "glorot", "no-dropout"
print(f"your bet: {findings.finding(my_choice, study)}")
print(findings.costliest(choices, study))

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read one row aloud: dot, interval, verdict, cost. The verdicts hold for a short training run; in longer runs,
# regularisation may matter more. A common wrong answer is "its mean is higher, so it is better". Ask what would narrow
# an interval (more seeds, more validation images). Each interval uses the spread between seeds of all networks taken
# together, so even a network with one run has one, once another has two. A dot without an interval, if there is one,
# decides nothing.
#
# **They will ask:**
#
# - *Why max pooling?* Because the slides, like VGG, chose it. The table says whether any measurement speaks for it or
#   against it. Springenberg et al. 2015 (arXiv:1412.6806) replaced max pooling by strided convolutions without a loss
#   where they added these; where, as in our variant, an existing one got the stride, they lost a little accuracy.
# - *Why not more layers?* The study has two ways to add layers, a fourth block and four convolutions per block; the
#   first figure of the study shows what each costs, once it is trained. Much deeper plain networks get worse, even on
#   their training images (He et al. 2016, arXiv:1512.03385).
# - *Is that because the gradient vanishes?* He et al. argue that this is unlikely (their section 4.1): with batch
#   normalisation, the gradients of their plain networks do not vanish. They suspect slow convergence and leave the
#   cause open.
# - *Aren't two 3×3 convolutions cheaper than one 5×5?* Only if the number of channels grows by a factor below 16/9;
#   exercise 2 shows this.
#
# </details>

# %% tags=["core"] slideshow={"slide_type": "slide"}
Markdown(f"## What the study says\n\n{findings.recap(study)}")

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Read the lines aloud, and let the class say what they would do about each. The lines are generated from the records,
# so they change when training runs are added.
#
# **They will ask:** *Which choice would you change, then?* Change a choice that is listed as not supported, unless the
# more accurate variant is too expensive. Where the study shows no difference, take the cheaper network: it is as good,
# to within the stated number of points. *And where it is undecided or not answered?* Say so, keep the slides' choice,
# and name what would decide the question: more training runs of that variant. *Why does the slides' network do without
# batch normalisation?* It follows VGG (2014), which predates batch normalisation (Ioffe and Szegedy 2015,
# arXiv:1502.03167). The networks in 03 and 06 that train within minutes use it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **The parts**: convolutions, ReLU and pooling in blocks, then a dense layer and logits.
# - **Parameters and work are in different places**: one dense layer holds the most parameters and does almost no work.
# - **A reason is a hypothesis**: an ablation study tests it, with an interval, for a stated budget.
#
# Next: how does this network learn? [03-training](03-training.ipynb)

# %% [markdown] tags=["core", "notes"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# Ask which of the slides' choices the class would now change. A good answer names a row, its interval and its cost.
#
# **They will ask:** *Do these results hold for my own network?* Treat them as hypotheses: with another network, recipe
# or data set they may not hold. `helpers/ablations.py` shows how little code a study takes.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: every number of the study
#
# The **generalisation gap** is, here, the training accuracy minus the validation accuracy. A narrow gap alone does not
# make a network better: a network that learns little has a narrow gap, too. The differences in the figures above were
# computed before rounding, so differences of the rounded numbers may deviate from them in the last digit.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
rows = []
for name, found in study.items():
    mean, gap = f"{np.mean(found.accuracies):.1%}", f"{found.gap:.1f}"
    rows.append((name, len(found.accuracies), mean, gap, found.parameters, found.multiply_adds))
if rows:
    all_headings = ["network", "seeds", "validation accuracy", "gap, points", "parameters", "multiply-adds"]
    figures.show_table(all_headings, rows)
epochs, missing = ablations.RECIPE.epochs[dataset.name], len(ablations.pending(dataset.name))
print(f"Each training run takes {epochs} epochs; {missing} of the planned runs have not been recorded yet.")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: what one unit can see
#
# A unit of the first convolution depends on 3×3 pixels. A unit of the second depends on 3×3 such units, and therefore
# on 5×5 pixels. Pooling doubles the distance between neighbouring units, so from there on each layer adds twice as many
# pixels. Let $r$ be the width of the **receptive field**, $s$ the distance between neighbouring units in pixels, and
# $k$ the width of a layer's window. From layer to layer,
#
# $$r \leftarrow r + (k - 1)\,s, \qquad \text{then, for a layer with stride 2,}\quad s \leftarrow 2 s$$

# %% tags=["optional", "nbval-check-output"] slideshow={"slide_type": "skip"}
layers = []
for layer in table:
    if layer.kind != "Dropout":  # no parameters, the same shape
        shape, field = "×".join(map(str, layer.shape)), layer.receptive_field or "all"
        layers.append((layer.kind, shape, layer.parameters, layer.multiply_adds, field))
figures.show_table(["layer", "output", "parameters", "multiply-adds", "receptive field"], layers)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# At the last convolutions of the three blocks, the receptive field is 5, 14 and 32 pixels wide. The usual argument for
# three blocks is that only the third spans the image. Two facts weaken this argument. First, the dense layer spans the
# image after any number of blocks. Second, 32 is the width of the *theoretical* receptive field: central pixels reach a
# unit along many more paths than those at the edge, so the **effective** receptive field is smaller ([Luo et al.
# 2016](https://arxiv.org/abs/1701.04128)). Let us measure it: how strongly does each pixel influence the middle unit of
# each block's last convolution?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def block_ends(network):
    """The last convolution of each block."""
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)][1::2]


some = data.to_float(dataset.x_test[:256])
influence = []
for end in block_ends(run.model):
    maps = keras.Model(run.model.inputs[0], end.output)
    with tf.GradientTape() as tape:
        inputs = tf.constant(some[:100])
        tape.watch(inputs)
        outputs = maps(inputs)
        middle = outputs[:, outputs.shape[1] // 2, outputs.shape[2] // 2]
    influence.append(np.abs(tape.gradient(middle, inputs)).mean(axis=(0, 3)))

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def spans(influence):
    """Two widths in columns of pixels: of all that have influence, and of the central ones that have 90% of it."""
    columns = influence.sum(axis=0)
    centre = np.average(np.arange(32), weights=columns)
    nearest = np.argsort(abs(np.arange(32) - centre))
    enough = int(np.searchsorted(np.cumsum(columns[nearest]), 0.9 * columns.sum())) + 1
    return int(np.ptp(np.flatnonzero(columns)) + 1), enough


running = dataset.x_test[figures.RUNNING_IMAGE]
measured = [spans(one) for one in influence]
titles = [f"block {block}: {all_} pixels,\n90% within {most}" for block, (all_, most) in enumerate(measured, start=1)]
figures.show(
    figures.receptive_fields(running, influence, titles),
    "The pixels that influence the middle unit at the end of blocks 1, 2 and 3 span "
    "{}, {} and {} columns, respectively; ".format(*(all_ for all_, _ in measured))
    + "90% of the influence comes from {}, {} and {} columns. ".format(*(most for _, most in measured))
    + "In block 3, two of the 32 columns of the receptive field lie outside the image, because the unit is not exactly "
    "in the middle.",
)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
assert [all_ for all_, _ in measured] == [5, 14, 30] and measured[2][1] < 30

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: max, average, or stride 2?
#
# Here are three ways to downsample, none of which has parameters of its own: keep the largest of each 2×2 values, keep
# their mean, or keep one of the four. We apply each to the feature maps of block 1 for 200 images. How much of a
# feature map's maximum remains, and how much does the result change if the images are shifted by one pixel?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
first_maps = keras.Model(run.model.inputs[0], block_ends(run.model)[0].output)
still, shifted = (first_maps(images).numpy() for images in (some[:200], np.roll(some[:200], 1, axis=2)))
ways = {
    "max": lambda maps: keras.ops.max_pool(maps, 2).numpy(),
    "average": lambda maps: keras.ops.average_pool(maps, 2).numpy(),
    "stride 2": lambda maps: maps[:, ::2, ::2],
}
kept = {}
for name, way in ways.items():
    small, small_shifted = way(still), way(shifted)
    peak = small.max(axis=(1, 2)).sum() / still.max(axis=(1, 2)).sum()
    kept[name] = peak, np.linalg.norm(small - small_shifted) / np.linalg.norm(small)
rows_of_ways = [(name, f"{peak:.0%}", f"{change:.0%}") for name, (peak, change) in kept.items()]
figures.show_table(["downsampled by", "maximum that remains", "change after a shift of one pixel"], rows_of_ways)

# %% tags=["optional"] slideshow={"slide_type": "skip"}
assert kept["max"][0] == 1 > max(kept["average"][0], kept["stride 2"][0])
assert kept["average"][1] < kept["max"][1] < kept["stride 2"][1]

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Max pooling keeps every maximum, by definition. Averaging lowers the maxima, but its result changes least under the
# shift. Keeping one value in four gives the result that changes most, but saves three quarters of the convolution's
# work, because the other values need not be computed. None of this tells us which network classifies best; for that, we
# need the study.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: the feature maps of one image

# %% tags=["optional"] slideshow={"slide_type": "skip"}
running_image, label = data.to_float(running[None]), dataset.y_test[figures.RUNNING_IMAGE]
ends = keras.Model(run.model.inputs[0], [layer.output for layer in block_ends(run.model)])(running_image)
ends = [block.numpy()[0] for block in ends]
active = [f"{(block > 0).mean():.0%}" for block in ends]
end_titles = [f"block {n}\n{block.shape[0]}×{block.shape[1]}" for n, block in enumerate(ends, start=1)]
figures.show(
    figures.feature_maps(running, ends, end_titles),
    f"The running image ({data.CLASS_NAMES[label]}) and the six most strongly activated channels at the end of each "
    f"block. There, {', '.join(active[:-1])} and {active[-1]} of the units are active.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The feature maps of block 1 still look like the image; those of block 3, with only 8×8 positions, no longer do. Do not
# name a channel after what it shows on one image. To test a claim such as "this channel responds to wheels", look at
# the images that activate it most, and at images with wheels that do not activate it.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: why ReLU?
#
# The slope of ReLU is 1 where a unit is active and 0 elsewhere. The older sigmoid has a slope of at most ¼, and the
# **backward pass** multiplies one such factor per layer. Apart from what the weights contribute, seven layers leave at
# most $4^{-7}$ of the gradient, less than one ten-thousandth. How much of it arrives at each layer of an untrained
# network, with He initialisation for ReLU and Glorot's for sigmoid?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def gradient_norms(activation, initializer):
    """The norm of the loss's gradient for each kernel of an untrained network, first layer first."""
    keras.utils.set_random_seed(0)
    fresh = models.build("vgg3")
    for layer in [layer for layer in fresh.layers if hasattr(layer, "kernel")][:-1]:
        layer.activation = activation
        layer.kernel.assign(initializer()(layer.kernel.shape))
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(dataset.y_test[:32], fresh(some[:32]))
        loss = tf.reduce_mean(losses)
    kernels = [layer.kernel for layer in fresh.layers if hasattr(layer, "kernel")]
    return [float(tf.norm(gradient)) for gradient in tape.gradient(loss, kernels)]

# %% tags=["optional"] slideshow={"slide_type": "skip"}
places = [*(f"conv {number}" for number in range(1, 7)), "dense", "logits"]
relu = gradient_norms(keras.activations.relu, keras.initializers.HeUniform)
sigmoid = gradient_norms(keras.activations.sigmoid, keras.initializers.GlorotUniform)
figures.show(
    figures.layer_by_layer({"ReLU": [relu], "sigmoid": [sigmoid]}, "norm of the gradient", names=places),
    "The norm of the gradient at each layer of an untrained network. With ReLU, it is "
    f"{relu[0] / relu[-1]:.1f} times as large at the first layer as at the last; with sigmoid, it is "
    f"{sigmoid[-1] / sigmoid[0]:,.0f} times smaller.",
)
assert sigmoid[0] / sigmoid[-1] < 1e-3 < relu[0] / relu[-1]

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# With sigmoids, the gradient **vanishes** on its way to the first layers, which then hardly learn. With ReLU, it
# arrives. ReLU has a drawback, though: a unit that is inactive for every image, a **dead** unit, passes no gradient to
# its own weights. It recovers only if earlier layers change, and with them its inputs.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: why He initialisation?
#
# How large should random initial weights be? Let $z = \sum_i w_i x_i$ be the weighted sum of a unit with $n_\text{in}$
# inputs. For independent weights with mean 0,
#
# $$\mathrm{E}[z^2] = n_\text{in} \operatorname{Var}(w)\, \mathrm{E}[x^2].$$
#
# If $z$ is distributed symmetrically, ReLU sets half of its values to 0, so the next layer receives $\mathrm{E}[x^2] =
# \tfrac12 \mathrm{E}[z^2]$. He's variance has a factor of 2 that makes up for this; Glorot's was derived for
# activations that are nearly linear around 0:
#
# $$\text{He:}\quad \operatorname{Var}(w) = \frac{2}{n_\text{in}} \qquad\qquad
# \text{Glorot:}\quad \operatorname{Var}(w) = \frac{2}{n_\text{in} + n_\text{out}}$$
#
# This calculation averages over all random draws and ignores padding and pooling, so we also measure individual draws
# on images.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def second_moments(initializer, seed):
    """The mean of z² in each layer of an untrained network, over 100 images."""
    keras.utils.set_random_seed(seed)
    fresh = models.build("vgg3")
    for layer in [layer for layer in fresh.layers if hasattr(layer, "kernel")][:-1]:  # the logits have no ReLU
        layer.kernel.assign(initializer()(layer.kernel.shape))
    return [float(np.mean(sums**2)) for sums in models.pre_activations(fresh, some[:100])]


initializers = {"He": keras.initializers.HeUniform, "Glorot": keras.initializers.GlorotUniform}
moments = {name: np.array([second_moments(kind, seed) for seed in range(3)]) for name, kind in initializers.items()}

# %% tags=["optional"] slideshow={"slide_type": "skip"}
shrink = {name: np.exp(np.log(rows[:, 0] / rows[:, 5]).mean()) for name, rows in moments.items()}
figures.show(
    figures.layer_by_layer(moments, "mean of z²", names=places),
    "The mean of z² in three untrained networks of each kind. With He initialisation, it is "
    f"{1 / shrink['He']:.1f} times as large at the sixth convolution as at the first; with Glorot's, it is "
    f"{shrink['Glorot']:.0f} times smaller (geometric means).",
)
print(f"The study of this notebook: {findings.finding('glorot', study)}")
assert shrink["He"] < 4 and shrink["Glorot"] > 10 * shrink["He"]

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# With He initialisation, the signal keeps its order of magnitude. With Glorot's, it fades from convolution to
# convolution: the variance lacks a factor of 2 at each ReLU, and an even larger one where the number of channels grows,
# because $n_\text{out}$ then exceeds $n_\text{in}$. Whether this matters depends on the depth: in the paper that
# introduced He initialisation ([He et al. 2015](https://arxiv.org/abs/1502.01852)), a network of 22 layers converges
# with both, though later with Glorot's, and one of 30 layers converges only with He's.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: dropout has two modes
#
# In training, a dropout layer with rate 0.2 sets each value to 0 with a probability of 20%, anew for every image and
# step, and divides the others by 0.8, so that the mean stays the same on average. Outside training, it does nothing.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
keras.utils.set_random_seed(0)  # dropout layers draw their seeds when they are made
noisy = runs.load("vgg3", dataset.name).model
ones = np.ones((1, 10), np.float32)
for mode in (True, False):
    print(f"training={mode!s:5}  ten ones: ", *keras.layers.Dropout(0.2, seed=3)(ones, training=mode).numpy()[0])
    twice = [evaluation.softmax(noisy(running_image, training=mode).numpy())[0, label] for _ in range(2)]
    correct = noisy(some, training=mode).numpy().argmax(axis=1) == dataset.y_test[:256]
    print(f"    probability of {data.CLASS_NAMES[label]}: {twice[0]:.6f}, then {twice[1]:.6f}")
    print(f"    accuracy on 256 test images: {correct.mean():.1%}")

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# With dropout on, each forward pass samples another subnetwork. Therefore, switch it **off** whenever you evaluate or
# attack a network. The training accuracy that Keras reports is measured with dropout *on*; 03 shows both.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: why logits and not softmax?
#
# `float32` cannot represent very confident predictions. Take two classes with logits 120 and 0, and let the second be
# the true one. The loss should be $-\ln p_2 = 120$, and its gradient with respect to the logits should be (1, −1).

# %% tags=["optional", "nbval-check-output"] slideshow={"slide_type": "skip"}
confident, truth = tf.constant([[120.0, 0.0]]), tf.constant([[0.0, 1.0]])
with tf.GradientTape(persistent=True) as tape:
    tape.watch(confident)
    naive = -tf.reduce_sum(truth * tf.math.log(tf.nn.softmax(confident)))
    exact = tf.reduce_sum(tf.nn.softmax_cross_entropy_with_logits(truth, confident))
print("minus the log of a softmax:", naive.numpy(), tape.gradient(naive, confident).numpy()[0])
print("computed from the logits:  ", exact.numpy(), tape.gradient(exact, confident).numpy()[0])

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# The number $e^{-120}$ is too small for `float32`. The probability becomes exactly 0, the loss infinite, and the
# gradient "not a number". Computed from the logits, both loss and gradient are correct here. Logits alone do not make
# every gradient safe, though: 05 shows what `float32` does to an attack when a network is both very confident and
# correct.

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: where skip connections matter
#
# A skip connection gives the backward pass a path that no layer weakens. We stack fifty untrained 3×3 convolutions with
# 16 channels each, without and with skip connections, and send a random gradient backwards from the last layer. How
# much of it arrives at the first?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def gradient_left(skip, seed, depth=50, channels=16):
    """The fraction of the gradient's norm that remains after 0, 1, …, `depth` untrained layers of a backward pass."""
    rng = np.random.default_rng(seed)

    def he_uniform(inputs):
        limit = np.sqrt(6 / (9 * inputs))
        return rng.uniform(-limit, limit, (3, 3, inputs, channels)).astype(np.float32)

    with tf.GradientTape() as tape:
        maps = [tf.nn.relu(tf.nn.conv2d(some[:32, ::4, ::4], he_uniform(3), 1, "SAME"))]
        tape.watch(maps[0])
        for _ in range(depth):
            branch = tf.nn.relu(tf.nn.conv2d(maps[-1], he_uniform(channels), 1, "SAME"))
            maps.append(maps[-1] + branch / depth**0.5 if skip else branch)
    sent = tf.random.stateless_normal(maps[-1].shape, (seed, 0))
    gradients = tape.gradient(maps[-1], maps[::-1], output_gradients=sent)
    return [float(tf.norm(gradient) / tf.norm(sent)) for gradient in gradients]

# %% tags=["optional"] slideshow={"slide_type": "skip"}
stacks = {
    name: [gradient_left(skip, seed) for seed in range(3)]
    for name, skip in (("with skip\nconnections", True), ("plain", False))
}
plain = np.array(stacks["plain"])
after_6, after_50 = (np.exp(np.log(plain[:, layer]).mean()) for layer in (6, 50))
skipped = np.array(stacks["with skip\nconnections"])
lowest, last = skipped.min(), np.exp(np.log(skipped[:, 50]).mean())
figures.show(
    figures.layer_by_layer(stacks, "fraction of the gradient", xlabel="layers passed", mark=(6, "this network")),
    "The fraction of the gradient that remains after a backward pass through three random stacks of each kind. In "
    f"plain stacks, it is {after_6:.0%} after six layers and {after_50:.1%} after fifty (geometric means). With skip "
    f"connections, it never falls below {lowest:.0%}, and is {last:.0%} after fifty.",
)
assert after_50 < 0.1 * after_6 and lowest > after_6

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# On average, a plain layer passes on most of the gradient, but not all of it, and the product of fifty such factors is
# small. (We divide the branch by √50 to limit the growth of the sums; residual networks leave this to batch
# normalisation.) Beware of the usual conclusion that skip connections help *because* they cure vanishing gradients: He
# et al. trained plain networks with batch normalisation and found that their gradients did not vanish, and yet the
# deeper network did worse ([He et al. 2016](https://arxiv.org/abs/1512.03385), section 4.1).

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# In each exercise, write the function, then run the cell below it, which checks your function and gives a hint if
# something is wrong.
#
# **1. The cost of a convolution.** Write `convolution_cost(size, before, after, side)`, which returns the number of
# parameters and the number of multiply-adds of a convolution with `size`×`size` filters from `before` to `after`
# channels on feature maps of `side`×`side`.

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def convolution_cost(size, before, after, side):
    """Parameters and multiply-adds of a convolution with `size`×`size` filters on feature maps of `side`×`side`."""
    weights = size * size * before * after
    return weights + after, weights * side * side

# %% tags=["homework", "check"]
found, larger = (tuple(convolution_cost(size, 32, 64, 16)) for size in (3, 5))
assert found[0] != 9 * 32 * 64, "the weights are correct; each filter has a bias as well"
assert found[0] not in (9 * 64, 9 * 64 + 64), "each filter reads every input channel, not only one"
assert found[1] != (9 * 32 * 64 + 64) * 16 * 16, "a bias is added, not multiplied: count the weights only"
third = [layer for layer in table if layer.kind == "Conv2D"][2]
assert found == (third.parameters, third.multiply_adds), f"{found}: compare with the formula of the first bet"
assert larger == (51_264, 13_107_200), f"{larger}: a 5×5 filter has 25 weights per input channel, not 9; use `size`"
print(f"correct: the third convolution has {found[0]:,} parameters and needs {found[1]:,} multiply-adds")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Predict, then compute: are two 3×3 cheaper than one 5×5?** With the same number of channels everywhere, two 3×3
# convolutions have 18 weights for every 25 of a single 5×5. First, write down a prediction: is the pair cheaper in
# *our* blocks, which go from 3 to 32, from 32 to 64 and from 64 to 128 channels? Then write `price_of_pair(before,
# after)`, which returns the number of weights of the pair (`before` → `after` → `after`) divided by that of one 5×5
# (`before` → `after`), without biases. At what ratio of `after` to `before` does the pair become more expensive?

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def price_of_pair(before, after):
    """Weights of two 3×3 convolutions, divided by those of one 5×5 with the same input and output channels."""
    return 9 * (before * after + after * after) / (25 * before * after)

# %% tags=["homework", "check"]
found = price_of_pair(32, 64)
assert abs(found - 18 / 25) > 0.01, "18/25 assumes that the channels stay the same: the second convolution has more"
assert abs(found - 1 / 1.08) > 0.01, "that is the 5×5 divided by the pair: take the inverse"
assert abs(found - 1.08) < 0.001 and abs(price_of_pair(64, 64) - 0.72) < 0.001, f"{found}: each has 9·C_in·C_out"
for channels in ((3, 32), (32, 64), (64, 128)):
    print(f"{channels[0]:3} → {channels[1]:3}: the pair has {price_of_pair(*channels):.2f} times the weights")
print("The pair is more expensive if after / before exceeds 16/9, as in each of our blocks, and cheaper below that.")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Any number of blocks.** Write `vgg_parameters(filters)`, which returns the number of parameters of our network if
# it has one block for each entry of `filters`, such as `(32, 64, 128)`. Why does a second block *reduce* this number,
# and why does a fourth more than double it?

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def vgg_parameters(filters):
    """All parameters of the network with one block of two 3×3 convolutions for each entry of `filters`."""
    total, before, side = 0, 3, 32
    for after in filters:
        total += convolution_cost(3, before, after, side)[0] + convolution_cost(3, after, after, side)[0]
        before, side = after, side // 2
    return total + (side * side * before + 1) * 128 + (128 + 1) * 10

# %% tags=["homework", "check"]
found = vgg_parameters((32, 64))
assert found != 65_568 + (2048 + 1) * 128 + 1290, "after two blocks, 8×8×64 = 4,096 numbers are left, not 2,048"
assert found != 65_568 + 8 * 8 * 64 * 128 + 128 * 10, "the convolutions are correct; dense layers have biases as well"
assert found == ablations.network((32, 64)).count_params() and vgg_parameters((32, 64, 128)) == 550_570, f"{found}"
for filters in ((32,), (32, 64), (32, 64, 128), (32, 64, 128, 256)):
    print(f"blocks: {len(filters)}  parameters: {vgg_parameters(filters):9,}")
print("Each block leaves the dense layer fewer inputs, but the filters of a fourth block cost more than that saves.")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **4. A residual unit.** In Keras' *functional form*, you call a layer like a function, `y = layer(x)`, and
# `keras.layers.Add()([x, y])` is the sum of two tensors. Write `residual_unit(x, filters)`: a 3×3 convolution, a ReLU,
# and a second 3×3 convolution, both with `padding="same"`, so that height and width remain as they are; then the sum of
# the result and the unit's input; and finally a ReLU. If the input does not have `filters` channels, the two cannot be
# added: adapt the input by a 1×1 convolution (with biases), which mixes its channels at each position separately.

# %% tags=["homework", "solution"] jupyter={"source_hidden": true}
def residual_unit(x, filters):
    """Two 3×3 convolutions with a skip connection around them; returns a Keras tensor with `filters` channels."""
    skip = x if x.shape[-1] == filters else keras.layers.Conv2D(filters, 1)(x)
    y = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    y = keras.layers.Conv2D(filters, 3, padding="same")(y)
    return keras.layers.ReLU()(keras.layers.Add()([y, skip]))

# %% tags=["homework", "check"]
start = keras.Input((8, 8, 4))
unit = keras.Model(start, residual_unit(start, 4))
assert unit.count_params() == 2 * (9 * 4 * 4 + 4), "with equal channels nothing adapts the input: two convolutions only"
same = models.dirac_init((3, 3, 4, 4))  # with this kernel, a convolution returns its input
unit.set_weights([same, np.zeros(4), -2 * same, np.full(4, 3.0)])  # the first: z → z, the second: z → 3 − 2z
found = unit(np.tile(np.float32([-4, -1, 2, 4]), (1, 8, 8, 1))).numpy()[0, 0, 0]
assert found[1] != 3, "the skip connection is missing: add the input of the unit"
assert found.min() >= 0, "the last ReLU comes after the sum, not before it"
assert found[1] != 4, "the ReLU after the first convolution is missing"
assert found[2] != 2, "between the second convolution and the sum there is no ReLU"
assert np.allclose(found, [0, 2, 1, 0]), f"expected ReLU(x + 3 − 2·ReLU(x)), here 0, 2, 1, 0; got {found}"
wider = keras.Model(start, residual_unit(start, 6))
assert wider.count_params() == 582, "from 4 to 6 channels, a 1×1 convolution with biases adapts the input"
print("correct: the unit returns ReLU(x + f(x))")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# # 02 · Why does the network look like this?
#
# **The question:** what is each layer for, and what does it cost?
#
# Afterwards you can
#
# - read a table of layers, and compute output shape, parameters, multiply-adds and receptive field yourself,
# - say why there are three blocks, why the filters double, and where the parameters sit,
# - test a textbook argument on a real network before you repeat it,
# - explain what pooling, ReLU, He initialisation, dropout and logits do here, and when shortcuts would help.
#
# **Before this:** [01-data](01-data.ipynb), which shows the pictures. You should have met convolution and dense layers
# once. **Time:** 16 minutes for the core. Running everything takes well under a minute and less than 1.5 GB.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: "VGG-like" is no reason. Each choice gets a number here. Common wrong answer to "why three blocks?":
# "because it works". Short of time: the two bets and the receptive field are what must stay.
#
# </details>

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
from helpers import check

check.ready()

# %% tags=["core", "setup"] slideshow={"slide_type": "skip"}
import numpy as np

from helpers import data, evaluation, ablations, figures, models, runs
from helpers.models import keras, tf

dataset = data.load()
run = runs.load("vgg3", dataset.name)
names = data.CLASS_NAMES
picture, label = dataset.x_test[figures.RUNNING_IMAGE], dataset.y_test[figures.RUNNING_IMAGE]
photograph, some = data.to_float(picture[None]), data.to_float(dataset.x_test[:256])
evaluation.predictions(run.model, picture[None])  # warms TensorFlow up
print(f"{dataset.name}: {dataset.source}")
print(f"network: the recorded run of 03-training ({run.record['recipe']['epochs']} epochs); nothing is trained here")

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The whole network
#
# This is the network of the slides. It repeats one unit three times, as the VGG networks do
# ([Simonyan and Zisserman 2015](https://arxiv.org/abs/1409.1556)): two 3×3 convolutions, then a pooling that halves
# height and width. Look for what stays the same from block to block, and for what changes.

# %% tags=["core"]
figures.show_source(models.vgg_block, models.vgg3)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
table = models.layer_table(run.model)
figures.show(
    figures.network_drawing(table),
    "The network: from block to block the maps get smaller and the channels more. Each box is one convolution, as high "
    "as its map and as long as it has channels; a dense layer of 128 units and ten outputs follow.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# The same as a table. **Multiply-adds** are the products with weights for one picture. The **receptive field** is the
# side of the square of the picture that one output unit can depend on. The dropout layers are left out: they have no
# parameters and change no shape.

# %% tags=["core", "nbval-check-output"]
layers = [layer for layer in table if layer.kind != "Dropout"]
rows = [
    (layer.kind, "×".join(map(str, layer.shape)), layer.parameters, layer.multiply_adds, layer.receptive_field or "all")
    for layer in layers
]
rows.append(("sum", "", sum(layer.parameters for layer in layers), sum(layer.multiply_adds for layer in layers), ""))
figures.show_table(["layer", "output", "parameters", "multiply-adds", "receptive field"], rows)
assert run.model.count_params() == 550_570

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# A 3×3 convolution from $C_\text{in}$ to $C_\text{out}$ channels has $9\,C_\text{in}\,C_\text{out}$ weights and
# $C_\text{out}$ biases. It uses each weight once at every place of its map: with a map of $H \times W$ that makes
# $9\,C_\text{in}\,C_\text{out}\,H\,W$ multiply-adds. A dense layer uses each weight once.

# %% tags=["core"] slideshow={"slide_type": "skip"}
second = layers[1]
assert second.parameters == 9 * 32 * 32 + 32 == 9_248
assert second.multiply_adds == 9 * 32 * 32 * 32 * 32 == 9_437_184

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: parameters cost memory, multiply-adds cost time, and they sit in different layers. Check the second
# convolution by hand on the board: 9 · 32 · 32 + 32. Common wrong answer: 9 · 32, which forgets that each filter
# looks at all input channels. Skip the drawing or the table, not both.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Why three blocks? What one unit can see
#
# One 3×3 convolution sees 3 pixels across. The next one sees 3 *units* across, and so a bit more of the picture. After
# pooling, neighbouring units stand two pixels apart, and everything grows twice as fast. With $r$ for the receptive
# field, $s$ for the distance of neighbouring units in pixels, and a window of $k$:
#
# $$r \leftarrow r + (k - 1)\,s, \qquad \text{then, for a pooling that halves,}\quad s \leftarrow 2 s$$

# %% tags=["core", "nbval-check-output"]
field, spacing, derived = 1, 1, []
for block in (1, 2, 3):
    for window in (3, 3):  # two convolutions
        field += (window - 1) * spacing
    print(f"block {block}: its last convolution sees {field:2} × {field:2} pixels")
    derived.append(field)
    field += (2 - 1) * spacing  # pooling
    spacing *= 2
assert derived == [5, 14, 32] == [layer.receptive_field for layer in layers if layer.kind == "Conv2D"][1::2]

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# Formulas can be wrong, so measure. Take a network with random weights. Light a single pixel of a black picture and see
# whether the unit in the middle of each block's last map notices. Do this for all 1,024 pixels.

# %% tags=["core"]
def block_ends(network):
    """The last convolution of each block."""
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)][1::2]


fresh = models.build("vgg3")
middles = [layer.output[:, layer.output.shape[1] // 2, layer.output.shape[2] // 2] for layer in block_ends(fresh)]
lights = np.zeros((32 * 32, 32 * 32, 3), np.float32)
lights[np.arange(1024), np.arange(1024)] = 1
answers = keras.Model(fresh.inputs[0], middles).predict(lights.reshape(-1, 32, 32, 3), batch_size=64, verbose=0)
noticed = [abs(answer).sum(axis=1).reshape(32, 32) for answer in answers]
widths = [int(np.ptp(np.flatnonzero(answer.any(axis=0))) + 1) for answer in noticed]

# %% tags=["core"]
titles = [f"block {number}: {width} pixels" for number, width in enumerate(widths, start=1)]
figures.show(
    figures.receptive_fields(picture, noticed, titles),
    f"What one unit in the middle can see, measured: {widths[0]} pixels across at the end of block 1, {widths[1]} at "
    f"the end of block 2, {widths[2]} at the end of block 3, which is nearly the whole picture.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# **5, 14, 32**: block 1 can see edges and colours, block 2 parts, block 3 a square as wide as the picture. That is the
# argument for *three* blocks. After two, no unit could see both ends of a thing that fills the picture. A fourth would
# look mostly at the zeros around the picture.
#
# The measurement shows 30, not 32: on a map of 8×8 no unit stands exactly in the middle, so two of the 32 rows and
# columns fall off the edge. What is missing, the dense layer puts together.

# %% tags=["core"] slideshow={"slide_type": "skip"}
assert widths == [5, 14, 30]

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# **Does it hold?** An argument is not yet evidence. So the network was trained again with one thing changed: here, without
# its third block. Three trainings each, judged on held-out images. (All of them stand together at the end.)

# %% tags=["core"] slideshow={"slide_type": "fragment"}
print(ablations.verdict("two-blocks", dataset.name))

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: depth and pooling buy sight. Let the class compute 14 from 5: pooling makes 6, then two convolutions at
# spacing 2 add 4 each. Common wrong answer: 9 or 10, which forgets that pooling also spreads the units. Skip the
# formula rather than the picture.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## A bet: two 3×3 or one 5×5?
#
# The textbook argument for small filters: two 3×3 convolutions see as far as one 5×5, and are cheaper. With $C$
# channels everywhere they have $2 \cdot 9\,C^2 = 18\,C^2$ weights against $25\,C^2$, and one more ReLU on top.
#
# **Predict:** our block 1 goes from 3 channels to 32. How many times as cheap are its two 3×3 convolutions as one 5×5
# from 3 to 32? (1.39 is the textbook's 25/18. Below 1 means dearer.)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
my_bet = 25 / 18

rows = []
for block, (before, after) in enumerate([(3, 32), (32, 64), (64, 128)], start=1):
    pair = (9 * before * after + after) + (9 * after * after + after)
    single = 25 * before * after + after
    rows.append((f"block {block}", f"{before} → {after} → {after}", pair, single, f"{single / pair:.2f}"))
figures.show_table(["", "channels", "two 3×3: parameters", "one 5×5: parameters", "times as cheap"], rows)
print(f"your bet for block 1: {my_bet:.2f}")
assert rows[0][2:4] == (10_144, 2_432)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# The argument fails in **every** block of this network. It assumes that the channels stay the same, but here they
# grow *inside* the block, at the first convolution. The second one then works at full width. With the multiply-adds
# it is the same, as each weight is used once at every place.
#
# When do the two pay? $9\,(C_\text{in} C_\text{out} + C_\text{out}^2) < 25\,C_\text{in} C_\text{out}$ means
# $C_\text{out} < \tfrac{16}{9} C_\text{in}$. Ours grow by more: by 2 in blocks 2 and 3, and by more than 10 in block 1.
#
# What is left in favour of the pair? A second ReLU, and so functions that a single 5×5 cannot compute. Whether that is
# worth its price is a question for the held-out images, not for arithmetic. With one 5×5 in each block:

# %% tags=["core"] slideshow={"slide_type": "fragment"}
print(ablations.verdict("one-5x5", dataset.name))

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a correct argument with a silent assumption. Collect bets before running. Common wrong answer: 25/18, the
# textbook's. Ask where in VGG networks the argument does hold: from the second convolution of a block on, and the
# deeper ones have three or four. Skip the inequality if time is short.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Why do the filters double? And where do the parameters sit?
#
# Each pooling leaves a quarter of the places. Doubling the channels on both sides of a convolution makes each place
# four times as expensive. Together: **the work stays the same**. Compare with 32 filters throughout.

# %% tags=["core", "nbval-check-output"]
def work(widths):
    """Millions of multiply-adds in each block, for so many filters per block."""
    sides, before = (32, 16, 8), (3, *widths)
    return [9 * (a * b + b * b) * side**2 / 1e6 for side, a, b in zip(sides, before, widths)]


for filters in ((32, 64, 128), (32, 32, 32)):
    print(filters, "filters:", ", ".join(f"{millions:.1f}" for millions in work(filters)), "million multiply-adds")
sums = np.array([layer.multiply_adds for layer in layers if layer.kind == "Conv2D"]).reshape(3, 2).sum(axis=1)
assert np.allclose(work((32, 64, 128)), sums / 1e6)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Blocks 2 and 3 do equal work. Block 1 does less, because its first convolution has only three input channels. With
# constant filters the later blocks, which see most, would have least to work with.
#
# **Predict:** after the blocks, a picture is 4×4×128 = 2,048 numbers. Which share of *all parameters* sits in the dense
# layer that follows, the one with 128 units? And which share of the multiply-adds?

# %% tags=["core"] slideshow={"slide_type": "subslide"}
my_bet = 10.0, 10.0  # percent of the parameters, percent of the multiply-adds

weighted = [layer for layer in layers if layer.parameters]
stages = ["block 1"] * 2 + ["block 2"] * 2 + ["block 3"] * 2 + ["dense, 128", "dense, 10"]
parameters, products = dict.fromkeys(stages, 0), dict.fromkeys(stages, 0)
for stage, layer in zip(stages, weighted, strict=True):
    parameters[stage] += layer.parameters
    products[stage] += layer.multiply_adds
shares = [100 * cost["dense, 128"] / sum(cost.values()) for cost in (parameters, products)]
figures.show(
    figures.cost_shares(list(parameters), list(parameters.values()), list(products.values())),
    f"The first dense layer holds {shares[0]:.0f}% of all parameters and does {shares[1]:.1f}% of the multiply-adds. "
    f"Your bet was {my_bet[0]:.0f}% and {my_bet[1]:.0f}%.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# Nearly half of what this network can learn sits in one layer that does almost none of its work. A convolution uses
# each weight at every place; the dense layer has a weight of its own for each place. This is where training data can
# be learned by heart, and why dropout follows here too. (Exercise 2 takes the layer out.)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: where the parameters are and where the time goes are different questions. Take the first number by show of
# hands, and let the second be called out. Common wrong answer: "the most filters, so block 3". Skip
# the comparison with 32 filters if time is short.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: max, average, or strides?
#
# Three ways to halve a map: keep the largest of each 2×2, keep their mean, or keep only one of the four, which is
# what a convolution with stride 2 computes. None of them has a parameter. What differs is what survives. Take the
# maps of block 1 for 200 pictures, then move the pictures sideways by one pixel, and ask two things. How much of a
# map's peak is left? And how much does the result change, although what is shown did not?

# %% tags=["optional"] slideshow={"slide_type": "skip"}
first_maps = keras.Model(run.model.inputs[0], block_ends(run.model)[0].output)
still, moved = (first_maps(images).numpy() for images in (some[:200], np.roll(some[:200], 1, axis=2)))
ways = {
    "max": lambda maps: keras.ops.max_pool(maps, 2).numpy(),
    "average": lambda maps: keras.ops.average_pool(maps, 2).numpy(),
    "stride 2": lambda maps: maps[:, ::2, ::2],
}
rows = []
for name, way in ways.items():
    halved, halved_moved = way(still), way(moved)
    peak = halved.max(axis=(1, 2)).sum() / still.max(axis=(1, 2)).sum()
    change = np.linalg.norm(halved - halved_moved) / np.linalg.norm(halved)
    rows.append((name, f"{peak:.0%}", f"{change:.0%}"))
figures.show_table(["way to halve", "peak that is left", "change when the picture moves by one pixel"], rows)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Max pooling keeps every peak, by definition: "there is an edge somewhere here". The average waters peaks down, and is
# steady. The stride takes one place of four without a look at the others: it loses some peaks, and changes most. In
# return it saves three quarters of the convolution's work, as the other places need not be computed. VGG and the
# slides take the maximum. Which one is *better* here only a training can tell, judged on held-out images.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
print(ablations.verdict("average-pooling", dataset.name))

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What the blocks make of our photograph
#
# The trained network, asked for its maps at the end of each block. Bright means active. Look for what you can still
# recognise in each row.

# %% tags=["core"]
maps = keras.Model(run.model.inputs[0], [layer.output for layer in block_ends(run.model)])(photograph)
maps = [block.numpy()[0] for block in maps]
titles = [f"block {number}\n{block.shape[0]}×{block.shape[1]}" for number, block in enumerate(maps, start=1)]
active = [(block > 0).mean() for block in maps]
figures.show(
    figures.feature_maps(picture, maps, titles),
    f"The running example ({names[label]}) and the six channels of each block that answer it most. Block 1 still draws "
    "the picture; block 3 only says where something is. "
    f"Share of active units: {active[0]:.0%}, {active[1]:.0%} and {active[2]:.0%}.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# From "what does it look like" to "what is where": places get coarser, and channels get more special. Beware of
# naming a channel after one picture. Six channels and one photograph are an illustration, not a finding.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the maps lose the where and gain the what. Common wrong answer: "this channel is the wheel detector". Ask
# how one would test that (many pictures, the same channel). Can be skipped.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: why ReLU?
#
# ReLU is $\max(0, z)$. Its slope is 1 where a unit is active, and 0 elsewhere. The older sigmoid has a slope of at
# most ¼, and a gradient passes one such factor per layer: through seven layers at most $4^{-7}$, less than one
# ten-thousandth. Look at how much gradient arrives at each layer's weights in an untrained network.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def gradient_norms(activation, initializer):
    """The size of the loss's gradient for each kernel of a fresh network, first layer first."""
    keras.utils.set_random_seed(0)
    fresh = models.build("vgg3")
    for layer in [layer for layer in fresh.layers if hasattr(layer, "kernel")][:-1]:
        layer.activation = activation
        layer.kernel.assign(initializer()(layer.kernel.shape))
    with tf.GradientTape() as tape:
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(dataset.y_test[:32], fresh(some[:32]))
    kernels = [layer.kernel for layer in fresh.layers if hasattr(layer, "kernel")]
    return [float(tf.norm(gradient)) / len(loss) for gradient in tape.gradient(loss, kernels)]

# %% tags=["optional"] slideshow={"slide_type": "skip"}
kernel_names = [*(f"conv {number}" for number in range(1, 7)), "dense", "logits"]
relu = gradient_norms(keras.activations.relu, keras.initializers.HeUniform)
sigmoid = gradient_norms(keras.activations.sigmoid, keras.initializers.GlorotUniform)
curves = {"ReLU": ([relu], figures.BLUE), "sigmoid": ([sigmoid], figures.ORANGE)}
figures.show(
    figures.layer_by_layer(curves, "size of the gradient", names=kernel_names),
    "Gradient at each layer of an untrained network. From the last layer to the first it changes by a factor of "
    f"{relu[0] / relu[-1]:.2g} with ReLU and {sigmoid[0] / sigmoid[-1]:.2g} with sigmoid.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# With sigmoids the first layers hardly learn at all: the gradient *vanishes* on its way back. With ReLU it arrives. The
# price: a unit that is never active gets no gradient either, and stays so ("dead").

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## How to start: He or Glorot?
#
# Before training, weights are random. How large? Let $z = \sum_i w_i x_i$ be the sum of a unit with $n_\text{in}$
# inputs. For independent weights with mean 0
#
# $$\mathrm{E}[z^2] = n_\text{in} \operatorname{Var}(w)\, \mathrm{E}[x^2],$$
#
# and ReLU, which deletes one half, makes $\mathrm{E}[x^2] = \tfrac12 \mathrm{E}[z^2]$ of it for the next layer. The
# signal keeps its size with the variance of He. Glorot's was made for activations that delete nothing:
#
# $$\text{He:}\quad \operatorname{Var}(w) = \frac{2}{n_\text{in}} \qquad\qquad
# \text{Glorot:}\quad \operatorname{Var}(w) = \frac{2}{n_\text{in} + n_\text{out}}$$
#
# This speaks of the mean over all draws of the weights, and it knows neither padding nor pooling. So measure single
# draws, on real pictures.

# %% tags=["core"] slideshow={"slide_type": "subslide"}
def second_moments(initializer, seed):
    """The mean of z² in each layer of an untrained network, over 100 pictures."""
    keras.utils.set_random_seed(seed)
    fresh = models.build("vgg3")
    for layer in [layer for layer in fresh.layers if hasattr(layer, "kernel")][:-1]:  # the last is not ReLU
        layer.kernel.assign(initializer()(layer.kernel.shape))
    return [float(np.mean(sums**2)) for sums in models.pre_activations(fresh, some[:100])]


he, glorot = (
    np.array([second_moments(initializer, seed) for seed in range(3)])
    for initializer in (keras.initializers.HeUniform, keras.initializers.GlorotUniform)
)

# %% tags=["core"]
shrink = [np.exp(np.log(moments[:, 0] / moments[:, 5]).mean()) for moments in (he, glorot)]
curves = {"He": (he, figures.BLUE), "Glorot": (glorot, figures.ORANGE)}
places = [*(f"conv {number}" for number in range(1, 7)), "dense", "logits"]
figures.show(
    figures.layer_by_layer(curves, "mean of z²", names=places),
    "Size of the signal in three untrained networks of each kind. From the first to the sixth convolution it shrinks "
    f"{shrink[0]:.1f} times with He initialisation and {shrink[1]:.0f} times with Glorot's.",
)

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# With He the signal stays about as large, layer after layer. With Glorot it fades: a factor of 2 is missing at each
# ReLU, and more where channels grow, because $n_\text{out}$ is then larger than $n_\text{in}$. What fades on the way
# forward makes small gradients on the way back.
#
# At our depth this costs time, not success: in the paper that introduced He's start, a network of 22 layers learns from
# both, only later from Glorot's; one of 30 layers learns from He's alone
# ([He et al. 2015](https://arxiv.org/abs/1502.01852)). And ours, started with Glorot's weights?

# %% tags=["core"] slideshow={"slide_type": "fragment"}
print(ablations.verdict("glorot", dataset.name))

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: the factor 2 repairs what ReLU deletes. Common wrong answer: "any small random numbers will do". Ask what
# happens if all weights start at zero (every unit stays the same as its neighbour). Short of time: show only the
# picture.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## Dropout: noise in training, silence afterwards
#
# A dropout layer with rate 0.2 sets each number to zero with a probability of 20%, anew for every picture and step. The
# others are divided by 0.8, so that the mean stays. No unit can rely on one single other unit.
#
# It does so in training **only**. Look at the same ten ones, and then at the same photograph, twice in each mode.

# %% tags=["core"]
drop, ones = keras.layers.Dropout(0.2, seed=3), np.ones((1, 10), np.float32)
print("ten ones, training:  ", *drop(ones, training=True).numpy()[0])
print("ten ones, otherwise: ", *drop(ones, training=False).numpy()[0])
keras.utils.set_random_seed(0)
for mode in (True, False):
    twice = [evaluation.softmax(run.model(photograph, training=mode).numpy())[0, label] for _ in range(2)]
    print(f"training={mode!s:5}  probability of {names[label]}: {twice[0]:.6f}, then {twice[1]:.6f}")
scores = {mode: run.model(some, training=mode).numpy().argmax(axis=1) == dataset.y_test[:256] for mode in (True, False)}
print(f"right on 256 test images: {scores[True].mean():.1%} with dropout on, {scores[False].mean():.1%} with it off")

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# With dropout on, the network is another one at each call, and usually a worse one. So: **off** whenever you judge,
# show or attack. Keras' training accuracy is taken with it *on*; 03-training draws both.
#
# What is it good for? It should keep the network from learning its training images by heart, and so narrow the **gap**:
# how far the accuracy on training images is above that on others. Trained without dropout:

# %% tags=["core"] slideshow={"slide_type": "fragment"}
gaps = [ablations.variant_result(name, dataset.name).gap for name in ("baseline", "no-dropout")]
print(f"gap with dropout: {gaps[0]:.1f} points, without: {gaps[1]:.1f} points")
print(ablations.verdict("no-dropout", dataset.name))

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: two modes, and every number must say in which it was taken. Common wrong answer: "dropout deletes weights".
# It hides activations, for one step. Skip the ten ones if the idea is known.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The end: logits, and softmax when we need it
#
# The last layer gives ten **logits**: any real numbers, the largest wins. **Softmax** makes probabilities of them:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}$$
#
# The slides' listing ends in softmax. Ours ends one step earlier and takes the softmax when it shows something. It is
# the same network: softmax has no weights, and it never changes which class is first.

# %% tags=["core"]
logits = run.model(photograph, training=False).numpy()
probability = evaluation.softmax(logits)
order = np.argsort(-logits[0])[:4]
rows = [(names[k], f"{logits[0, k]:.2f}", f"{probability[0, k]:.6f}") for k in order]
figures.show_table(["class", "logit", "probability"], rows)
assert np.allclose(evaluation.softmax(logits + 100), probability, atol=1e-4)  # only differences count

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# Why not end in softmax? Because `float32` cannot hold how sure a network is. Take two classes with logits 120 and 0,
# and let the second be the true one. Its loss should be $-\ln p_2 = 120$.

# %% tags=["core", "nbval-check-output"]
sure = np.array([[120, 0]], np.float32)
with np.errstate(divide="ignore"):
    print("from the probability:", -np.log(evaluation.softmax(sure)[0, 1]))
print("from the logits:     ", tf.nn.sparse_softmax_cross_entropy_with_logits([1], sure).numpy()[0])

# %% [markdown] tags=["core"] slideshow={"slide_type": "fragment"}
# $e^{-120}$ is too small for `float32`: the probability becomes exactly 0, and with it goes the gradient. From the
# logits the loss is computed without that detour. For training this is a safety; for an attack that lives from the
# gradient, it can decide everything (05-fgsm).

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: same network, safer arithmetic. Common wrong answer: "softmax makes it more accurate". It never changes the
# answer. Skip the second half when short of time; 05-fgsm comes back to it.
#
# </details>

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## The reasons on trial
#
# Reasons of this notebook, all under one budget, and two changes that later networks brought: **batch normalisation**
# after each convolution, and **augmentation**, which moves and mirrors the training pictures. The baseline is the
# network of the slides; each other row has *one* thing changed. A dot is one training. The grey band is chance: it
# shows how far trainings of the same network are apart.
#
# **Predict:** which change costs most?

# %% tags=["core"] slideshow={"slide_type": "subslide"}
epochs = ablations.RECIPE.epochs[dataset.name]
kinds = {name: ablations.variant_result(name, dataset.name) for name in ablations.VARIANTS}
trials = [(name.replace("-", " "), kind.accuracies, kind.multiply_adds) for name, kind in kinds.items()]
trials[1:] = sorted(trials[1:], key=lambda row: -np.mean(row[1]))
means = ", ".join(f"{name} {np.mean(accuracies):.1%}" for name, accuracies, _ in trials)
figures.show(
    figures.ablations(trials, epochs),
    f"Accuracy on held-out images of {dataset.name} after {epochs} epochs, mean of three trainings: {means}.",
)

# %% tags=["core"] slideshow={"slide_type": "subslide"}
usual = dict.fromkeys(("two-blocks", "one-5x5", "average-pooling", "glorot", "no-dropout"), "worse")
usual |= dict.fromkeys(("batch-norm", "augmented"), "better")
claims = []
for name, expected in usual.items():
    points, outcome = ablations.compare(name, dataset.name)
    found = {expected: "holds here", "undecided": "not decided"}.get(outcome, "contradicted here")
    claims.append((name.replace("-", " "), expected, f"{points:+.1f}", found, f"{kinds[name].gap:.1f}"))
figures.show_table(["change", "usual claim", "measured, points", "so the claim", "gap, points"], claims)
print(f"gap of the baseline: {kinds['baseline'].gap:.1f} points")

# %% [markdown] tags=["core"] slideshow={"slide_type": "subslide"}
# How to read this:
#
# - **Decided** means that all three trainings of one kind beat all three of the other. If a change did nothing, that
#   would still happen by chance in one case of ten. With several changes, do not be surprised by one such case.
# - **A verdict holds for its budget.** These trainings are short. What fights overfitting, dropout and augmentation,
#   has more to do in a long one. "Contradicted here" says that a reason has a condition, not that it is wrong.
# - **A narrow gap is not yet a better network.** Compare the rows: what narrows the gap holds the training images back,
#   too. Only the accuracy on held-out images says whether that was worth it.
# - **Not decided** is a result, too: if there is a difference, three trainings are too few to show it. Then the price
#   may choose.

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: a reason is a hypothesis, and its test has a budget and a spread. Let the class vote before the figure.
# Common wrong answer: "the mean is higher, so it is better". Ask how many trainings would decide a difference of half
# a point (many: chance shrinks with the root of their number). `python -m helpers.ablations` repeats all of it.
#
# </details>

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# ## Optional: where residual connections begin to matter
#
# The assignment asks about residual connections: $y = x + f(x)$ in place of $y = f(x)$. They give the gradient a way
# back that no layer weakens. Does a network of six convolutions need that? Stack fifty 3×3 convolutions of 16
# channels, send a random gradient in at the end, and see how much arrives after 1, 2, 3, … layers.

# %% tags=["optional"] slideshow={"slide_type": "skip"}
def gradient_left(shortcut, seed, depth=50, channels=16):
    """The share of a gradient's size that is left behind 0, 1, …, `depth` untrained layers, passed backwards."""
    rng = np.random.default_rng(seed)

    def he_uniform(inputs):
        limit = np.sqrt(6 / (9 * inputs))
        return rng.uniform(-limit, limit, (3, 3, inputs, channels)).astype(np.float32)

    with tf.GradientTape() as tape:
        maps = [tf.nn.relu(tf.nn.conv2d(some[:32, ::4, ::4], he_uniform(3), 1, "SAME"))]
        tape.watch(maps[0])
        for _ in range(depth):
            branch = tf.nn.relu(tf.nn.conv2d(maps[-1], he_uniform(channels), 1, "SAME"))
            maps.append(maps[-1] + branch / depth**0.5 if shortcut else branch)
    sent = tf.random.stateless_normal(maps[-1].shape, (seed, 0))
    gradients = tape.gradient(maps[-1], maps[::-1], output_gradients=sent)
    return [float(tf.norm(gradient) / tf.norm(sent)) for gradient in gradients]

# %% tags=["optional"] slideshow={"slide_type": "skip"}
plain, residual = ([gradient_left(shortcut, seed) for seed in range(3)] for shortcut in (False, True))
curves = {"plain": (plain, figures.ORANGE), "residual": (residual, figures.BLUE)}
after_6, after_50 = (np.exp(np.mean(np.log(np.array(plain)[:, layer]))) for layer in (6, 50))
figures.show(
    figures.layer_by_layer(curves, "share of the gradient left", xlabel="layers passed", mark=(6, "this network")),
    f"Gradient that is left behind so many layers, in three random stacks of each kind. Plain: {after_6:.0%} after six "
    f"layers, {after_50:.0%} after fifty. With shortcuts: at least {np.min(residual):.0%} everywhere.",
)

# %% [markdown] tags=["optional"] slideshow={"slide_type": "skip"}
# Each plain layer keeps most of the gradient, but not all, and fifty such factors multiply. At six layers there is
# little to rescue: **shortcuts would solve a problem that this network does not have.** Trained networks tell the
# same: on CIFAR-10 a plain network of 56 layers learns worse than one of 20, even on its training images, and with
# shortcuts the deeper one wins ([He et al. 2016](https://arxiv.org/abs/1512.03385)). A shortcut also needs equal
# shapes on both sides, and in our blocks the channels change.
#
# (The branch is divided by √50 here, so that fifty sums do not blow up. Residual networks leave this to **batch
# normalisation**. It brings each channel to mean 0 and variance 1 over the batch, in training; otherwise it uses
# running averages. Like dropout it has two modes, and like shortcuts it matters most in deep networks. The slides do
# without.)

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# ## Exercises
#
# The idea of each solution unfolds below its exercise; the code is in the collapsed cell that follows.
#
# **1. A fourth block.** Add `vgg_block(256)` to the network. Say beforehand: the receptive field of its last
# convolution, its multiply-adds, and whether the whole network gets more parameters or fewer.
#
# <details><summary>Idea</summary>
#
# Pooling takes 32 to 36, then two convolutions at a spacing of 8 add 16 each: 68, more than twice the picture. The
# work of the block is again 14.2 million multiply-adds, as its predecessors'. The dense layer now gets 2×2×256 =
# 1,024 numbers and not 2,048, so it loses half of its weights. But the block brings far more: together more than
# twice as many.
#
# </details>

# %% tags=["homework", "nbval-check-output"] jupyter={"source_hidden": true, "outputs_hidden": true}
blocks = [layer for filters in (32, 64, 128, 256) for layer in models.vgg_block(filters)]
head = [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)]
deeper = models.layer_table(keras.Sequential([keras.Input((32, 32, 3)), *blocks, *head]))
fourth = [layer for layer in deeper if layer.kind == "Conv2D"][6:]
print("receptive field:", fourth[-1].receptive_field)
print("multiply-adds of block 4:", f"{sum(layer.multiply_adds for layer in fourth):,}")
print("all parameters:", f"{sum(layer.parameters for layer in deeper):,}")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **2. Without the large dense layer.** Replace `Flatten` and the dense layer of 128 by `GlobalAveragePooling2D`,
# which takes the mean of each channel. How many parameters are left? What can this network no longer tell apart?
#
# <details><summary>Idea</summary>
#
# A little more than half are left. The mean forgets *where* in the last 4×4 map something was: a channel for "wheel"
# says how much wheel there is, not whether it is below the roof. Much of that is known inside the blocks already, as
# their units see the whole picture. Most later networks end this way.
#
# </details>

# %% tags=["homework", "nbval-check-output"] jupyter={"source_hidden": true, "outputs_hidden": true}
blocks = [layer for filters in (32, 64, 128) for layer in models.vgg_block(filters)]
head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
pooled = keras.Sequential([keras.Input((32, 32, 3)), *blocks, *head])
print(f"{pooled.count_params():,} parameters, {pooled.count_params() / run.model.count_params():.0%} of before")

# %% [markdown] tags=["homework"] slideshow={"slide_type": "skip"}
# **3. Dead units.** In which layer of the trained network is the largest share of units never active on any of 100 test
# pictures? Compare with an untrained network. What does a dead unit cost, and can training bring it back?
#
# <details><summary>Idea</summary>
#
# A unit is dead here if its sum is at most 0 for all pictures (for a channel: at all places). It costs its
# multiply-adds and gives nothing. Its own gradient is zero, so it cannot move by itself; but the layers before it
# change, and can wake it. A channel without an active place on 100 pictures may still answer to some other picture.
#
# </details>

# %% tags=["homework"] jupyter={"source_hidden": true, "outputs_hidden": true}
for name, network in (("trained", run.model), ("untrained", models.build("vgg3"))):
    sums = models.pre_activations(network, some[:100])[:-1]
    dead = [np.mean(layer.reshape(-1, layer.shape[-1]).max(axis=0) <= 0) for layer in sums]
    print(f"{name:10}", "  ".join(f"{place} {share:.0%}" for place, share in zip(places, dead)))

# %% [markdown] tags=["core"] slideshow={"slide_type": "slide"}
# ## What we saw
#
# - **The table of layers** can be computed by hand: 550,570 parameters, and each of them has a place.
# - **Three blocks**, because the receptive field grows 5, 14, 32: as wide as the picture. **Filters double** so that
#   each block does about the same work. **Half of the parameters** sit in one dense layer.
# - **A textbook argument was tested**: two 3×3 are cheaper than one 5×5 for equal channels, and dearer in every block
#   here.
# - **Max pooling** keeps peaks, **ReLU** lets gradients pass, **He initialisation** keeps the signal's size,
#   **dropout** is noise in training only, **logits** are the safe end. **Shortcuts** pay in much deeper networks.
# - **Reasons were put on trial**: three trainings for each change, judged on held-out images, with a verdict only where
#   all three agree.
#
# Next: let the network learn. [03-training](03-training.ipynb)

# %% [markdown] tags=["core"] slideshow={"slide_type": "notes"}
# <details><summary>Speaker notes</summary>
#
# The point: each choice had a number. Ask the class for the one choice without one (the dropout rate, the 128 units):
# such choices are made on held-out images. Common wrong answer: "tuned until the test accuracy was good".
#
# </details>

"""Every picture of the series: arrays in, matplotlib Figure out. One file a notebook; `style` holds what they share."""

from .architecture import ablations, cost_fractions, feature_maps, layer_by_layer, network_drawing, receptive_fields
from .data import channel_histogram, class_grid, image_and_pixel_values, three_views
from .defence import clean_vs_robust, epochs_under_attack
from .evaluation import confusion, intervals, labelled_images, precision_recall, reliability_diagram
from .fgsm import (
    accuracy_against_epsilon,
    adversarial_example,
    amplified,
    attack_grid,
    loss_along_ray,
    robustness_curves,
    sign_agreement,
    survival_curve,
)
from .notebook import LiveCurve, show, show_source, show_table
from .style import (
    ATTACK_COLOURS,
    CLEAN,
    DPI,
    FAINT,
    FGSM,
    GREY,
    INK,
    MARK,
    NOISE,
    PGD,
    ROLES,
    SMALLEST_FONT,
    TEST,
    TRAIN,
    WIDTH,
    label_lines,
    new_figure,
)
from .training import accuracy_against_time, cumulative_improvements, learning_curves, live_curve, momentum_paths

# Test images that are shown because they show something well; no accuracy depends on them, and each index behaves alike
# on both data sets. The running image: people recognise it at once, vgg3 is correct but not quite certain, and FGSM
# changes its prediction at a small ε. The opening image: vgg3 is certain before FGSM at 8/255, and certain after it.
RUNNING_IMAGE, OPENING_IMAGE = 109, 419

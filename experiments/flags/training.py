"""The flags of a training."""

import functools
from typing import Any

from absl import flags

from . import groups, kinds

# The constructor arguments that have a flag of their own; all others are given by --set.
OWN_FLAGS = ("image_size", "channels", "latent_dim", "seed", "attributes")
ATTRIBUTE_MODELS = ("conditional_vae", "face_features")
# Factor flags: the loss term that each weighs, and what it is.
FACTORS = {
    "r_loss_factor": ("reconstruction", "the mean squared error"),
    "absolute_factor": ("absolute", "the mean absolute error"),
    "kl_factor": ("kl", "the KL divergence, beta"),
    "ssim_factor": ("dssim", "the dissimilarity (1 - SSIM) / 2"),
    "mask_factor": ("mask", "the squared error of the face's mask"),
    "perceptual_factor": ("perceptual", "the feature distance in --perceptual_network, 1 between two faces"),
    "landmark_factor": ("landmark", "the mean absolute error near landmarks"),
    "landmark_consistency_factor": ("landmark_consistency", "the distance of the landmarks that a network reads"),
    "expression_factor": ("expression", "the error of a code's first numbers as expression, pose and light"),
    "adversarial_factor": ("adversarial", "the discriminator's judgement"),
    "feature_matching_factor": ("feature_matching", "the distance in the discriminator's features"),
}
FACTOR_FLAGS = {flag: term for flag, (term, _) in FACTORS.items()}
# Of running means; Adam divides by 1 - beta_1, and float32 hardly tells more from 1.
MOST_DECAY = 0.999999
MOST_GIGABYTES = 1_000_000
MOST_DEVICES = 1024
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")
# Flags that say how a term is made: of no use where none of these factors is asked for.
COMPANIONS = {
    ("perceptual_factor",): ("perceptual_network", "perceptual_layers", "perceptual_weights", "perceptual_start"),
    ("landmark_factor",): ("landmark_parts",),
    ("adversarial_factor", "feature_matching_factor"): (
        *("adversarial_loss", "balance", "adversarial_start", "r1_factor"),
        *("discriminator", "discriminator_filters", "discriminator_learning_rate"),
    ),
}


def define_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string("model", "vae", "Architecture; `facezoo models` lists them.", **where)
    groups.define_data_flags(values, dataset="procedural_faces")
    flags.DEFINE_list(
        "attributes", None, "Attributes of a conditional model; all of the data set's if absent.", **where
    )
    groups.define_image_size(values, 64)
    flags.DEFINE_enum("channels", None, ["1", "3"], "1 gray, 3 RGB; as the data set has them if absent.", **where)
    kinds.define_number(values, "latent_dim", None, "Dimensions of the code; the model's own if absent.", 1)
    flags.DEFINE_multi_string("set", [], "name=value of any other constructor argument of the model.", **where)
    _define_training_flags(values)
    _define_factor_flags(values)
    _define_network_flags(values)
    _define_adversarial_flags(values)
    _define_run_flags(values)


def _define_training_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    number = functools.partial(kinds.define_number, values)
    number("batch_size", 64, "Of the global batch.", 1)
    number("epochs", 10, "Passes over the training split.", 1)
    number("steps_per_epoch", None, "Only the first batches of each epoch's shuffle.", 1)
    number("validation_steps", None, "Only the first batches of the validation split.", 1)
    flags.DEFINE_enum("optimizer", "adam", ["adam", "adamw", "sgd"], "Optimizer.", **where)
    number("learning_rate", 5e-4, "Highest learning rate.", 0, kind=float, above=True)
    number("weight_decay", 0.004, "Of adamw.", 0, kind=float)
    number("beta_1", 0.9, "First moment's decay of adam.", 0, MOST_DECAY, kind=float)
    number("momentum", 0.9, "Of sgd.", 0, 1, kind=float)
    flags.DEFINE_enum("schedule", "constant", ["constant", "cosine", "exponential"], "After the warm-up.", **where)
    number("schedule_steps", None, "Steps that the schedule spans; those of the first --epochs if absent.", 1)
    number("warmup_steps", 0, "Steps of linear rise to the learning rate.", 0)
    number("final_fraction", 0.01, "Last learning rate as a share of the highest.", 0, 1, kind=float, above=True)
    number("clip_norm", None, "Highest norm of the gradient; no limit if absent.", 0, kind=float, above=True)
    text = "Parts of each device's batch, one after the other, whose gradients make one update: saves memory."
    number("accumulation_steps", 1, text, 1)
    text = (
        "Decay of a running mean of what is learned, such as 0.999: what is validated and becomes the model; else none."
    )
    number("ema", None, text, 0, MOST_DECAY, kind=float)
    groups.define_augmentation_flags(values)
    text = "Face mapping learns what is inside of the faces' masks, where landmarks tell them; --nomasks all of it."
    flags.DEFINE_bool("masks", True, text, **where)
    flags.DEFINE_string("monitor", "loss", "Validation value of the best epoch: a loss term, psnr or ssim.", **where)
    number("patience", None, "Stop after so many epochs without a new best.", 1)
    text = "Type of computation; weights are float32. auto is what this machine is fast in."
    flags.DEFINE_enum("precision", "float32", ["auto", *groups.PRECISIONS], text, **where)
    text = "Of tf.distribute; multi_worker finds the others by TF_CONFIG or Slurm, auto takes all that there is."
    flags.DEFINE_enum("strategy", "one_device", STRATEGIES, text, **where)
    number(
        "devices", None, "Devices of each process, for mirrored and multi_worker; all GPUs if absent.", 1, MOST_DEVICES
    )
    number("seed", 0, "Of weights, data order, noise.", 0, 2**31 - 1)


def _define_factor_flags(values: flags.FlagValues) -> None:
    for name, (_, meaning) in FACTORS.items():
        text = f"Factor of {meaning}; the model's own if absent, 0 switches it off."
        kinds.define_number(values, name, None, text, 0, kind=float)


def _define_network_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    text = "Frozen network of the perceptual loss; `face` ships with facezoo."
    flags.DEFINE_enum("perceptual_network", "vgg16", ["vgg16", "vgg19", "face"], text, **where)
    text = "Its layers, as block3_conv3 or relu3_1; the network's usual ones if absent."
    flags.DEFINE_list("perceptual_layers", None, text, **where)
    kinds.define_path(values, "perceptual_weights", "Weights file of VGG; imagenet downloads them.", "imagenet")
    text = "Steps before the perceptual loss counts; until then training is fast, and it starts from pictures."
    kinds.define_number(values, "perceptual_start", 0, text, 0)
    text = "Landmarks near which --landmark_factor weighs the error: parts of their names."
    flags.DEFINE_list("landmark_parts", ["eye", "mouth"], text, **where)
    flags.register_validator("landmark_parts", _are_words, "must be words with commas between them", **where)


def _define_adversarial_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_enum("adversarial_loss", "hinge", ["bce", "hinge"], "What both players minimise.", **where)
    text = "Of reconstruction and discriminator: by their gradients, by skipping the stronger's steps, or none."
    flags.DEFINE_enum("balance", "adaptive", ["adaptive", "skip", "none"], text, **where)
    flags.DEFINE_enum("discriminator", "global", ["global", "patch"], "One judgement a picture, or a map.", **where)
    flags.DEFINE_list("discriminator_filters", ["32", "64", "128", "256"], "Channels of its stages.", **where)
    flags.register_validator("discriminator_filters", _are_positive, "must be positive whole numbers", **where)
    text = "Steps before the discriminator starts."
    kinds.define_number(values, "adversarial_start", 0, text, 0)
    text = "Factor of the discriminator's R1 gradient penalty."
    kinds.define_number(values, "r1_factor", 0.0, text, 0, kind=float)
    text = "The discriminator's learning rate; --learning_rate if absent."
    kinds.define_number(values, "discriminator_learning_rate", None, text, 0, kind=float, above=True)


def _are_positive(numbers: list[str]) -> bool:
    return bool(numbers) and all(kinds.are_digits(number) and int(number) > 0 for number in numbers)


def _are_words(words: list[str]) -> bool:
    return bool(words) and all(words)


def _define_run_flags(values: flags.FlagValues) -> None:
    text = "Gigabytes of decoded pictures that a process keeps, with their features for --perceptual_factor if all fit."
    kinds.define_number(values, "cache_gb", 4.0, text, 0, MOST_GIGABYTES, kind=float)
    kinds.define_number(values, "save_every", None, "Steps between checkpoints, besides one after each epoch.", 1)
    kinds.define_number(values, "keep_checkpoints", 2, "The last so many are kept, and the best model.", 1)
    text = "How often a run whose updates are not finite goes back to its last checkpoint, at half the learning rate."
    kinds.define_number(values, "rollbacks", 3, text, 0)
    kinds.define_number(values, "draw_every", 1, "Epochs between pictures.", 1)
    where: dict[str, Any] = {"flag_values": values}
    kinds.define_path(values, "init_from", "Run, model file or pretrained name whose weights training starts from.")
    flags.DEFINE_bool("dry_run", False, "Print settings, parameters and one batch's shapes; write nothing.", **where)
    kinds.define_path(values, "run_dir", "Run folder (runs/<model>-<dataset>-<time>).")

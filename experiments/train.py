"""Train an autoencoder on a data set, into a run folder."""

import ast
import functools
from pathlib import Path
from typing import Any

from absl import flags

from . import data, options, runs
from .backend import load_tensorflow
from .errors import UsageError

# The constructor arguments that have a flag of their own; all others are given by --set.
OWN_FLAGS = ("image_size", "channels", "latent_dim", "seed")
FACTOR_FLAGS = {
    "r_loss_factor": "reconstruction",
    "absolute_factor": "absolute",
    "kl_factor": "kl",
    "ssim_factor": "dssim",
}


def define_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string("model", "vae", "Architecture; `facezoo models` lists them.", **where)
    options.define_data_flags(values, dataset="procedural_faces")
    options.define_image_size(values, 64)
    flags.DEFINE_enum("channels", None, ["1", "3"], "1 gray, 3 RGB; as the data set has them if absent.", **where)
    options.define_number(values, "latent_dim", None, "Dimensions of the code; the model's own if absent.", 1)
    flags.DEFINE_multi_string("set", [], "name=value of any other constructor argument of the model.", **where)
    _define_training_flags(values)
    _define_factor_flags(values)
    _define_run_flags(values)


def _define_training_flags(values: flags.FlagValues) -> None:
    where: dict[str, Any] = {"flag_values": values}
    number = functools.partial(options.define_number, values)
    number("batch_size", 64, "Of the global batch.", 1)
    number("epochs", 10, "Passes over the training split.", 1)
    number("steps_per_epoch", None, "Only the first batches of each epoch's shuffle.", 1)
    number("validation_steps", None, "Only the first batches of the validation split.", 1)
    flags.DEFINE_enum("optimizer", "adam", ["adam", "adamw", "sgd"], "Optimizer.", **where)
    number("learning_rate", 5e-4, "Highest learning rate.", 0, kind=float, above=True)
    number("weight_decay", 0.004, "Of adamw.", 0, kind=float)
    number("momentum", 0.9, "Of sgd.", 0, 1, kind=float)
    flags.DEFINE_enum("schedule", "constant", ["constant", "cosine", "exponential"], "After the warm-up.", **where)
    number("warmup_steps", 0, "Steps of linear rise to the learning rate.", 0)
    number("final_fraction", 0.01, "Last learning rate as a share of the highest.", 0, 1, kind=float, above=True)
    flags.DEFINE_bool("flip", False, "Mirror half of the training pictures.", **where)
    flags.DEFINE_string("monitor", "loss", "Validation value of the best epoch: a loss term, psnr or ssim.", **where)
    number("patience", None, "Stop after so many epochs without a new best.", 1)
    flags.DEFINE_enum("precision", "float32", options.PRECISIONS, "Type of computation; weights are float32.", **where)
    flags.DEFINE_enum("strategy", "one_device", ["one_device", "mirrored"], "Of tf.distribute.", **where)
    number("devices", None, "Devices of --strategy=mirrored; all GPUs if absent.", 1)
    number("seed", 0, "Of weights, data order, noise.", 0, 2**31 - 1)


def _define_factor_flags(values: flags.FlagValues) -> None:
    meanings = {
        "r_loss_factor": "the mean squared error",
        "absolute_factor": "the mean absolute error",
        "kl_factor": "the KL divergence, beta",
        "ssim_factor": "the dissimilarity (1 - SSIM) / 2",
    }
    for name, meaning in meanings.items():
        text = f"Factor of {meaning}; the model's own if absent, 0 switches it off."
        options.define_number(values, name, None, text, 0, kind=float)


def _define_run_flags(values: flags.FlagValues) -> None:
    options.define_number(values, "cache_gb", 4.0, "Gigabytes of decoded pictures kept in memory.", 0, kind=float)
    options.define_number(values, "save_every", None, "Steps between checkpoints; each epoch if absent.", 1)
    options.define_number(values, "draw_every", 1, "Epochs between pictures.", 1)
    where: dict[str, Any] = {"flag_values": values}
    options.define_path(values, "init_from", "Run or model file whose weights training starts from.")
    flags.DEFINE_bool("dry_run", False, "Print settings, parameters and one batch's shapes; write nothing.", **where)
    options.define_path(values, "run_dir", "Run folder (runs/<model>-<dataset>-<time>).")


def run(values: flags.FlagValues) -> None:
    folder = Path(values.run_dir or runs.default_folder(values.model, values.dataset))
    if not values.dry_run and runs.is_finished(folder, values):
        print(f"{folder} is finished; nothing to do")
        return
    image_size, _, channels = runs.picture_shape(values)
    sources = {split: data.open_source(values, split, image_size, channels) for split in ("train", "validation")}

    load_tensorflow()
    from .session import Session

    session = Session(values, sources, model_arguments(values, image_size, channels))
    if values.dry_run:
        print(session.summary())
        return
    session.train(folder)
    print(f"{folder / runs.MODEL_FILE}\ntensorboard --logdir {folder / 'tensorboard'}")


def model_arguments(values: flags.FlagValues, image_size: int, channels: int) -> dict[str, Any]:
    """The constructor arguments that the flags name."""
    arguments: dict[str, Any] = {"image_size": image_size, "channels": channels, "seed": values.seed}
    if values.latent_dim is not None:
        arguments["latent_dim"] = values.latent_dim
    for setting in values.set:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set={setting} must be name=value")
        if name in OWN_FLAGS:
            raise UsageError(f"--set={setting}: {name} has a flag of its own, --{name}")
        arguments[name] = _literal(text)
    return arguments


def _literal(text: str) -> object:
    """Numbers, tuples, True, None; everything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError):
        return text

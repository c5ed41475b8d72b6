"""The settings of a training, and the flags that are made from them."""

import dataclasses
from typing import Any

from ..errors import UsageError
from .groups import MAX_IMAGE_SIZE, MIN_IMAGE_SIZE, PRECISIONS, AugmentationSettings, DataSettings
from .kinds import Settings, are_digits, number, one_of, path, repeated, switch, word, words

# Of running means; Adam divides by 1 - beta_1, and float32 hardly tells more from 1.
MOST_DECAY = 0.999999
MOST_GIGABYTES = 1_000_000
MOST_DEVICES = 1024
# The constructor arguments that have a flag of their own; all others are given by --set.
OWN_FLAGS = ("image_size", "channels", "latent_dim", "seed", "attributes", "autoencoder")
TEACHING = (  # what a distilled decoder learns from
    *("r_loss_factor", "ssim_factor", "detail_factor", "taught_factor", "code_factor", "features_factor"),
)
# Networks whose distance comes with them, so that it is neither scaled nor made of chosen layers.
FITTED_DISTANCES = ("lpips_alex", "lpips_squeeze", "recogniser")
STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker")


def _are_positive(numbers: list[str]) -> bool:
    return bool(numbers) and all(are_digits(number) and int(number) > 0 for number in numbers)


def _are_words(found: list[str]) -> bool:
    return bool(found) and all(found)


def factor(term: str, meaning: str, of: tuple[str, ...] = ()) -> Any:
    """The factor of a loss term, and which settings say how it is made: of no use where it is not asked for."""
    text = f"Factor of {meaning}; the model's own if absent, 0 switches it off."
    field = number(None, text, kind=float)
    return dataclasses.field(default=None, metadata=dict(field.metadata) | {"term": term, "companions": of})


@dataclasses.dataclass(frozen=True)
class ModelSettings(Settings):
    """The network."""

    model: str = word("vae", "Architecture; `facezoo models` lists them.")
    image_size: int = number(64, "Height and width in pixels.", MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)
    channels: int | None = one_of(
        ("1", "3"), None, "Channels of the pictures, 1 for gray and 3 for RGB; the data set's if absent.", int
    )
    latent_dim: int | None = number(None, "Dimensions of the code; the model's own if absent.", 1)
    attributes: tuple[str, ...] | None = words(
        None, "Attributes of a conditional model; all of the data set's if absent."
    )
    autoencoder: str | None = path(
        None,
        "Run, model file or pretrained name of the autoencoder that a diffusion autoencoder refines, that a distilled "
        "one learns from, or whose codes a prior draws.",
    )
    set: tuple[str, ...] = repeated("Any other constructor argument of the model, as name=value.")
    init_from: str | None = path(
        None, "Run, model file, pretrained name or hf://USER/NAME whose weights training starts from."
    )


@dataclasses.dataclass(frozen=True)
class OptimizerSettings(Settings):
    """How weights move."""

    optimizer: str = one_of(("adam", "adamw", "sgd"), "adam", "The optimizer.")
    learning_rate: float = number(5e-4, "Highest learning rate.", kind=float, above=True)
    weight_decay: float = number(0.004, "Weight decay of AdamW.", kind=float)
    beta_1: float = number(0.9, "Decay of Adam's first moment.", 0, MOST_DECAY, kind=float)
    momentum: float = number(0.9, "Momentum of SGD.", 0, 1, kind=float)
    clip_norm: float | None = number(None, "Highest norm of the gradient; no limit if absent.", kind=float, above=True)
    accumulation_steps: int = number(
        1, "Parts of each device's batch, one after the other, whose gradients make one update: saves memory.", 1
    )
    ema: float | None = number(
        None,
        "Decay of a running mean of the weights, such as 0.999, which is validated and becomes the model; else none.",
        0,
        MOST_DECAY,
        kind=float,
    )


@dataclasses.dataclass(frozen=True)
class ScheduleSettings(Settings):
    """How long it trains, and how the learning rate changes meanwhile."""

    batch_size: int = number(64, "Pictures in the global batch.", 1)
    epochs: int = number(10, "Passes over the training split.", 1, is_changeable=True)
    min_steps: int | None = number(
        None, "More epochs than --epochs where they take fewer steps than this: a few pictures are seen more often.", 1
    )
    steps_per_epoch: int | None = number(None, "Batches of an epoch, the first of its shuffle; all if absent.", 1)
    schedule: str = one_of(("constant", "cosine", "exponential"), "constant", "The learning rate after the warm-up.")
    schedule_steps: int | None = number(
        None, "Steps that the schedule spans; those of the first --epochs if absent.", 1, is_changeable=True
    )
    warmup_steps: int = number(0, "Steps of linear rise to the learning rate.")
    final_fraction: float = number(0.01, "Last learning rate as a share of the highest.", 0, 1, kind=float, above=True)


@dataclasses.dataclass(frozen=True)
class ObjectiveSettings(Settings):
    """What is minimised: the factors of the loss terms, and how terms are made."""

    r_loss_factor: float | None = factor("reconstruction", "the mean squared error")
    absolute_factor: float | None = factor("absolute", "the mean absolute error")
    kl_factor: float | None = factor("kl", "the KL divergence, beta")
    ssim_factor: float | None = factor("dssim", "the dissimilarity (1 - SSIM) / 2")
    detail_factor: float | None = factor("detail", "the error of fine detail, larger where the picture is flat")
    texture_factor: float | None = factor("texture", "the distance of the distributions of fine structure")
    temporal_factor: float | None = factor("temporal", "the squared error of how successive frames of a clip differ")
    mask_factor: float | None = factor("mask", "the squared error of the face's mask")
    perceptual_factor: float | None = factor(
        "perceptual",
        "the feature distance in --perceptual_network, 1 between two faces",
        ("perceptual_network", "perceptual_layers", "perceptual_weights", "perceptual_start"),
    )
    landmark_factor: float | None = factor("landmark", "the mean absolute error near landmarks", ("landmark_parts",))
    landmark_consistency_factor: float | None = factor(
        "landmark_consistency", "the distance of the landmarks that a network reads"
    )
    expression_factor: float | None = factor(
        "expression", "the error of a code's first numbers as expression, pose and light"
    )
    taught_factor: float | None = factor("taught", "the error of a distilled decoder against its teacher's pictures")
    code_factor: float | None = factor("code", "the error of the code of a distilled decoder's picture")
    features_factor: float | None = factor(
        "features", "the distance of a distilled decoder's picture in the encoder's feature maps"
    )
    perceptual_network: str = one_of(
        ("vgg16", "vgg19", "face", *FITTED_DISTANCES),
        "vgg16",
        "Frozen network of the perceptual loss; `face` ships with facezoo, lpips_... make the loss LPIPS.",
    )
    perceptual_layers: tuple[str, ...] | None = words(
        None, "Layers of that network, such as block3_conv3 or relu3_1; its usual ones if absent."
    )
    perceptual_weights: str = path(
        "imagenet", "Weights file; imagenet finds them by FACEZOO_WEIGHTS or in the cache, and downloads VGG's."
    )
    perceptual_start: int = number(
        0, "Steps before the perceptual loss counts; until then training is fast, and it starts from pictures."
    )
    landmark_parts: tuple[str, ...] = words(
        ("eye", "mouth"),
        "Landmarks near which --landmark_factor weighs the error: parts of their names.",
        _are_words,
        "must be words with commas between them",
    )
    masks: bool = switch(
        True,
        "Face mapping learns what is inside of the faces' masks, where landmarks tell them; --nomasks all of it.",
    )


_PLAYERS = (
    *("adversarial_loss", "balance", "adversarial_start", "r1_factor"),
    *("discriminator", "discriminator_filters", "discriminator_learning_rate"),
)


@dataclasses.dataclass(frozen=True)
class AdversarialSettings(Settings):
    """Training against a discriminator."""

    adversarial_factor: float | None = factor("adversarial", "the discriminator's judgement", _PLAYERS)
    feature_matching_factor: float | None = factor(
        "feature_matching", "the distance in the discriminator's features", _PLAYERS
    )
    adversarial_loss: str = one_of(("bce", "hinge"), "hinge", "What both players minimise.")
    balance: str = one_of(
        ("adaptive", "skip", "none"),
        "adaptive",
        "How both players are kept in balance: by their gradients, by skipping the stronger's steps, or not at all.",
    )
    discriminator: str = one_of(
        ("global", "patch", "projected"),
        "global",
        "Kind of discriminator: one judgement of a picture, a map of them, or many of what SqueezeNet sees in it.",
    )
    discriminator_filters: tuple[int, ...] = words(
        (32, 64, 128, 256),
        "Channels of the discriminator's stages.",
        _are_positive,
        "must be positive whole numbers",
        int,
    )
    adversarial_start: int = number(0, "Steps before the discriminator starts.")
    r1_factor: float = number(0.0, "Factor of the discriminator's R1 gradient penalty.", kind=float)
    discriminator_learning_rate: float | None = number(
        None, "The discriminator's learning rate; --learning_rate if absent.", kind=float, above=True
    )


QUANTISED = {"int8": 8, "int4": 4}


@dataclasses.dataclass(frozen=True)
class CompressionSettings(Settings):
    """What becomes of the decoder's kernels, while the encoder stays as it is."""

    prune: float | None = number(
        None,
        "Share of the numbers in the decoder's kernels that become 0, ever more until half of the training is over.",
        0,
        0.99,
        kind=float,
        above=True,
    )
    quantise: str | None = one_of(
        tuple(QUANTISED), None, "Round the decoder's kernels to so many bits, and train them rounded."
    )

    def __post_init__(self):
        super().__post_init__()
        if self.prune and self.quantise:
            raise UsageError(f"--prune={self.prune:g} does not go with --quantise={self.quantise}: choose one of them")

    @property
    def is_asked(self) -> bool:
        """Whether anything is to become of them."""
        return bool(self.prune or self.quantise)

    @property
    def bits(self) -> int:
        """Of a kernel's numbers; 32 where they are not rounded."""
        return QUANTISED[self.quantise] if self.quantise else 32


@dataclasses.dataclass(frozen=True)
class PlanSettings(Settings):
    """How long a training that makes a decoder small takes, and how fast it learns."""

    steps: int = number(2000, "Updates of the training.", 1)
    batch_size: int = number(64, "Pictures of each.", 1)
    learning_rate: float = number(
        1e-3, "Highest learning rate, which falls to a hundredth by a cosine.", kind=float, above=True
    )
    seed: int = number(0, "Seed of weights, data order and noise.", 0, 2**31 - 1)


@dataclasses.dataclass(frozen=True)
class RunSettings(Settings):
    """Where and how it computes, and what it keeps."""

    seed: int = number(0, "Seed of weights, data order and noise.", 0, 2**31 - 1)
    precision: str = one_of(
        ("auto", *PRECISIONS),
        "float32",
        "Type of computation; weights are float32. auto is what this machine is fast in.",
    )
    strategy: str = one_of(
        STRATEGIES,
        "one_device",
        "Strategy of tf.distribute; multi_worker finds the others by TF_CONFIG or Slurm, auto takes all that there is.",
        is_what=False,
    )
    devices: int | None = number(
        None,
        "Devices of each process, for mirrored and multi_worker; all GPUs if absent.",
        1,
        MOST_DEVICES,
        is_what=False,
    )
    cache_gb: float = number(
        4.0,
        "Gigabytes of decoded pictures that a process keeps, with their features for --perceptual_factor if all fit.",
        0,
        MOST_GIGABYTES,
        kind=float,
        is_what=False,
    )
    validation_steps: int | None = number(
        None, "Batches of the validation split to measure, the first ones; all if absent.", 1
    )
    measure_every: int = number(
        1,
        "Epochs from one measure of the validation split, with a checkpoint, to the next; where --min_steps makes more "
        "epochs, at least a twentieth of them.",
        1,
        is_changeable=True,
    )
    monitor: str = word("loss", "Validation value of the best epoch: a loss term, psnr or ssim.")
    patience: int | None = number(None, "Stop after so many measured epochs without a new best.", 1, is_changeable=True)
    save_every: int | None = number(None, "Steps between checkpoints, besides one after each measured epoch.", 1)
    keep_checkpoints: int = number(
        2, "How many of the last checkpoints are kept, besides the best model.", 1, is_changeable=True
    )
    rollbacks: int = number(
        3, "How often a run whose updates are not finite goes back to its last checkpoint, at half the learning rate."
    )
    perception_count: int = number(
        128,
        "Validation pictures whose LPIPS, KID and KID of as many samples are measured too, at the end and before it "
        "every 500 steps at most, where FACEZOO_WEIGHTS or the cache has the networks; 0 measures none.",
        is_what=False,
        is_changeable=True,
    )
    draw_every: int = number(
        1,
        "Epochs between pictures; where --min_steps makes them more, as many times as many.",
        1,
        is_changeable=True,
    )


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Settings):
    """All that a training is made from."""

    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    optimizer: OptimizerSettings = dataclasses.field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = dataclasses.field(default_factory=ScheduleSettings)
    objective: ObjectiveSettings = dataclasses.field(default_factory=ObjectiveSettings)
    adversarial: AdversarialSettings = dataclasses.field(default_factory=AdversarialSettings)
    augmentation: AugmentationSettings = dataclasses.field(default_factory=AugmentationSettings)
    compression: CompressionSettings = dataclasses.field(default_factory=CompressionSettings)
    run: RunSettings = dataclasses.field(default_factory=RunSettings)

    def __post_init__(self):
        super().__post_init__()
        if self.compression.is_asked and self.optimizer.ema is not None:
            raise UsageError(
                f"--ema={self.optimizer.ema:g} does not go with --prune and --quantise: running means of kernels are "
                "neither sparse nor rounded"
            )


def list_factors(settings: TrainingSettings) -> "list[Factor]":
    """Every factor, with its value."""
    return [
        Factor(field.name, field.metadata["term"], getattr(group, field.name), field.metadata["companions"], group)
        for group in (settings.objective, settings.adversarial)
        for field in dataclasses.fields(group)
        if "term" in field.metadata
    ]


@dataclasses.dataclass(frozen=True)
class Factor:
    """A factor as it is set.

    Attributes:
      name: of the setting.
      term: that it weighs.
      value: None leaves the model's own.
      companions: settings that do nothing without it.
      group: that all of them stand in.
    """

    name: str
    term: str
    value: float | None
    companions: tuple[str, ...]
    group: ObjectiveSettings | AdversarialSettings

    def find_changed_companions(self) -> list[str]:
        """Those that are not as they are by default."""
        own = {field.name: field.default for field in dataclasses.fields(self.group)}
        return [name for name in self.companions if getattr(self.group, name) != own[name]]

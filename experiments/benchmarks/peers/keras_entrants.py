"""Entrants in Keras: the models of facezoo's recipes, and the VAE of Keras' documentation."""

import keras
import numpy as np
import tensorflow as tf

from ....datasets.source import Source
from ....losses import vae_kl_loss
from ....models import NETWORKS
from ...errors import UsageError
from ...flags.parsing import parse_training
from ...flags.training import TrainingSettings
from ...training.arguments import parse_arguments
from ...training.building import make_model
from ...training.devices import resolve_precision
from ...training.objective import make_objective
from .entrant import Arrays

SMALLEST = 4  # pixels of the documentation's last maps


def read_recipe(recipe: str, latent_dim: int, image_size: int) -> TrainingSettings:
    """The settings of a recipe that learns from pictures alone and gives them back.

    Raises:
      UsageError: it cannot take part.
    """
    arguments = [f"--recipe={recipe}", f"--image_size={image_size}", f"--latent_dim={latent_dim}"]
    settings = parse_training(arguments, has_recipes=True)
    model = NETWORKS[settings.model.model]
    columns = (column for column in model.adapts_by if column != "image")
    told = [*model.conditions.values(), *columns, *(["landmarks"] if settings.objective.landmark_factor else [])]
    if settings.adversarial.adversarial_factor or settings.adversarial.feature_matching_factor:
        raise UsageError(f"--contestants={recipe}: it trains two players, which a contest has no turns for")
    if not model.reconstructs:
        raise UsageError(f"--contestants={recipe}: it gives no pictures back, which a contest measures")
    if told:
        raise UsageError(f"--contestants={recipe}: it learns from {told[0]}, and a contest has pictures alone")
    return settings


class RecipeEntrant:
    """A recipe's model and objective.

    Args:
      recipe: one that `read_recipe` takes.
      latent_dim: of its code.
      source: the training split.

    Raises:
      UsageError: its model has no such code or takes no pictures of this size, or networks of its loss are missing.
    """

    def __init__(self, recipe: str, latent_dim: int, source: Source):
        size = source.image_shape[0]
        settings = read_recipe(recipe, latent_dim, size)
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(resolve_precision(settings.run.precision))
        try:
            self.model = make_model(settings.model.model, parse_arguments(settings, size, 3), source)
            self.rate, self.warmup_steps = settings.optimizer.learning_rate, settings.schedule.warmup_steps
            objective = make_objective(self.model, settings, source)
            self.model.compile(keras.optimizers.Adam(self.rate), objective, settings.optimizer.clip_norm)
        finally:
            keras.config.set_dtype_policy("float32")
        self.num_parameters, self.has_prior = self.model.count_params(), self.model.has_prior
        self._step = tf.function(self.model.train_step, autograph=False)
        self._made = tf.function(lambda images: self.model({"image": images}, training=False)["reconstruction"])

    def take_step(self, images, rate_share):
        begun = min(1.0, (int(self.model.optimizer.iterations) + 1) / (self.warmup_steps + 1))
        self.model.optimizer.learning_rate.assign(self.rate * rate_share * begun)
        self._step({"image": tf.constant(images)})["loss"].numpy()  # until it is done

    def reconstruct(self, images):
        return np.asarray(self._made(tf.constant(images)))

    def encode(self, images):
        codes = np.asarray(self.model.encode(images))
        return codes if codes.ndim == 2 else None

    def decode(self, codes):
        return np.asarray(self.model.decode(codes))

    def state(self):
        return read_variables([*self.model.variables, *self.model.optimizer.variables])

    def restore(self, state):
        assign_variables([*self.model.variables, *self.model.optimizer.variables], state)


def count_stages(image_size: int) -> int:
    """How often the documentation's VAE, made larger, halves pictures.

    Raises:
      UsageError: they cannot be halved so often without a rest, and come back in another size.
    """
    stages = 1
    while image_size // 2**stages > SMALLEST:
        stages += 1
    if image_size % 2**stages:
        raise UsageError(
            f"--image_size={image_size}: keras halves pictures {stages} times, of multiples of {2**stages}"
        )
    return stages


class DocumentationVAE:
    """The variational autoencoder of Keras' documentation ("Variational AutoEncoder", fchollet 2020), made larger.

    There: convolutions of 32 and 64 channels at stride 2, a dense layer, codes of 2 numbers, the mirror of it, binary
    cross-entropy summed over pixels and the KL divergence, Adam as it is by default, for digits of 28 pixels. Here
    stages follow, each of twice the channels, down to 4 pixels, and the dense layer has 256 units, since 16 would be a
    narrower place than the code. As there, cross-entropy is a mean over colours.
    """

    def __init__(self, latent_dim: int, image_size: int):
        keras.utils.set_random_seed(0)
        filters = [32 * 2**stage for stage in range(count_stages(image_size))]
        images = x = keras.Input((image_size, image_size, 3))
        for count in filters:
            x = keras.layers.Conv2D(count, 3, 2, "same", activation="relu")(x)
        maps = x.shape[1:]
        x = keras.layers.Dense(256, activation="relu")(keras.layers.Flatten()(x))
        heads = [keras.layers.Dense(latent_dim, name=name)(x) for name in ("z_mean", "z_log_var")]
        self.encoder = keras.Model(images, heads)
        codes = keras.Input((latent_dim,))
        x = keras.layers.Reshape(maps)(keras.layers.Dense(int(np.prod(maps)), activation="relu")(codes))
        for count in reversed(filters):
            x = keras.layers.Conv2DTranspose(count, 3, 2, "same", activation="relu")(x)
        self.decoder = keras.Model(codes, keras.layers.Conv2DTranspose(3, 3, padding="same", activation="sigmoid")(x))
        self.latent_dim, self.rate = latent_dim, 1e-3
        self.weights = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        self.optimizer = keras.optimizers.Adam(self.rate)
        self.optimizer.build(self.weights)
        self.num_parameters = self.encoder.count_params() + self.decoder.count_params()
        self.has_prior = True
        self._step = tf.function(self._learn)

    def _learn(self, images, epsilon):
        with tf.GradientTape() as tape:
            mean, log_var = self.encoder(images, training=True)
            made = self.decoder(mean + tf.exp(0.5 * log_var) * epsilon, training=True)
            error = tf.reduce_sum(keras.losses.binary_crossentropy(images, made), axis=(1, 2))
            loss = tf.reduce_mean(error + vae_kl_loss(mean, log_var))
        self.optimizer.apply(tape.gradient(loss, self.weights), self.weights)
        return loss

    def take_step(self, images, rate_share):
        self.optimizer.learning_rate.assign(self.rate * rate_share)
        seed = (0, int(self.optimizer.iterations))
        epsilon = np.random.default_rng(seed).standard_normal((len(images), self.latent_dim), np.float32)
        self._step(tf.constant(images), tf.constant(epsilon)).numpy()

    def reconstruct(self, images):
        return self.decode(self.encode(images))

    def encode(self, images):
        return np.asarray(self.encoder(images, training=False)[0])

    def decode(self, codes):
        return np.asarray(self.decoder(codes, training=False))

    def state(self):
        return read_variables([*self.weights, *self.optimizer.variables])

    def restore(self, state):
        assign_variables([*self.weights, *self.optimizer.variables], state)


def read_variables(variables) -> dict[str, np.ndarray]:
    """Their values by their places in the order; in mixed precision, too, they are float32."""
    return {f"{number:04d}": np.asarray(variable.numpy()) for number, variable in enumerate(variables)}


def assign_variables(variables, state: Arrays) -> None:
    """Gives variables the values that `read_variables` has read.

    Raises:
      ValueError: they are others.
    """
    if len(variables) != len(state):
        raise ValueError(f"it holds {len(state)} arrays, not {len(variables)}")
    for number, variable in enumerate(variables):
        variable.assign(state[f"{number:04d}"])

"""What every network of the zoo shares that is trained: one objective, one optimizer, one training step."""

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from ..losses import MissingTerm, Objective
from ..losses.objective import Term
from . import randomness
from .batches import as_batch, check_trains, choose_targets, is_tensorflow, plainly, skip_checks
from .blocks import check_positive

KERAS_SUM = "_all_reduce_sum_gradients"  # with which Keras' optimizers sum gradients over replicas
MOST_NAMED = 8  # layers in a warning


class TrainableModel(keras.Model):
    """A network that learns by an `Objective`.

    A subclass builds its networks in `__init__`, keeps every constructor argument as an attribute of the same name,
    and maps a batch to a dict of outputs in `call`. Whoever calls the model, or Keras' `fit`, `evaluate` and `predict`,
    may give plain pictures instead of a batch, uint8 or floats in [0, 1] (`read_batch`).

    >>> from facezoo.models import VAE  # one of its subclasses
    >>> model = VAE(image_size=32, filters=(8, 8), latent_dim=4)
    >>> model.compile("adam")
    >>> model.metrics_names
    ['loss', 'reconstruction', 'kl']

    Attributes:
      default_factors: what is minimised where `compile` is given no objective.
      data_arguments: constructor arguments that follow from the data: argument -> attribute of the data set's `Source`.
      spared_arguments: of those, the ones that are left as they are where the data tell nothing.
      batch_columns: what it reads of a batch besides `image` that a data set does not give by itself: "warped", "mask".
      conditions: what it is told of a picture: attribute of the model that names it -> column of a batch.
      model_arguments: of the constructor, those that are models themselves.
      adapts_to: how many pictures of the training split `adapt` wants; 0 where it has nothing to find.
      adapts_by: the columns of those that it wants, in the order of `adapt`'s arguments.
      free_arguments: of the constructor, what it may have otherwise than the model that it takes its weights from.
      replaced_arguments: of the constructor, those that leave no room for others: argument -> the others.
      measures_held: `adapt` measures a model that it holds, and so is to be called again where that is another one.
      reconstructs: its outputs have a `reconstruction` of the picture, and `z`.
      reads_clips: it learns from the `clip` of a batch, [B, T, H, W, C], whose frame in the middle is `image`.
      reads_faces: its outputs say whose face it is, its attributes, landmarks and factors.
      draws_codes: it makes new codes for an autoencoder.
    """

    default_factors: ClassVar[Mapping[str, float]] = {}
    data_arguments: ClassVar[Mapping[str, str]] = {}
    spared_arguments: ClassVar[tuple[str, ...]] = ()
    batch_columns: ClassVar[tuple[str, ...]] = ()
    conditions: ClassVar[Mapping[str, str]] = {}
    model_arguments: ClassVar[tuple[str, ...]] = ()
    adapts_to: ClassVar[int] = 0
    adapts_by: ClassVar[tuple[str, ...]] = ("image",)
    free_arguments: ClassVar[tuple[str, ...]] = ("seed", "name", "dropout", "l2", "kernel_initializer")
    replaced_arguments: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    measures_held: ClassVar[bool] = False
    reconstructs: ClassVar[bool] = False
    reads_clips: ClassVar[bool] = False
    reads_faces: ClassVar[bool] = False
    draws_codes: ClassVar[bool] = False
    objective: Objective
    clip_norm: float | None
    accumulation_steps: int

    def __init_subclass__(cls, **options):
        """Has `help` and `inspect.signature` tell all that a class takes."""
        super().__init_subclass__(**options)
        cls.__signature__ = find_signature(cls)

    def build(self, input_shape=None):
        """Nothing is left to build: subclasses build their networks in `__init__`."""
        self.built = True

    def loss_terms(self) -> dict[str, Term]:
        """Every loss term that this network can be trained with and that needs nothing from outside."""
        raise NotImplementedError

    def inside(self, term: Term) -> Term:
        """A term from outside as this network is trained with it: as it is, or inside of masks."""
        return term

    def compile(
        self,
        optimizer: str | keras.Optimizer = "adam",
        objective: Objective | None = None,
        clip_norm: float | None = None,
        accumulation_steps: int = 1,
        *,
        metrics: Iterable[str | keras.Metric] | None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
    ):
        """Sets what `train_step` minimises and how.

        Args:
          optimizer: under mixed_float16 it is wrapped for loss scaling. Give clipping to no optimizer but here.
          objective: the loss terms and their factors; by default `loss_terms()` weighed by `default_factors`.
          clip_norm: the gradients are scaled down where their norm over the global batch is above this; None never.
          accumulation_steps: equal parts of each replica's batch that are gone through one after the other, so that
            memory holds one at a time; their gradients make one update. Batch normalisation sees each by itself.
          metrics: Keras' metrics of (pictures, reconstructions), such as "mae", reported besides the loss terms.
          run_eagerly, steps_per_execution, jit_compile: as Keras has them.

        Raises:
          ValueError: `accumulation_steps` is no positive whole number, the objective is none, or metrics are asked for
            of a network that makes no pictures.
        """
        check_trains("compile")
        check_positive(accumulation_steps=accumulation_steps)
        if not isinstance(objective, Objective | None):
            raise ValueError(
                f"objective={objective!r} must be a facezoo.losses.Objective, which takes the place of Keras' loss; "
                "without one the model's own is minimised"
            )
        if metrics and not self.reconstructs:
            raise ValueError(f"metrics: a {type(self).__name__} makes no pictures to measure")
        self.objective = objective or self._make_objective(self.default_factors)
        self.clip_norm, self.accumulation_steps = clip_norm, accumulation_steps
        # A plain dict would be saved with the model.
        self.picture_metrics = MappingProxyType({metric.name: metric for metric in map(_as_metric, metrics or ())})
        super().compile(
            optimizer=self._prepare(optimizer, self.learned_variables),
            loss=None,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        self.build()

    def __call__(self, batch, *arguments, **options):
        """As `call`, of a batch as `read_batch` takes it."""
        return super().__call__(self.read_batch(batch), *arguments, **options)

    def read_batch(self, data) -> dict:
        """What it is given as a batch, see `batches.as_batch`."""
        return as_batch(data)

    # Methods, not properties: Keras saves whatever it finds in attributes.

    def own_weights(self, held: Iterable[str] | None = None) -> list:
        """Its weights but for those of the models that it holds as these of its arguments, as all of them if absent."""
        parts = [getattr(self, argument) for argument in (self.model_arguments if held is None else held)]
        others = {id(weight) for part in parts for weight in part.weights}
        return [weight for weight in self.weights if id(weight) not in others]

    def network(self) -> "TrainableModel":
        """What encodes, decodes and is published: itself, or the network that it holds to train it."""
        return self

    @classmethod
    def enlarge_arguments(cls, arguments: Mapping[str, Any], image_size: int) -> dict[str, Any]:
        """The constructor's arguments of what `grow_from` a model with these arguments may make, of larger pictures.

        Raises:
          ValueError: there is none.
        """
        raise ValueError(f"a {cls.__name__} grows for no larger pictures")

    def grow_from(self, small: "TrainableModel") -> None:
        """Takes the weights of a model for smaller pictures, of which `enlarge_arguments` tells this one's arguments.

        What the two have is copied, and what is new begins so that the first pictures are the small one's, enlarged.
        """
        if 2 * small.image_size < self.image_size:
            middle = type(self)(**self.enlarge_arguments(small.get_config(), self.image_size // 2))
            middle.grow_from(small)
            small = middle
        self._grow_once(small)

    def _grow_once(self, small: "TrainableModel") -> None:
        """As `grow_from`, of a model for pictures half as large."""
        raise NotImplementedError

    def begin_from(self, other: "TrainableModel", load: Callable[[int], Mapping[str, np.ndarray]]) -> bool:
        """Takes what it can of a trained model of another kind, or of the same kind with other arguments.

        Args:
          other: the model.
          load: gives a number of examples of the training split, pictures in [0, 1].

        Returns:
          Whether it can begin from this one.
        """
        return False

    def parts(self) -> "tuple[TrainableModel, ...]":
        """The networks that it is made of, itself where it holds none."""
        return (self,)

    def find_part(self, argument: str) -> "TrainableModel":
        """What another model is to hold as its argument of this name: itself, or what it holds by that name itself."""
        return getattr(self, argument) if argument in self.model_arguments else self

    @property
    def learned_variables(self) -> list:
        """What the optimizer of `compile` trains."""
        return self.trainable_variables

    def _prepare(self, optimizer: str | keras.Optimizer, variables) -> keras.Optimizer:
        """An optimizer that knows its variables and, under mixed_float16, scales the loss."""
        optimizer = keras.optimizers.get(optimizer)
        is_scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not is_scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if not optimizer.built:
            optimizer.build(variables)
        if hasattr(_inner(optimizer), KERAS_SUM):
            setattr(_inner(optimizer), KERAS_SUM, list)  # `sum_replicas` has done it: not over the network twice
        return optimizer

    def get_compile_config(self):
        """What a saved model keeps of its training: the optimizer, and the objective's names and factors."""
        if not self.can_train:
            return {}
        metrics = [keras.saving.serialize_keras_object(metric) for metric in self.picture_metrics.values()]
        return {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "factors": self.objective.factors,
            "clip_norm": self.clip_norm,
            "accumulation_steps": self.accumulation_steps,
            **({"metrics": metrics} if metrics else {}),
        }

    def compile_from_config(self, config):
        """Compiles as saved, with a `MissingTerm` for each term that needs something from outside.

        Where nothing trains, under another backend than TensorFlow, nothing is compiled.
        """
        if not is_tensorflow():
            return
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        self.compile(optimizer, **self._read_options(config))

    def _read_options(self, config) -> dict:
        """The arguments of `compile` besides optimizers; a model of an older version may lack some."""
        options = {name: config[name] for name in ("clip_norm", "accumulation_steps") if name in config}
        metrics = [keras.saving.deserialize_keras_object(metric) for metric in config.get("metrics", ())]
        return {"objective": self._make_objective(config["factors"]), "metrics": metrics, **options}

    def _make_objective(self, factors: Mapping[str, float]) -> Objective:
        terms = {name: MissingTerm(name) for name in factors} | self.loss_terms()
        return Objective(terms, factors)

    @property
    def can_train(self) -> bool:
        """Whether there are an objective and an optimizer: Keras says so of what it loads under any backend."""
        return self.compiled and is_tensorflow()

    @property
    def metrics(self):
        """The objective's trackers, which Keras resets at the start of an epoch, and the metrics of `compile`."""
        if not self.can_train:
            return []
        objective = self.objective
        trackers = objective.trackers.values(), self.picture_metrics.values()
        return [*itertools.chain(*trackers), objective.gradient_norm, objective.skipped_steps]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order; `train_on_batch` returns them first."""
        return [*self.objective.measured_names, *self.picture_metrics] if self.can_train else []

    fit, evaluate, predict = (
        plainly(method) for method in (keras.Model.fit, keras.Model.evaluate, keras.Model.predict)
    )
    train_on_batch, test_on_batch = plainly(keras.Model.train_on_batch), plainly(keras.Model.test_on_batch)
    predict_on_batch = plainly(keras.Model.predict_on_batch)

    def export(self, filepath, format: str = "tf_saved_model", *arguments, input_signature=None, **options):
        """As Keras' `export`; without a signature the model takes pictures, float32 [B, H, W, C] in [0, 1]."""
        shape = (None, self.image_size, self.image_size, self.channels)
        signature = input_signature or [keras.InputSpec(dtype="float32", shape=shape, name="image")]
        with skip_checks():
            return super().export(filepath, format, *arguments, input_signature=signature, **options)

    def train_step(self, data):
        """One update, left out where the loss or a gradient is not finite.

        Args:
          data: a batch as `read_batch` takes it.

        Returns:
          Each unweighted term, `loss` and `gradient_norm`, that of all replicas before clipping, as means since the
          last reset; and `skipped_steps`, the updates left out.
        """
        batch, kept = self.read_batch(data), self._keep_layers()
        with skip_checks(), randomness.at_step(self.optimizer.iterations):
            values, gradients = in_parts(self._values_and_gradients, batch, self.accumulation_steps)
        gradients = sum_replicas(gradients)
        is_good = self._is_good(values["loss"], (self.optimizer, gradients))
        norm = apply_gradients(self.optimizer, gradients, self.learned_variables, self.clip_norm, is_good)
        self._restore_layers(kept, is_good)
        return self.objective.track_step(values, norm, is_good) | self._measure(values, is_good)

    def _values_and_gradients(self, batch) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
        """Of a batch: the terms and `loss`, [B]; and this replica's gradients of the scaled loss."""
        with tf.GradientTape() as tape:
            outputs = self(batch, training=True)
            values = self.objective.values(choose_targets(batch), outputs)
            loss = self.objective.reduce(values["loss"]) + self.regularization()
            scaled_loss = self.optimizer.scale_loss(loss)
        return values | self._to_measure(batch, outputs), find_gradients(tape, scaled_loss, self.learned_variables)

    def _to_measure(self, batch, outputs) -> dict[str, tf.Tensor]:
        """What the metrics of `compile` compare, if there are any: two [B, H, W, C]."""
        if not self.picture_metrics:
            return {}
        return {"pictures/wanted": choose_targets(batch)["image"], "pictures/made": outputs["reconstruction"]}

    def _measure(self, values, is_good: bool | tf.Tensor = True) -> dict[str, tf.Tensor]:
        """Adds a batch to the metrics of `compile` where it is good; returns what they are since the last reset."""
        for metric in self.picture_metrics.values():
            wanted, made = (tf.where(is_good, values[f"pictures/{kind}"], 0.0) for kind in ("wanted", "made"))
            metric.update_state(wanted, made, tf.cast(is_good, tf.float32) * tf.ones(tf.shape(made)[:1]))
        return {name: metric.result() for name, metric in self.picture_metrics.items()}

    @staticmethod
    def _is_good(losses, *players):
        """Whether a step may change the model, the same on all replicas: a boolean scalar.

        Args:
          losses: this replica's, [B].
          players: optimizers, each with the summed gradients of its loss. Gradients that are not finite only because
            the loss scale is too high are the optimizer's own affair.
        """
        faults = tf.reduce_sum(tf.cast(~tf.math.is_finite(losses), tf.float32))
        checks = [sum_replicas([faults])[0] == 0.0]
        for optimizer, gradients in players:
            too_high = getattr(optimizer, "dynamic_scale", 1.0) > 1.0
            checks.append(_are_finite(gradients) | too_high)
        return tf.reduce_all(tf.stack(checks))

    def _keep_layers(self) -> list[tf.Tensor]:
        """What a forward pass changes, the running moments of batch normalisation, as it is now."""
        return [tf.identity(variable) for variable in self.non_trainable_variables]

    def _restore_layers(self, kept: list[tf.Tensor], is_good) -> None:
        """Takes a forward pass back where the step was not good."""
        for variable, value in zip(self.non_trainable_variables, kept, strict=True):
            variable.assign(tf.where(is_good, variable, value))

    def test_step(self, data):
        """As `train_step`, without the update."""
        batch = self.read_batch(data)
        outputs = self(batch, training=False)
        return self.objective.track(self.evaluate_batch(choose_targets(batch), outputs)) | self._measure(
            self._to_measure(batch, outputs)
        )

    def predict_step(self, data):
        """The outputs of a batch, those that have a row for each example."""
        pictures, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        outputs = self(pictures, training=False)
        return {name: value for name, value in outputs.items() if tf.is_tensor(value) and value.shape.rank}

    def evaluate_batch(self, batch, outputs) -> dict[str, tf.Tensor]:
        """What evaluation tells of a batch, as `Objective.measure`: the unweighted terms and `loss`, float32 [B]."""
        with skip_checks():  # what a term encodes again may lie a little outside of [0, 1]
            return self.objective.measure(batch, self.as_in_training(outputs))

    def as_in_training(self, outputs):
        """Outputs of evaluation with what the terms see in training, where that is something else."""
        return outputs

    def regularization(self):
        """This replica's share of the layers' own penalties (L2), a float32 scalar."""
        penalties = [tf.cast(penalty, tf.float32) for penalty in self.losses]
        return tf.add_n(penalties) / tf.distribute.get_strategy().num_replicas_in_sync if penalties else 0.0

    def get_config(self):
        """The constructor's keyword arguments, all of them: each is kept as an attribute of the same name.

        Those of a class that hands `**options` on to its parent are the parent's too.

        Raises:
          ValueError: an argument is not kept.
        """
        names = inspect.signature(type(self)).parameters
        if missing := [name for name in names if not hasattr(self, name)]:
            raise ValueError(
                f"{type(self).__name__} does not keep its argument {missing[0]!r}, so it cannot be saved: set "
                f"self.{missing[0]} in __init__, or write get_config"
            )
        return {name: _describe(getattr(self, name)) for name in names}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        models = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in cls.model_arguments
            if isinstance(config.get(name), Mapping)
        }
        return cls(**{**config, **models})


def _describe(argument):
    """An argument as a configuration has it; of a model its class and arguments, without how it was trained."""
    if not isinstance(argument, keras.Model):
        return argument
    described = keras.saving.serialize_keras_object(argument)
    return {name: part for name, part in described.items() if name != "compile_config"}


def find_signature(kind: type) -> inspect.Signature:
    """What a class' constructor takes by name; where it takes `**options`, what those above it take as well."""
    found: dict[str, inspect.Parameter] = {}
    for parent in kind.__mro__:
        if "__init__" not in vars(parent):
            continue
        if not issubclass(parent, TrainableModel):  # Keras' own, which has a name
            found.setdefault("name", inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default=None))
            break
        parameters = list(inspect.signature(parent.__init__).parameters.values())[1:]
        found |= {
            one.name: one.replace(kind=one.KEYWORD_ONLY) if found else one
            for one in parameters
            if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and one.name not in found
        }
        if not any(one.kind == one.VAR_KEYWORD for one in parameters):
            break
    return inspect.Signature(list(found.values()))


def _as_metric(metric: str | keras.Metric) -> keras.Metric:
    """A metric of Keras' by its name, or as it is."""
    found = keras.metrics.get(metric)
    return type(found)(name=metric) if isinstance(metric, str) else found  # called as it was asked for


class FromStep:
    """A term that is 0, and costs nothing, before a training step; in evaluation it always counts.

    Args:
      term: any.
      start_step: the first that it counts in.
    """

    def __init__(self, term: Term, start_step: int):
        self.term, self.start_step = term, start_step
        self.target_columns = getattr(term, "target_columns", None)

    def __call__(self, batch, outputs):
        def value():
            return tf.cast(self.term(batch, outputs), tf.float32)

        return tf.cond(randomness.has_come(self.start_step), value, lambda: tf.zeros(tf.shape(batch["image"])[:1]))


def find_gradients(tape: tf.GradientTape, target, variables, output_gradients=None) -> list[tf.Tensor]:
    """As `tape.gradient`, with 0 for weights that no term reaches; a warning names some of their layers."""
    pairs = list(zip(variables, tape.gradient(target, variables, output_gradients), strict=True))
    unreached = sorted({variable.path.split("/")[0] for variable, gradient in pairs if gradient is None})
    if unreached:
        more = f" and {len(unreached) - MOST_NAMED} more" if len(unreached) > MOST_NAMED else ""
        logging.warning("no loss term reaches %s%s: they do not learn", ", ".join(unreached[:MOST_NAMED]), more)
    return [tf.zeros_like(variable) if gradient is None else gradient for variable, gradient in pairs]


def in_parts(values_and_gradients: Callable, batch, count: int) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
    """What `values_and_gradients(batch)` says, without holding the activations of more than a part of the batch.

    Args:
      values_and_gradients: batch -> (values by name, each [B]; gradients of losses that are means over the batch).
      batch: tensors [B, ...] by name.
      count: of the equal parts.
    """
    if count == 1:
        return values_and_gradients(batch)
    parts = {name: tf.split(rows, count) for name, rows in batch.items()}
    values: list[dict] = []
    total: list[tf.Tensor] = []
    for number in range(count):
        part = {name: rows[number] for name, rows in parts.items()}
        with randomness.of_part(number, count), tf.control_dependencies(total):  # so that they do not run side by side
            own_values, gradients = values_and_gradients(part)
            total = [sum(pair) for pair in zip(total, gradients, strict=True)] if total else gradients
        values.append(own_values)
    whole = {name: tf.concat([part[name] for part in values], axis=0) for name in values[0]}
    return whole, [gradient / count for gradient in total]


def sum_replicas(tensors: list) -> list:
    """The sum over replicas of each, so that all of them see the same numbers."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def apply_gradients(
    optimizer: keras.Optimizer, gradients, variables, clip_norm: float | None, is_wanted: tf.Tensor
) -> tf.Tensor:
    """Clips summed gradients, applies them, and returns the global norm that the unscaled ones had before: float32 [].

    Clipping and the loss scale's judgement of finiteness are the same on all replicas, since they see the same numbers.

    Args:
      optimizer: plain, or wrapped for loss scaling; then the gradients are those of the scaled loss.
      gradients: as `sum_replicas` gives them, one for each variable.
      variables: what they belong to.
      clip_norm: highest global norm of the unscaled gradients; None is no limit.
      is_wanted: where it is False, the same on all replicas, variables and optimizer stay as they are.
    """
    scale = tf.identity(getattr(optimizer, "dynamic_scale", 1.0))  # as it is before the update
    scaled_norm = tf.linalg.global_norm(gradients)
    if clip_norm is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, clip_norm * scale, scaled_norm)
    if KERAS_SUM not in vars(_inner(optimizer)):  # another Keras than we know, which sums once more
        count = tf.distribute.get_strategy().num_replicas_in_sync
        gradients = [gradient / count for gradient in gradients]

    def update(gradients):
        optimizer.apply(gradients, variables)

    _in_every_replica_if(is_wanted, update, gradients)
    return scaled_norm / scale


def _inner(optimizer: keras.Optimizer) -> keras.Optimizer:
    """The optimizer inside of one that scales the loss, or itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _in_every_replica_if(condition: tf.Tensor, update: Callable, gradients) -> None:
    """`update(gradients)` in every replica where `condition`, which all replicas agree on, holds.

    An optimizer merges the replicas, which it cannot do in a branch that belongs to one of them: the choice must be
    made above them (as Keras' LossScaleOptimizer does).
    """

    def choose(strategy, condition, gradients):
        def branch():
            strategy.extended.call_for_each_replica(update, args=(gradients,))

        tf.cond(strategy.experimental_local_results(condition)[0], branch, lambda: None)

    tf.distribute.get_replica_context().merge_call(choose, args=(condition, gradients))


def _are_finite(tensors):
    return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]))

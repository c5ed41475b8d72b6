"""How each measure of `measure_names` is made, what it needs, and all of them over what a model makes."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from absl import logging

from ... import metrics
from ...losses import ssim
from ...losses.weights import WeightsError
from ...metrics.face_reading import find_eye_distances, landmark_errors
from ...metrics.path_length import EPSILON
from ...metrics.streams import SET_DISTANCES, Stream
from ..errors import UsageError
from .face_network import load_face_network
from .making import Made

STILL = 1e-5  # of clips that move, whatever is measured of it is far more


@dataclasses.dataclass(frozen=True)
class Setting:
    """What measures are made for.

    Attributes:
      image_size: of the pictures in pixels.
      channels: 1 or 3.
      landmark_names: what the data set has.
      square: where the recogniser looks, or None where nothing tells.
      vgg19_weights: a file, "imagenet", or None.
      frames: of a clip; 1 of pictures.
      inception_weights: the same; where they are given, sets are compared by InceptionV3, and by VGG16 otherwise.
    """

    image_size: int
    channels: int
    landmark_names: tuple[str, ...] = ()
    square: tuple[float, float, float] | None = None
    vgg19_weights: str | None = None
    inception_weights: str | None = None
    frames: int = 1


class CannotMeasureError(ValueError):
    """Why a measure cannot be had here, in a few words."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
      better: what is good: "higher", "lower", or the number that real pictures, or drawn noise, have.
      stream: makes it.
      reads: of `Made`.
    """

    better: str
    stream: Callable[[Setting], Stream]
    reads: str = "sets"


def _vgg19_distance(setting: Setting) -> Stream:
    if setting.vgg19_weights is None:
        raise CannotMeasureError("--vgg19_weights names its file, or imagenet")
    return metrics.OfEach("vgg19_distance", metrics.FeatureDistance(setting.vgg19_weights, setting.image_size))


def _sets(setting: Setting) -> Stream:
    if setting.inception_weights is None:
        return metrics.OfSets(trace(metrics.PooledFeatures(setting.image_size)), SET_DISTANCES)
    features = trace(metrics.InceptionFeatures(setting.inception_weights))
    return metrics.OfSets(features, SET_DISTANCES, prepare=lambda *sets: sets)  # as papers have them


def _identity(setting: Setting) -> Stream:
    return metrics.OfEach("identity", trace(_make_identity(setting)))


def _make_identity(setting: Setting) -> metrics.IdentityDistance:
    if setting.square is None:
        raise CannotMeasureError("it cannot be told where the faces lie in these pictures: the recogniser has its cut")
    return metrics.IdentityDistance(setting.image_size, setting.square)


def _landmark_error(setting: Setting) -> Stream:
    names, read = _landmark_reader(setting)
    return metrics.OfEach("landmark_error", lambda real, made: landmark_errors(read(real), read(made), names))


def _landmark_reader(setting: Setting) -> tuple[tuple[str, ...], Callable[[np.ndarray], np.ndarray]]:
    """What landmarks of drawn faces are called, and what reads them: pictures -> float64 [B, L, 2]."""
    names = tuple(load_face_network().landmark_names)
    if tuple(setting.landmark_names) != names:
        raise CannotMeasureError("the face network reads the landmarks of drawn faces only")
    network = load_face_network().landmark_network(setting.channels)
    return names, lambda pictures: np.asarray(network(pictures, training=False), np.float64)


def _landmark_jitter(setting: Setting) -> Stream:
    names, read = _landmark_reader(setting)

    def jitter(clips: np.ndarray) -> np.ndarray:
        points = _of_frames(read, clips)  # [N, T, L, 2]
        return metrics.find_jitter(points, find_eye_distances(points, names))

    return metrics.AgainstReal("landmark_jitter", jitter, metrics.find_ratio, STILL)


def _lpips_step(setting: Setting) -> Stream:
    distance = trace(metrics.LPIPS("alex", setting.image_size))

    def steps(clips: np.ndarray) -> np.ndarray:
        ends = (part.reshape(-1, *clips.shape[2:]) for part in (clips[:, :-1], clips[:, 1:]))
        return np.asarray(distance(*ends), np.float64).reshape(len(clips), -1).mean(axis=1)

    return metrics.AgainstReal("lpips_step", steps, metrics.find_ratio, STILL)


def _identity_drift(setting: Setting) -> Stream:
    people = trace(_make_identity(setting).people)
    return metrics.AgainstReal(
        "identity_drift", lambda clips: metrics.find_drift(_of_frames(people, clips)), metrics.find_ratio, STILL
    )


def _of_frames(function: Callable[[np.ndarray], np.ndarray], clips: np.ndarray) -> np.ndarray:
    """What a function of pictures says of each frame: [N, T, H, W, C] -> [N, T, ...]."""
    told = np.asarray(function(clips.reshape(-1, *clips.shape[2:])))
    return told.reshape(*clips.shape[:2], *told.shape[1:])


def _sharpness(setting: Setting) -> Stream:
    return metrics.AgainstReal(
        "sharpness", metrics.laplacian_variance, lambda real, made: float(made.mean() / max(real.mean(), 1e-12))
    )


def _path_length(setting: Setting) -> Stream:
    distance = trace(metrics.LPIPS("alex", setting.image_size))
    return metrics.OfEach("path_length", lambda at, after: np.asarray(distance(at, after), np.float64) / EPSILON**2)


MEASURES: dict[str, Measure] = {
    "psnr": Measure("higher", lambda _: metrics.OfEach("psnr", metrics.psnr), "pairs"),
    "ssim": Measure("higher", lambda _: metrics.OfEach("ssim", ssim), "pairs"),
    "ms_ssim": Measure("higher", lambda _: metrics.OfEach("ms_ssim", metrics.ms_ssim), "pairs"),
    "lpips": Measure(
        "lower", lambda setting: metrics.OfEach("lpips", trace(metrics.LPIPS("alex", setting.image_size))), "pairs"
    ),
    "lpips_squeeze": Measure(
        "lower",
        lambda setting: metrics.OfEach("lpips_squeeze", trace(metrics.LPIPS("squeeze", setting.image_size))),
        "pairs",
    ),
    "vgg19_distance": Measure("lower", _vgg19_distance, "pairs"),
    "identity": Measure("lower", _identity, "pairs"),
    "landmark_error": Measure("lower", _landmark_error, "pairs"),
    "kid": Measure("lower", _sets),
    "frechet": Measure("lower", _sets),
    "precision": Measure("higher", _sets),
    "recall": Measure("higher", _sets),
    "sharpness": Measure("1", _sharpness),
    "lattice": Measure("1", lambda _: metrics.AgainstReal("lattice", metrics.log_lattices, metrics.lattice)),
    "path_length": Measure("lower", _path_length, "steps"),
    "noise_deviation": Measure("1", lambda _: metrics.OfEach("noise_deviation", metrics.noise_deviation), "noise"),
    "noise_kurtosis": Measure("3", lambda _: metrics.OfEach("noise_kurtosis", metrics.noise_kurtosis), "noise"),
    "flicker": Measure(
        "1", lambda _: metrics.AgainstReal("flicker", metrics.find_flicker, metrics.find_ratio, STILL), "clips"
    ),
    "added_flicker": Measure("lower", lambda _: metrics.OfEach("added_flicker", metrics.find_added_flicker), "clips"),
    "lpips_step": Measure("1", _lpips_step, "clips"),
    "landmark_jitter": Measure("1", _landmark_jitter, "clips"),
    "identity_drift": Measure("1", _identity_drift, "clips"),
}


def trace(function: Callable) -> Callable:
    """Returns the same as a graph, traced once for any number of pictures."""
    import tensorflow as tf

    graph = tf.function(function, autograph=False, reduce_retracing=True)
    return lambda *pictures: graph(*(tf.constant(images, tf.float32) for images in pictures)).numpy()


def make_streams(names: Iterable[str], setting: Setting, is_asked: bool) -> dict[Stream, str]:
    """The measures, ready to use, and which part of `Made` each reads.

    Args:
      names: of `MEASURES`.
      setting: what for.
      is_asked: each was asked for by name; if not, one that cannot be had is left out with a warning.

    Raises:
      UsageError: one that was asked for cannot be had.
    """
    makers: dict[Callable[[Setting], Stream], list[str]] = {}
    for name in names:
        makers.setdefault(MEASURES[name].stream, []).append(name)
    streams: dict[Stream, str] = {}
    for make, asked in makers.items():
        try:
            stream: Any = make(setting)
        except (CannotMeasureError, WeightsError, ValueError) as error:
            if is_asked:
                raise UsageError(f"--metrics={','.join(asked)}: {error}") from error
            logging.warning("%s: not measured: %s", ", ".join(asked), error)
            continue
        if make is _sets:
            stream.distances = {name: stream.distances[name] for name in asked}
        streams[stream] = MEASURES[asked[0]].reads
        if streams[stream] == "pairs" and setting.frames > 1:
            stream.rows_of_each = setting.frames
    return streams


def judge(made: Iterable[Made], streams: dict[Stream, str]) -> dict[str, metrics.Figure]:
    """Every figure of what is made, in the order of `MEASURES`."""
    for batch in made:
        for stream, part in streams.items():
            pictures = getattr(batch, part)
            if pictures is not None:
                stream.update(*pictures)
    found: dict[str, metrics.Figure] = {}
    for stream in streams:
        found |= stream.result()
    return {name: found[name] for name in MEASURES if name in found}

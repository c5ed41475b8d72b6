"""What each model gives for the same pictures and weights, to be compared between backends of Keras."""

import sys

import keras
import numpy as np
import zoo
from facezoo.models import VAE, DiffusionAutoencoder, load_pretrained, pretrained_names

COUNT = 2
TENSORFLOW_S = ("diffusion_autoencoder", "code_prior", "adversarial")


def compute() -> dict[str, np.ndarray]:
    """Codes and pictures of whatever ships, and of small models of all kinds that any backend computes."""
    found: dict[str, np.ndarray] = {}
    for name in set(pretrained_names()) - set(TENSORFLOW_S):
        model = load_pretrained(name)
        images = zoo.batch(COUNT, size=model.image_size)["image"]
        found |= {f"{name}/{key}": value for key, value in _use(model, images).items()}
    for name, make in _list_small().items():
        model = make()
        _give_weights(model)
        found |= {f"small {name}/{key}": value for key, value in _use(model, zoo.batch(COUNT)["image"]).items()}
    return found


def _list_small() -> dict:
    """One of each kind, and what has layers of its own besides."""
    first = {one.key: one.make for one in reversed(zoo.ZOO) if one.key not in TENSORFLOW_S}
    liae = next(one.make for one in zoo.ZOO if "liae" in one.form)
    smoothed = {"image_size": zoo.SIZE, "filters": (8, 8), "latent_dim": 4, "upsampling": "bilinear"}
    return first | {"liae": liae, "bilinear": lambda: VAE(**smoothed)}


def compiled(function):
    """As it is, but by jax as one graph: operation by operation it compiles each."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)


def _use(model, images) -> dict[str, np.ndarray]:
    outputs = dict(compiled(model)(images))
    if model.reconstructs:
        outputs["code"] = compiled(model.encode)(images)
        outputs["picture"] = compiled(model.decode)(outputs["code"])
    if model.conditions:
        outputs["told"] = model.decode(outputs["code"], np.zeros(COUNT, np.int32) if hasattr(model, "people") else None)
    return {key: keras.ops.convert_to_numpy(value) for key, value in outputs.items()}


def _give_weights(model) -> None:
    """Numbers that every backend has alike; a frame of shapes has found its own, alike by itself, and hardly bends."""
    numbers = np.random.default_rng(0)
    frame, reader = (getattr(getattr(model, part, None), "weights", ()) for part in ("frame", "reader"))
    kept, small = ({id(weight) for weight in weights} for weights in (frame, reader))
    for weight in model.weights:
        low, high = (0.5, 1.5) if "variance" in weight.name or "gamma" in weight.name else (-0.3, 0.3)
        given = numbers.uniform(low, high, weight.shape).astype(np.float32)
        if id(weight) not in kept:
            weight.assign(0.1 * given if id(weight) in small else given)


def list_refusals() -> dict[str, str]:
    """What is said of that which needs TensorFlow."""
    model = zoo.ZOO[1].make()
    tries = {"compile": model.compile, "fit": lambda: model.fit(zoo.batch(COUNT)), "drawing": DiffusionAutoencoder}
    said = {}
    for name, run in tries.items():
        try:
            run()
        except RuntimeError as error:
            said[name] = str(error)
    return said


if __name__ == "__main__":
    np.savez(sys.argv[1], **compute(), said=np.array(list(list_refusals().values())))

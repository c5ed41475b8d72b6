"""From faces to the pictures on the way between them."""

from pathlib import Path

import numpy as np

from ... import pictures
from ...latents.interpolation import alphas_of_equal_distance, even_alphas, interpolate_through
from .encoding import codes_of, decoded, told_person


def morph_through(
    model,
    faces: np.ndarray,
    steps: int = 10,
    path: str = "linear",
    closed: bool = False,
    person: str | None = None,
) -> np.ndarray:
    """Decoded pictures on the way through faces. A conditional model is told no attributes.

    Args:
      model: an `Autoencoder`.
      faces: [K, H, W, C] in [0, 1], of the model's size, at least two.
      steps: pictures, both ends included; of a closed way the first one only once.
      path: "linear", "normalized", "slerp", or "uniform", the linear one with the frames at equal distances as the
        face network sees them (the dynamic step).
      closed: the last face leads back to the first.
      person: whose face a mapping model makes of the codes, the last one it knows if absent.

    Returns:
      float32 [steps, H, W, C] in [0, 1].

    Raises:
      ValueError: the model does not know the person, or maps nobody.
    """
    told = told_person(model, person)
    codes = codes_of(model, np.asarray(faces))

    def pictures_at(alphas: np.ndarray) -> np.ndarray:
        return decoded(model, interpolate_through(codes, alphas, path, closed), told)

    if path != "uniform":
        return pictures_at(even_alphas(steps, closed))
    from .face_network import face_features

    return pictures_at(alphas_of_equal_distance(lambda alphas: face_features(pictures_at(alphas)), steps, closed))


def interpolate_pictures(
    model, start: np.ndarray, end: np.ndarray, steps: int = 10, path: str = "linear", person: str | None = None
):
    """`morph_through` from one picture to another, [H, W, C] in [0, 1] each."""
    return morph_through(model, np.stack([start, end]), steps, path, person=person)


def visualize_interpolation(
    model, img1, img2, steps: int = 10, path: str = "linear", show: bool = True, person: str | None = None
) -> np.ndarray:
    """Morphs `img1` into `img2` and draws the row of pictures with matplotlib.

    Args:
      model: an `Autoencoder`.
      img1: [H, W, C] in [0, 1], of the model's size.
      img2: the same.
      steps: pictures in the row, both ends included.
      path: as in `morph_through`.
      show: False draws nothing.
      person: as in `morph_through`.

    Returns:
      The frames, float32 [steps, H, W, C] in [0, 1].
    """
    frames = interpolate_pictures(model, np.asarray(img1), np.asarray(img2), steps, path, person)
    if show:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(figsize=(1.5 * steps, 1.5))
        axes.imshow(pictures.row(frames), cmap="gray", vmin=0, vmax=255)
        axes.axis("off")
        plt.show()
    return frames


def save_morph(folder: Path, frames: np.ndarray, description: str, closed: bool = False) -> None:
    """Writes 000.png ..., row.png, morph.gif and morph.mp4 into a folder; the films go there and, if open, back."""
    for number, frame in enumerate(frames):
        pictures.save_png(folder / f"{number:03d}.png", frame, f"{description}, frame {number + 1} of {len(frames)}")
    pictures.save_png(folder / "row.png", pictures.row(frames), description)
    film = frames if closed else pictures.there_and_back(frames)
    pictures.save_gif(folder / "morph.gif", film, description)
    pictures.save_mp4(folder / "morph.mp4", film, description)

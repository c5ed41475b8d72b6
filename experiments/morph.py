"""Morph one face into another: a row of pictures, the frames, and an animation."""

from pathlib import Path

import numpy as np
from absl import flags

from ..latents import pictures
from ..latents.interpolation import PATHS, alphas_of_equal_change, even_alphas, interpolate
from . import options, runs
from .errors import UsageError

# How much finer than the frames the uniform path is tried before the frames are placed on it.
TRIALS_PER_STEP = 10


def define_flags(values: flags.FlagValues) -> None:
    options.define_run_dir(values)
    face = "a picture file, or `test:17` for a face of a split (train, validation, test) of the run's data."
    options.define_required(values, "start", f"First face: {face}")
    options.define_required(values, "end", f"Last face: {face}")
    options.define_number(values, "steps", 10, "Pictures, both ends included.", 2, 1000)
    flags.DEFINE_enum("path", "linear", PATHS, "Way through the codes.", flag_values=values)
    options.define_path(values, "out", "Folder for the pictures (RUN/morphs).")
    options.define_alignment(values)
    options.define_data_flags(values, dataset=None)


def run(values: flags.FlagValues) -> None:
    from .faces import FaceReader

    opened = runs.open_run(values.run_dir, values.checkpoint)
    out = new_folder(values.out, opened.folder / "morphs")
    reader = FaceReader(opened, values)
    start, end = reader.read(values.start), reader.read(values.end)
    frames = visualize_interpolation(opened.model(), start, end, values.steps, values.path, show=False)
    save_morph(out, frames, f"morph from {values['start'].value} to {values['end'].value} by {opened.folder.name}")
    print(f"{out / 'row.png'}\n{out / 'morph.gif'}")


def interpolate_pictures(model, start: np.ndarray, end: np.ndarray, steps: int = 10, path: str = "linear"):
    """Decoded pictures on the way from one picture to another.

    Args:
      model: an `Autoencoder`.
      start: [H, W, C] in [0, 1], of the model's size.
      end: the same.
      steps: pictures, both ends included.
      path: "linear", "normalized", "slerp", or "uniform", which places the frames at equal steps of picture change.

    Returns:
      float32 [steps, H, W, C] in [0, 1].
    """
    first, last = np.asarray(model.encode(np.stack([start, end])))
    alphas = even_alphas(steps)
    if path == "uniform":
        trial_alphas = even_alphas(steps * TRIALS_PER_STEP)
        trial_pictures = np.asarray(model.decode(interpolate(first, last, trial_alphas, path)))
        alphas = alphas_of_equal_change(trial_alphas, trial_pictures, steps)
    return np.asarray(model.decode(interpolate(first, last, alphas, path)))


def visualize_interpolation(model, img1, img2, steps: int = 10, path: str = "linear", show: bool = True) -> np.ndarray:
    """Morphs `img1` into `img2` and draws the row of pictures with matplotlib.

    Args:
      model: an `Autoencoder`.
      img1: [H, W, C] in [0, 1], of the model's size.
      img2: the same.
      steps: pictures in the row, both ends included.
      path: as in `interpolate_pictures`.
      show: False draws nothing.

    Returns:
      The frames, float32 [steps, H, W, C] in [0, 1].
    """
    frames = interpolate_pictures(model, np.asarray(img1), np.asarray(img2), steps, path)
    if show:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(figsize=(1.5 * steps, 1.5))
        axes.imshow(pictures.row(frames), cmap="gray", vmin=0, vmax=255)
        axes.axis("off")
        plt.show()
    return frames


def save_morph(folder: Path, frames: np.ndarray, description: str) -> None:
    """Writes 000.png ..., row.png and morph.gif into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        pictures.save_png(folder / f"{number:03d}.png", frame, f"{description}, frame {number + 1} of {len(frames)}")
    pictures.save_png(folder / "row.png", pictures.row(frames), description)
    pictures.save_gif(folder / "morph.gif", frames, description)


def new_folder(asked: str | None, default: Path, flag: str = "--out") -> Path:
    """A folder that holds nothing yet: the one asked for, or the default, numbered where it is taken.

    Raises:
      UsageError: the folder asked for has no name, is a file or holds something.
    """
    if asked is not None:
        if not asked:
            raise UsageError(f"{flag}= names no folder")
        if Path(asked).exists() and not (Path(asked).is_dir() and not any(Path(asked).iterdir())):
            raise UsageError(f"{flag}={asked} already holds something: choose a new folder")
        return Path(asked)
    folder, number = default, 1
    while folder.exists():
        number += 1
        folder = default.with_name(f"{default.name}-{number}")
    return folder

"""Swap faces: map every picture of a folder onto a person that the run was trained on."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from ..datasets import photographs
from ..datasets.folder import ALL, folder
from ..datasets.source import DatasetError, Source
from ..latents import pictures
from . import options, runs
from .errors import UsageError
from .morph import new_folder

BATCH_SIZE = 64


def define_flags(values: flags.FlagValues) -> None:
    options.define_run_dir(values)
    options.define_required(values, "in", "Folder of pictures.")
    options.define_required(values, "to", "Name of the person whose face they get.")
    options.define_required(values, "out", "New folder for the pictures.")
    flags.DEFINE_bool("paste", False, "Put each face back into its photograph.", flag_values=values)
    options.define_crop(values)


def run(values: flags.FlagValues) -> None:
    opened = runs.open_run(values.run_dir, values.checkpoint)
    in_folder = values.flag_values_dict()["in"]  # a keyword of Python
    out = new_folder(values.out, opened.folder)
    crop = options.crop_of(values if values["crop"].present else opened.settings)
    image_size, _, channels = opened.image_shape
    source = folder(ALL, data_dir=in_folder, image_size=image_size, channels=channels, crop=crop)
    model = _mapping_model(opened)
    if values.to not in model.people:
        raise UsageError(f"--to={values.to}: the run knows {', '.join(model.people)}")

    description = f"face mapped onto {values.to} by {opened.folder.name}"
    with _made_whole(out) as partial:
        for name, face, mask in _mapped(model, source, values.to):
            picture = _pasted(Path(in_folder) / name, face, mask, crop) if values.paste else face
            path = partial / f"{name}.png"  # its ending kept, so that a.jpg and a.png do not collide
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures.save_png(path, picture, description)
    print(f"{out}: {len(source)} faces mapped onto {values.to}")


def _mapping_model(opened: runs.Run):
    """The run's `FaceMapping`, by itself or inside of a model that trains it adversarially."""
    from ..models import FaceMapping, TrainableModel

    trained = opened.model(TrainableModel)
    model = getattr(trained, "autoencoder", trained)
    if not isinstance(model, FaceMapping):
        kind = opened.settings.model
        raise UsageError(
            f"--run_dir={opened.folder}: a {kind} cannot map faces; train with --model=face_mapping and name that run"
        )
    return model


def _mapped(model, source: Source, person: str) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Of every picture: its name, its face mapped, [S, S, C] in [0, 1], and the mask [S, S, 1] if the model has one."""
    for start in range(0, len(source), BATCH_SIZE):
        positions = np.arange(start, min(start + BATCH_SIZE, len(source)))
        codes = model.encode(source.load(positions)["image"].astype(np.float32) / 255.0)
        if model.mask_head:
            faces, masks = model.decode_with_mask(codes, person)
        else:
            faces, masks = model.decode(codes, person), [None] * len(positions)
        for position, face, mask in zip(positions.tolist(), np.asarray(faces), masks, strict=True):
            yield source.names[position], face, None if mask is None else np.asarray(mask)


def _pasted(path: Path, face: np.ndarray, mask: np.ndarray | None, crop: photographs.Crop | None) -> np.ndarray:
    """The photograph with the face where the crop cut it out: uint8 [H, W, 3]."""
    from .pasting import crop_matrix, paste

    try:
        photograph = photographs.read(path)
    except DatasetError as error:
        raise DatasetError(f"{path} has changed since it was indexed: {error}") from error
    left, top, right, bottom = photographs.crop_box(photograph.size, crop)
    matrix = crop_matrix((left, top, right - left, bottom - top), face.shape[0])
    return paste(np.asarray(photograph), face, matrix, mask)


@contextlib.contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """A folder to fill that gets its name at the end; on an error nothing is left, not even a new folder above."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of an earlier run that was killed
    with runs.made_folder(partial):
        yield partial
        partial.replace(target)

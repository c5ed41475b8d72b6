"""See in a few minutes what facezoo does: drawn faces warped, a training, and its morphs."""

import dataclasses
import time
from pathlib import Path

import numpy as np
from absl import flags

from ... import files, pictures
from ...datasets.procedural import PAIR
from ..codes.morphing import NOTICE, morph_through, save_morph, warp_and_code_through, warp_through
from ..codes.priors import find_shipped_prior
from ..errors import UsageError
from ..faces.framing import Framed, frame_photographs
from ..faces.places import is_place
from ..flags import kinds
from ..flags.groups import AlignmentSettings, LandmarkSettings
from ..flags.parsing import parse_training
from ..folders import new_folder
from ..runs.run import open_run
from ..training.start import check_folder, train_into

FRAMES, LARGE = 24, 256
SHARPEST = "diffusion_autoencoder_128"  # of the weights that ship
GUIDANCE = 0.0  # of its drawn details: by more these two get flecks beside the mouth
COLUMNS, SIDE, FONT = 6, 224, 16  # no picture falls into the middle, where surroundings change
DATA = {"dataset": "procedural_faces"}


def define_flags(values: flags.FlagValues) -> None:
    kinds.define_path(values, "run_dir", "Run folder, new or of a demo that goes on.", "runs/demo")
    flags.DEFINE_string(
        "start", f"test:{PAIR[0]}", "First face, of drawn ones: test:17, train:4, ...", flag_values=values
    )
    flags.DEFINE_string("end", f"test:{PAIR[1]}", "Last face.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    begun = time.monotonic()
    names = [values.start, values.end]
    for flag, name in zip(("start", "end"), names, strict=True):
        if not is_place(name):
            raise UsageError(f"--{flag}={name} is no drawn face: test:17 is one")
    folder, said = Path(values.run_dir), f"morph from {names[0]} to {names[1]}"
    if folder.name in ("", ".."):
        raise UsageError(f"--run_dir={values.run_dir} has no name of its own: choose a new folder")
    settings = parse_training(["--recipe=demo"], has_recipes=True)
    check_folder(folder, settings)
    first = new_folder(None, folder.with_name(f"{folder.name}-warp"))
    with files.whole_folder(first) as partial:
        save_morph(partial, warp_through(*_faces(names, LARGE).material, FRAMES), f"{said} by a warp", stops=names)
    print(f"{first / 'sheet.png'}: a morph without any model, after {time.monotonic() - begun:.0f} s", flush=True)
    train_into(folder, settings)
    out = new_folder(None, folder / "morphs")
    with files.whole_folder(out) as partial:
        film = _morph_by_likely_codes(names, FRAMES)
        save_morph(partial, film, f"{said} by likely codes of {SHARPEST}", stops=names)
        rows = _make_rows(open_run(folder).model(), names)
        pictures.save_png(partial / "sheet.png", _sheet(rows, names), f"{said}: {NOTICE}")
    print("\n".join(str(out / name) for name in ("sheet.png", "morph.mp4") if (out / name).exists()))
    print(f"pictures of the training: {folder / 'images'}")
    print(f"tensorboard --logdir {folder / 'tensorboard'}")


@dataclasses.dataclass(frozen=True)
class _Row:
    """Pictures [N, H, W, C] from one face to the other, and how they were made."""

    title: str
    pictures: np.ndarray


def _faces(names: list[str], size: int) -> Framed:
    return frame_photographs(names, LandmarkSettings(), AlignmentSettings(), DATA, size)


def _make_rows(model, names: list[str]) -> list[_Row]:
    """The ways of a warp, of a warp with the codes that were trained, of likely codes, and of those codes alone."""
    faces = _faces(names, model.image_size)
    learned = f"these two are reconstructed at {_find_psnr(model, faces.pictures):.1f} dB"
    return [
        _Row("a warp, without any model", warp_through(*faces.material, COLUMNS)),
        _Row(
            f"a warp and the trained model's codes: {learned}",
            warp_and_code_through(model, *faces.material, COLUMNS),
        ),
        _Row(f"likely codes of {SHARPEST}, which draws details", _morph_by_likely_codes(names, COLUMNS)),
        _Row("the trained model's codes alone", morph_through(model, faces.pictures, COLUMNS)),
    ]


def _morph_by_likely_codes(names: list[str], steps: int) -> np.ndarray:
    """The way by likely codes of a model that ships and draws details, [steps, H, W, C]."""
    from ...models import load_pretrained

    model = load_pretrained(SHARPEST)
    model.guidance = GUIDANCE
    return morph_through(model, _faces(names, model.image_size).pictures, steps, prior=find_shipped_prior(model))


def _find_psnr(model, faces: np.ndarray) -> float:
    from ...metrics import psnr

    return float(np.mean(psnr(faces, model.decode(model.encode(faces)))))


def _sheet(rows: list[_Row], names: list[str]) -> np.ndarray:
    """Each row's pictures under each other, with what they are above: uint8 [H, W, 3]."""
    ways = [names[0], *(f"{number / (COLUMNS - 1):.0%}" for number in range(1, COLUMNS - 1)), names[1]]
    labels = [f"{row.title}\n{way}" if not number else f"\n{way}" for row in rows for number, way in enumerate(ways)]
    shown = np.concatenate([pictures.resize(pictures.to_uint8(row.pictures), SIDE) for row in rows])
    return pictures.draw_labelled_sheet(shown, labels, COLUMNS, 2, FONT, is_above=True)

"""From a folder of photographs to a trained model, its measures and a model card, in one command."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

from ...datasets.picture_index import find_files
from ..errors import UsageError
from ..flags import groups, kinds
from ..folders import take_folder
from ..runs.checkpoints import MODEL_FILE
from ..runs.results import METRICS_FILE
from ..terminal import announce
from ..training.launcher import Team
from ..training.telling import Stages

ITEM = "in"  # words without dashes are its values
KEPT = "studio.txt"  # what was asked for, with the results
SIZES = ("64", "128")
LEAST_STEPS = 800  # of the recipe
REFUSED = 2  # the exit code of what said in a line why it cannot be
# Seconds on two CPU cores, by which the time is told until a stage has shown how fast this machine is.
START, A_PHOTOGRAPH, A_STEP, MEASURES, A_MORPH, A_PAGE = 10.0, 0.2, 0.2, 20.0, 15.0, 30.0


class Stage(NamedTuple):
    """A part of the work.

    Attributes:
      title: what it is called.
      arguments: of `facezoo`.
      is_done: whether it has been done before.
      seconds: that it takes on two CPU cores.
      others: arguments instead, where those are refused.
    """

    title: str
    arguments: Sequence[str]
    is_done: Callable[[], bool]
    seconds: float
    others: Sequence[str] = ()


def define_flags(values: flags.FlagValues) -> None:
    text = "Folder of photographs, a hundred or more, at any depth: facezoo studio PHOTOGRAPHS --out=studio"
    kinds.define_paths(values, "in", text)
    kinds.define_required(values, "out", "Folder of the results, new or of the same work, which goes on.")
    flags.DEFINE_enum("size", "64", SIZES, "Height and width of the model's pictures.", flag_values=values)
    text = "CelebA's list of landmarks, or a CSV of its columns: the five points of each file, instead of a detector's."
    kinds.define_path(values, "landmarks", text)
    kinds.define_number(values, "steps", None, f"Of the training; four epochs and at least {LEAST_STEPS} if absent.", 1)
    flags.DEFINE_bool("pictures", False, "Show faces of the photographs on the model card.", flag_values=values)


def run(values: flags.FlagValues) -> int:
    """Does what is not done yet; returns the exit code, of a stage that failed or 0.

    Raises:
      UsageError: no photographs, or a folder that holds something else.
    """
    folders = values.flag_values_dict()["in"]  # a keyword of Python
    if len(folders) != 1:
        raise UsageError("studio needs one folder of photographs: facezoo studio PHOTOGRAPHS --out=studio")
    root, out = Path(groups.check_folder(folders[0])), Path(values.out)
    place = os.path.realpath(root)  # a Path's may raise
    if Path(os.path.realpath(out)).is_relative_to(place):
        raise UsageError(f"--out={out} lies in the photographs of {root}, to which it would add: choose another folder")
    asked = {name: values[name].value for name in ("size", "landmarks", "steps", "pictures")}
    text = "".join(f"{name}={value}\n" for name, value in {"in": place, **asked}.items())
    take_folder(out, KEPT, text, "other photographs or settings")
    stages = _list_stages(values, root, out)
    telling = Stages({stage.title: stage.seconds for stage in stages if not stage.is_done()}, len(stages))
    team = Team(1, [], [None], is_cluster=False)
    with team.passing_on_signals():
        for number, stage in enumerate(stages, 1):
            if stage.is_done():
                continue
            telling.begin(number, stage.title)
            team.arguments = stage.arguments
            _, code = team.work()
            if code == REFUSED and stage.others and not team.signals:
                announce("So the morph is by codes alone.")
                team.arguments = stage.others
                _, code = team.work()
            if team.signals:
                return 128 + team.signals[0]
            if code < 0:
                print(f"facezoo: {stage.title} was killed by signal {-code}; the same command goes on", file=sys.stderr)
            if code:
                return code if code > 0 else 1
            telling.end(stage.title)
    print("\n".join(str(out / name) for name in ("model", "morph", "published") if (out / name).exists()))
    return 0


def _list_stages(values: flags.FlagValues, root: Path, out: Path) -> list[Stage]:
    crops, model, morph, published = (out / name for name in ("crops", "model", "morph", "published"))
    count, size = len(find_files(root)), int(values.size)
    steps = max(LEAST_STEPS, count // 4) if values.steps is None else values.steps
    asked = [] if values.steps is None else ["--epochs=1", f"--min_steps={steps}"]
    points = [f"--landmarks={values.landmarks}"] if values.landmarks else []
    training = ["--recipe=photographs", f"--data_dir={crops}", f"--image_size={size}", f"--run_dir={model}", *asked]
    shown = "--pictures" if values.pictures else "--nopictures"
    by_codes = ["morph", f"--run_dir={model}", "--start=train:0", "--end=train:1", f"--out={morph}"]
    return [
        Stage(
            "faces",
            ["align", f"--in={root}", f"--out={crops}", f"--size={size}", *points],
            lambda: model.exists(),  # which knows the crops as they are
            START + A_PHOTOGRAPH * count,
        ),
        Stage(
            "training",
            ["train", *training],
            lambda: (model / MODEL_FILE).exists(),
            START + A_STEP * steps * (size / 64) ** 2,
        ),
        Stage(
            "measures",
            ["evaluate", f"--run_dir={model}"],
            lambda: (model / METRICS_FILE).exists(),
            MEASURES,
        ),
        Stage(
            "morph",
            [*by_codes, "--method=warp+code"],
            lambda: morph.exists(),
            A_MORPH,
            by_codes,  # where no landmarks are found
        ),
        Stage(
            "card",
            ["publish", f"--run_dir={model}", shown, f"--out={published}"],
            lambda: any(published.glob("*.npz")),  # a stopped one may leave the folder
            A_PAGE,
        ),
    ]

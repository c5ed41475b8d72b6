"""A folder of exported parts that suffices by itself."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..exporting.formats import FORMATS
from ..exporting.graphs import ExportError
from ..runs.run import Run
from ..terminal import announce
from .card import VECTORS, describe, write_card
from .trial import Result, Trial
from .vectors import find_vectors, save_vectors


def export(
    run: Run, trial: Trial, name: str, precision: str, parts: Sequence[str], max_psnr_loss: float, folder: Path
) -> list[Result]:
    """Writes parts of a run's model, attribute vectors, export.json and README.md into a folder that is there.

    Raises:
      UsageError: a part cannot be written so, or loses too much.
    """
    vectors, results = find_vectors(run, trial.model.shape_of_code()), []
    for part in parts:
        announce(f"Writing the {part} as {name} in {precision}, and running it on {len(trial.tested)} faces ...")
        try:
            results.append(trial.write(part, name, precision, folder, max_psnr_loss))
        except ExportError as error:
            raise UsageError(f"--format={name} --precision={precision}: the {part} {_mend(error)}") from error
    if vectors:
        save_vectors(vectors, folder / VECTORS)
    told = describe(run, trial, vectors.names if vectors else ())
    names = {part: f"{part}{FORMATS[name].suffix}" for part in parts}
    write_card(folder, told, results, names)
    return results


def _mend(error: ExportError) -> str:
    return f"{error}; --max_psnr_loss allows more" if "dB" in str(error) else str(error)

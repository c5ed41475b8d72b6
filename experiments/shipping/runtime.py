"""ONNX Runtime for browsers, as npm has it: fetched once, held to the lock file's digests, and kept in the cache."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from ... import files
from ..errors import UsageError
from ..terminal import announce

PAGE = Path(__file__).parent / "page"
PACKAGE, VERSION = "onnxruntime-web", "1.30.0"  # as package.json has it
SCRIPT, GLUE, BINARY = "ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"
NAMES = (SCRIPT, GLUE, BINARY)
SECONDS = 600


def find_runtime(given: str | None) -> Path:
    """A folder with the runtime's files.

    Args:
      given: one that has them; None is the cache, where npm puts them the first time.

    Raises:
      UsageError: they are not there, and cannot be fetched.
    """
    folder = Path(given) if given is not None else files.cache_folder() / f"{PACKAGE}-{VERSION}"
    if all((folder / name).is_file() for name in NAMES):
        return folder
    if given is not None:
        raise UsageError(f"--runtime={given} must hold {', '.join(NAMES)}, as the folder dist of {PACKAGE} {VERSION}")
    _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    announce(f"Fetching {PACKAGE} {VERSION} by npm ...")
    with tempfile.TemporaryDirectory(prefix="facezoo-") as place:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PAGE / name, place)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        try:
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UsageError(_mend(str(error))) from error
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise UsageError(_mend(lines[0] if lines else f"exit code {done.returncode}"))
        try:
            with files.whole_folder(folder) as partial:
                for name in NAMES:
                    shutil.copyfile(Path(place) / "node_modules" / PACKAGE / "dist" / name, partial / name)
        except files.OccupiedError as error:
            raise UsageError(f"{error}") from error


def _mend(reason: str) -> str:
    return (
        f"--format=web: npm could not fetch {PACKAGE}: {reason}; install Node.js, or give --runtime=FOLDER, the folder "
        f"dist of that package in version {VERSION}"
    )

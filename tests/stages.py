"""Runs the tests in stages, each a pytest of its own: TensorFlow frees what it has traced when a process ends.

python tests/stages.py [--workers=2] [--processes] [arguments of pytest]
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TESTS = Path(__file__).parent
PASSED, NOTHING_RUN = 0, 5  # exit codes of pytest
SLOWEST = 25
# A folder is a stage, but for these files, which are one each, and for folders that are one together. The dearest come
# first, so that at the end no long one is left over.
DEAREST = (
    "models/test_conformance.py",
    "experiments/commands",
    "processes/test_resume.py",
    "processes",
    "processes/test_notebooks.py",
    "datasets",
    "models",
    "experiments/training",
    "processes/test_workers.py",
    "refusals/test_bad_input.py",
    "models/test_adversarial.py",
)
TOGETHER = (
    (
        "experiments",
        *(
            "experiments/benchmarks",
            "experiments/explorer",
            "experiments/exporting",
            "experiments/faces",
            "experiments/films",
            "experiments/flags",
            "experiments/machine",
            "experiments/runs",
        ),
    ),
    ("compressing", "films", "house", "latents", "losses", "metrics", "refusals", "warping"),
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What has come of a stage.

    Attributes:
      stage: its name.
      code: pytest's exit code.
      output: what pytest printed.
      counts: tests by what became of them.
      seconds: of each test, by its name.
      wall_seconds, cpu_seconds: of the whole stage, with the processes that its tests have started.
      megabytes: the most that one of these processes held.
    """

    stage: str
    code: int
    output: str
    counts: collections.Counter[str]
    seconds: dict[str, float]
    wall_seconds: float
    cpu_seconds: float
    megabytes: int

    @property
    def is_good(self) -> bool:
        return self.code in (PASSED, NOTHING_RUN)

    def __str__(self):
        return (
            f"{self.stage}: {describe(self.counts)} in {self.wall_seconds:.0f} s "
            f"({self.cpu_seconds:.0f} s of CPU, {self.megabytes:,} MB)"
        )


def list_stages(with_processes: bool) -> dict[str, list[Path]]:
    """The files of tests by stage, in the order in which they are begun."""
    found: dict[str, list[Path]] = {name: [] for name in DEAREST}
    for path in sorted(TESTS.rglob("test_*.py")):
        found.setdefault(name_stage(path.relative_to(TESTS)), []).append(path)
    found.pop("long", None)
    return {
        name: files for name, files in found.items() if files and (with_processes or not name.startswith("processes"))
    }


def name_stage(path: Path) -> str:
    """The name of a file's stage."""
    folder = path.parent.as_posix()
    if path.as_posix() in DEAREST:
        return path.as_posix()
    return next((", ".join(folders) for folders in TOGETHER if folder in folders), folder)


def run(stage: str, files: list[Path], arguments: list[str]) -> Outcome:
    """Runs a stage to its end."""
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report.xml"), Path(folder, "output.txt")
        # Without the working folder among the places of modules, where `datasets` would be ours.
        command = [sys.executable, "-P", "-m", "pytest", "-q", "-m", "not long", f"--junitxml={report}", *arguments]
        start = time.perf_counter()
        with output.open("wb") as file:
            process = subprocess.Popen([*command, *map(str, files)], stdout=file, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        counts, seconds = read_report(report)
        return Outcome(
            stage,
            process.returncode,
            output.read_text(errors="replace"),
            counts,
            seconds,
            time.perf_counter() - start,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss // 1024,
        )


def read_report(path: Path) -> tuple[collections.Counter[str], dict[str, float]]:
    """How many tests came to what, and the seconds of each; nothing where pytest has not come to write it."""
    counts, seconds = collections.Counter[str](), {}
    if path.exists():
        for case in ElementTree.parse(path).iter("testcase"):
            kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
            counts[kinds[0] if kinds else "passed"] += 1
            seconds[f"{case.get('classname')}::{case.get('name')}"] = float(case.get("time", 0.0))
    return counts, seconds


def describe(counts: collections.Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) or "nothing run"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="stages side by side")
    parser.add_argument("--processes", action="store_true", help="with tests of processes, browsers and notebooks")
    options, arguments = parser.parse_known_args()
    start, outcomes = time.perf_counter(), []
    with concurrent.futures.ThreadPoolExecutor(options.workers) as pool:
        running = [pool.submit(run, *stage, arguments) for stage in list_stages(options.processes).items()]
        try:
            for done in concurrent.futures.as_completed(running):
                outcomes.append(done.result())
                if not outcomes[-1].is_good:
                    print(outcomes[-1].output)
                print(outcomes[-1], flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            return 130
    return tell(outcomes, time.perf_counter() - start)


def tell(outcomes: list[Outcome], wall_seconds: float) -> int:
    """Prints what all of it came to; returns the exit code."""
    seconds = {name: took for outcome in outcomes for name, took in outcome.seconds.items()}
    print(f"\nslowest {SLOWEST} tests:")
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True)[:SLOWEST]:
        print(f"{seconds[name]:7.1f} s {name}")
    reasons = collections.Counter(line for outcome in outcomes for line in outcome.output.splitlines() if is_skip(line))
    print(*reasons, sep="\n")
    failed = [outcome.stage for outcome in outcomes if not outcome.is_good]
    counts = sum((outcome.counts for outcome in outcomes), collections.Counter[str]())
    cpu_seconds = sum(outcome.cpu_seconds for outcome in outcomes)
    most = max(outcomes, key=lambda outcome: outcome.megabytes)
    print(
        f"{describe(counts)} in {wall_seconds:.0f} s ({cpu_seconds:.0f} s of CPU); "
        f"most memory of a process: {most.megabytes:,} MB in {most.stage}"
    )
    if failed:
        print(f"failed: {', '.join(failed)}")
        return 1
    return PASSED if counts else NOTHING_RUN


def is_skip(line: str) -> bool:
    return line.startswith("SKIPPED")


if __name__ == "__main__":
    sys.exit(main())

"""Damaged files of every kind that facezoo reads, and what the commands that read them may take for it.

`python tests/long/hostile_files.py COUNT SEED` damages files byte by byte, each for a process that is forked from one
which has imported everything. It prints how many there were, the most seconds and megabytes that one took, and every
one whose command does not end with 0 or 2, in lines without a traceback, within the bounds.
"""

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from command_lines import fault_of, make_materials, stop_before_work

sys.path.insert(0, str(Path(__file__).parents[1] / "refusals"))

MOST_SECONDS = 20.0  # that are computed
MOST_MEGABYTES = 1500  # more than the process has that imports everything
TOKEN = "a-secret_of-0ne"
SHOWN = "datasets --out=new.png --count=4 --image_size=16"
# Which file is damaged, and the command that reads it; @ is a copy of the materials. In a zip what is damaged is the
# part after the colon; checksums of what is damaged are made anew.
KINDS = [
    *((f"one/a.{ending}", "encode --run_dir=@/run --in=@/one --out=new.npz") for ending in (
        "jpg", "png", "gif", "webp", "bmp", "tiff", "pgm", "jp2", "avif"
    )),
    ("labels.csv", f"{SHOWN} --show=folder --data_dir=@/pictures --labels=@/labels.csv --split=train"),
    ("points.csv", f"{SHOWN} --show=folder --data_dir=@/pictures --landmarks=@/points.csv --split=train"),
    ("points.csv", "align --in=@/pictures --out=new --landmarks=@/points.csv --processes=1"),
    ("parts.txt", f"{SHOWN} --show=folder --data_dir=@/pictures --partition=@/parts.txt --split=train"),
    ("crops/manifest.csv", "encode --run_dir=@/run --in=@/crops --out=new.npz"),
    ("crops/manifest.csv", "align --in=@/pictures --out=@/crops --landmarks=@/points.csv --processes=1"),
    ("pack/index.json", f"{SHOWN} --show=packed --data_dir=@/pack --split=train"),
    ("pack/train-00000.tfrecord", f"{SHOWN} --show=packed --data_dir=@/pack --split=train"),
    ("run/flags.txt", "evaluate --run_dir=@/run"),
    ("run/flags.txt", "train --flagfile=@/run/flags.txt --run_dir=new"),
    ("run/model.keras", "evaluate --run_dir=@/run"),
    ("run/model.keras:config.json", "evaluate --run_dir=@/run"),
    ("run/model.keras:model.weights.h5", "evaluate --run_dir=@/run"),
    ("run/attributes.npz", "edit --run_dir=@/run --image=test:0 --attribute=smiling --out=new"),
    ("run/attributes.npz:names.npy", "edit --run_dir=@/run --image=test:0 --attribute=smiling --out=new"),
    ("run/attributes.npz:vectors/mean.npy", "edit --run_dir=@/run --image=test:0 --attribute=smiling --out=new"),
    ("pub/tiny.json", "evaluate --run_dir=@/pub/tiny.npz"),
    ("pub/tiny.npz", "evaluate --run_dir=@/pub/tiny.npz"),
    ("going/checkpoints/000000003/state.json", "train --flagfile=@/going/flags.txt --run_dir=@/going"),
    ("going/checkpoints/000000003/SHA256SUMS", "train --flagfile=@/going/flags.txt --run_dir=@/going"),
    ("going/data.json", "train --flagfile=@/going/flags.txt --run_dir=@/going"),
    ("token", "explore --run_dir=@/run --token=@/token"),
]  # fmt: skip


def complete_materials(folder: Path) -> None:
    """What only files of these kinds need."""
    from command_line import folder_of_crops, picture, run_of
    from facezoo.experiments.runs.checkpoints import Checkpoints, State
    from facezoo.models import VAE

    (folder / "one").mkdir()
    for place, _ in KINDS:
        if place.startswith("one/"):
            picture().convert("L" if place.endswith("pgm") else "RGB").save(folder / place)
    folder_of_crops(folder / "crops")
    picture((128, 128)).save(folder / "crops" / "a.jpg.png")
    model = VAE(image_size=32, filters=(4, 4), latent_dim=4)
    model.compile()
    run_of(folder / "going", model, "vae", "--latent_dim=4", "--set=filters=4,4", "--batch_size=8")
    (folder / "going" / "model.keras").unlink()
    (folder / "going" / "data.json").write_text('{"train": {"pictures": 20000, "digest": "a"}}')
    Checkpoints(folder / "going" / "checkpoints", 2).save(model, State(step=3, rows=[{"epoch": 1, "loss": 0.5}]))
    (folder / "token").write_text(TOKEN)


def damaged(path: Path, part: str, numbers: np.random.Generator) -> None:
    """Damages a file, or a part of a zip."""
    from test_fuzz import mutated

    if not part:
        path.write_bytes(mutated(path.read_bytes(), numbers))
        if path.name == "state.json":
            sums = path.with_name("SHA256SUMS")
            others = [line for line in sums.read_text().splitlines() if not line.endswith(path.name)]
            sums.write_text("\n".join([*others, f"{sum_of(path)}  {path.name}"]) + "\n")
        if path.name == "tiny.npz":
            card = json.loads(path.with_suffix(".json").read_text())
            path.with_suffix(".json").write_text(json.dumps(card | {"sha256": sum_of(path)}))
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[part] = mutated(members[part], numbers)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    path.write_bytes(data.getvalue())


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_one(line: list[str], here: Path) -> tuple:
    """Code, what was said, seconds computed and megabytes of a command in a process of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            os.setsid()
            for stream, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out.fileno()), (2, errors.fileno())):
                os.dup2(file, stream)
            os.chdir(here)
            code = 70
            try:
                from facezoo.experiments import cli

                code = cli.run(line)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        begun = time.monotonic()
        while True:
            done, status, used = os.wait4(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() - begun > 20 * MOST_SECONDS:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.01)
        said = []
        for file in (out, errors):
            file.seek(0)
            said.append(file.read().decode(errors="replace"))
    return os.waitstatus_to_exitcode(status), *said, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024


def main(count: int, seed: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix="facezoo-hostile-"))
    os.environ["FACEZOO_CACHE_DIR"], os.environ["CUDA_VISIBLE_DEVICES"] = str(folder / "cache"), "-1"
    materials = folder / "materials"
    child = os.fork()
    if child == 0:
        make_materials(materials)
        complete_materials(materials)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    import facezoo.experiments.benchmarks.morphs
    import facezoo.experiments.faces.reader
    import facezoo.experiments.training.run
    import facezoo.models.pretrained  # noqa: F401  (all that a command imports, once)

    stop_before_work(reads_models=True)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    codes, faults, most_seconds, most_megabytes = Counter(), 0, (0.0, ""), (0, "")
    for number in range(count):
        place, _, part = KINDS[number % len(KINDS)][0].partition(":")
        words = KINDS[number % len(KINDS)][1].split()
        copy, here = folder / "copy", folder / "here"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        shutil.copytree(materials, copy, symlinks=True, ignore=shutil.ignore_patterns("pipe"))
        damaged(copy / place, part, np.random.default_rng([seed, number]))
        line = [word.replace("@", str(copy)) for word in words]
        code, out, errors, seconds, megabytes = run_one(line, here)
        codes[str(code)] += 1
        most_seconds = max(most_seconds, (seconds, place))
        most_megabytes = max(most_megabytes, (megabytes - own, place))
        left = {path.name for path in here.iterdir()} - ({"new", "runs"} if code == 0 else set())
        if os.environ.get("FACEZOO_FUZZ_TELLS"):
            print(f"{number}: {place}:{part}: {code}: {seconds:.1f} s: {errors[-200:]!a}", flush=True)
        fault = fault_of(code, out, errors, 0.0, left)
        if seconds > MOST_SECONDS or megabytes - own > MOST_MEGABYTES:
            fault += f" takes {seconds:.0f} s, {megabytes - own} MB"
        if fault:
            faults += 1
            print(f"{number}: {place}:{part}: {fault}: {' '.join(words)}\n    {errors[-1500:]!r}", flush=True)
    print(
        f"{count} damaged files of {len(KINDS)} kinds, seed {seed}: {dict(codes)}, {faults} faults; at most "
        f"{most_seconds[0]:.1f} s ({most_seconds[1]}) and {most_megabytes[0]} MB more than {own} ({most_megabytes[1]})"
    )
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))

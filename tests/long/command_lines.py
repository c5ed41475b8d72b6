"""Random command lines, from the flags that the commands have, and what may come of one.

`python tests/long/command_lines.py COUNT SEED SECONDS` runs them in processes that are forked from one which has
imported everything, some after the other in each, up to where the expensive work begins. It prints how many there were
and every one that does not end as a command may: with 0 or 2, in lines without a traceback, soon, and with nothing left
behind by one that is refused.
"""

import contextlib
import io
import json
import os
import select
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

MOST_SECONDS = 20.0
LINES_IN_A_PROCESS = 250
# What begins well, by command; @ is the folder of the materials. Random flags are added, changed and taken away.
BASES = {
    "demo": [""],
    "train": [
        "--model=cae --image_size=32 --set=filters=4,4 --batch_size=4",
        "--dataset=folder --data_dir=@/pictures --image_size=32 --model=cae",
        "--dataset=packed --data_dir=@/pack --image_size=16 --model=cae --set=filters=4,4",
        "--dataset=folder --data_dir=@/people --subfolders=identity --model=face_mapping --image_size=64",
        "--init_from=@/run",
        "--model=diffusion_autoencoder --autoencoder=@/run --set=width=16 --set=depth=1 --image_size=32",
        "--model=code_prior --autoencoder=@/run --image_size=32",
        "--model=video_autoencoder --dataset=procedural_clips --image_size=32 --frames=4 --window=3 --batch_size=4",
        "--model=video_autoencoder --dataset=clips --data_dir=@/pictures --split_by=file --image_size=16 --frames=2",
        "--recipe=vae",
    ],
    "evaluate": [
        "--run_dir=@/run --count=8",
        "--run_dir=@/run --what=clips --metrics=flicker --frames=3",
        "--run_dir=@/pub/tiny.npz",
    ],
    "sweep": ["--file=@/sweep.toml --out=new"],
    "compare": ["@/run @/run --out=new"],
    "analyse": ["--run_dir=@/run --out=new --count=20"],
    "morph": ["--run_dir=@/run --start=test:0 --end=test:1 --out=new", "--start=@/a.jpg --end=@/b.png --out=new"],
    "make-morph": ["@/a.jpg @/b.png --out=new.mp4", "test:0 test:1 --size=32 --seconds=0.1 --out=new.mp4"],
    "encode": ["--run_dir=@/run --in=@/pictures --out=new.npz"],
    "attributes": ["--run_dir=@/run --count=64 --out=new.npz"],
    "edit": ["--run_dir=@/run --image=test:0 --attribute=smiling --out=new"],
    "sample": ["--run_dir=@/run --count=2 --out=new", "--run_dir=@/run --sampler=flow --prior=@/run --out=new"],
    "swap": ["--run_dir=@/mapping --in=@/people/ann --to=bob --out=new"],
    "studio": ["@/pictures --out=new --landmarks=@/points.csv --steps=1"],
    "align": ["--in=@/pictures --out=new --landmarks=@/points.csv --processes=1"],
    "pack": ["--in=@/pictures --out=new --size=16"],
    "explore": ["--run_dir=@/run --port=0", "--port=0"],
    "models": [""],
    "datasets": ["", "--show=procedural_faces --count=2 --image_size=32 --out=new.png"],
    "publish": ["--run_dir=@/run --name=new --out=.", "--run_dir=@/run --name=new --to=hf://a/b --license=other"],
    "export": ["--run_dir=@/run --format=keras --out=new", "--run_dir=@/run --format=web --out=new"],
    "distill": ["--run_dir=@/run --steps=2 --out=new"],
    "compress": ["--run_dir=@/run --prune=0.5 --steps=2 --out=new"],
    "doctor": ["--noself_test"],
    "benchmark": ["--measure=start"],
    "launch": ["--workers=2 -- train --model=cae"],
}
PATHS = (
    "@/run", "@/mapping", "@/unfinished", "@/pictures", "@/people", "@/pack", "@/pub/tiny.npz", "@/pub/tiny.json",
    "@/pub/tiny", "@/run/model.keras", "@/run/flags.txt", "@/run/metrics.csv", "@/labels.csv", "@/points.csv",
    "@/parts.txt", "@/a.jpg", "@/b.png", "@/empty", "@/empty.txt", "@/letter.txt", "@/junk", "@/pipe", "@/zero",
    "@/loop", "@/dangling", "@/nowhere", "@/letter.txt/below", "@/nul\0name", "@/\udcff", "@/attributes.npz", "vae",
    "new", "deeper/new", ".", "..", "/", "", " ", "~", "~nobody/x", "n" * 255, "n" * 256, "n" * 5000, "-", "--",
    "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "@/esc\x1b[31m", "gs://bucket/x", "http://127.0.0.1:9/x",
)  # fmt: skip
NUMBERS = (
    "0", "1", "2", "3", "8", "16", "17", "32", "64", "-1", "0.5", "1.5", "1e3", "1e-9", "1e999", "-1e999", "nan", "inf",
    "", " ", "1_000", "\uff11", "9" * 30, "9" * 5000, "0x10", "1,2", "None", "True", "²", "2147483647", "2147483648",
)  # fmt: skip
WORDS = (
    "smiling", "smiling,eyeglasses", "Smiling", "ann", "bob", "BOB", "test:0", "train:3", "test:-1", "test:999999999",
    "validation:1", "linear", "all", "none", "folder", "packed", "mnist", "celeb_a", "digits", "nope", "vae", "cae",
    "face_mapping", "conditional_vae", "dfc_vae", "video", "latent_diffusion", "filters=4,4", "filters=()", "x=1",
    "dropout=0.5", "latent_dim=3", "name=a", "capacity=5", "=", "a=b=c", ",", ",,", "a,a", "\x1b[31mred", "\u202eabc",
    "\0", "\n", "-2:2:9", "1:2", "0:0:1", "nan:1:3", "127.0.0.1", "0.0.0.0", "::1", "localhost", "make", "ask",
    "image_size=32", "kernel_initializer=he_normal", "form=plain", "structure=liae", "e\u0301", "1", "0", "-1",
)  # fmt: skip


def make_materials(folder: Path) -> None:
    """Files of all kinds that command lines name."""
    from command_line import mapping_run, photographs_in, picture, run_of
    from facezoo.datasets.folder import folder as folder_source
    from facezoo.datasets.packing import write_pack
    from facezoo.experiments import cli
    from facezoo.models import VAE

    folder.mkdir()
    model = VAE(image_size=32, filters=(4, 4), latent_dim=4)
    model.compile()
    run_of(folder / "run", model, "vae", "--latent_dim=4", "--set=filters=4,4")
    run_of(folder / "unfinished", model, "vae", "--latent_dim=4", "--set=filters=4,4")
    (folder / "unfinished" / "model.keras").unlink()
    mapping_run(folder / "mapping", ("ann", "bob"))
    photographs_in(folder / "pictures", 24)
    for person in ("ann", "bob"):
        photographs_in(folder / "people" / person, 12)
    picture().save(folder / "a.jpg")
    picture(seed=1).save(folder / "b.png")
    (folder / "pack").mkdir()
    write_pack(folder_source("all", data_dir=folder / "pictures", image_size=16), folder / "pack", 10**6)
    names = [f"{number:03d}.jpg" for number in range(24)]
    labels = [f"{name},{number % 2},{number % 3 % 2}" for number, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["file,smiling,eyeglasses", *labels]) + "\n")
    parts = [f"{name} {number % 3}" for number, name in enumerate(names)]
    (folder / "parts.txt").write_text("\n".join(parts) + "\n")
    header = "file,lefteye_x,lefteye_y,righteye_x,righteye_y,nose_x,nose_y,leftmouth_x,leftmouth_y,"
    points = [f"{name},6,6,13,6,9,9,7,13,12,13" for name in names]
    (folder / "points.csv").write_text("\n".join([f"{header}rightmouth_x,rightmouth_y", *points]) + "\n")
    (folder / "empty").mkdir()
    (folder / "esc\x1b[31m").mkdir()
    (folder / "empty.txt").touch()
    (folder / "sweep.toml").write_text("[grid]\nlatent_dim = [2, 3]\n")
    (folder / "letter.txt").write_text("dear\n")
    (folder / "junk").write_bytes(np.random.default_rng(0).bytes(5000))
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "nothing")
    assert cli.run(["attributes", f"--run_dir={folder}/run", "--count=64"]) == 0
    shutil.copy(folder / "run" / "attributes.npz", folder)
    assert cli.run(["publish", f"--run_dir={folder}/run", "--name=tiny", f"--out={folder}/pub", "--nopictures"]) == 0


def stop_before_work(reads_models: bool = False) -> None:
    """Has commands end as done where their expensive part begins; the reading of models may be before it."""
    from facezoo.datasets import detection
    from facezoo.experiments import cli
    from facezoo.experiments.benchmarks import measures
    from facezoo.experiments.codes import encoding
    from facezoo.experiments.commands import align, benchmark, compare, demo, doctor, evaluate, pack, sweep
    from facezoo.experiments.errors import StoppedError
    from facezoo.experiments.explorer import server
    from facezoo.experiments.faces import framing
    from facezoo.experiments.runs import run as runs
    from facezoo.experiments.training import devices, launcher, start

    def reached(*arguments, **options):
        raise StoppedError("reached", 0)

    def session(settings, state, workers):
        start.open_sources(settings)
        reached()

    stops = [
        *(
            (evaluate, "_as_in_training"),
            (encoding, "encode_batch"),
            (devices, "make_strategy"),
        ),
        *((launcher.Team, "work"), (pack, "write_pack"), (align, "with_new_rows"), (demo, "warp_through")),
        *((sweep, "take_folder"), (sweep, "check_networks"), (benchmark, "_hold_contests")),
        *((doctor, "Trial"), (benchmark, "_measure_exports")),
        *((server, "quiet_gradio"), (framing, "frame_photographs"), (framing, "frame_face")),
        *((detection, "largest_face"), (benchmark, "_measure_morphs"), (compare.charts, "save_curves")),
        *([] if reads_models else [(runs.Run, "model")]),
    ]
    for owner, name in stops:
        assert hasattr(owner, name), name
        setattr(owner, name, reached)
    assert hasattr(start, "_make_session")
    start._make_session = session
    for name in measures.MEASURE:
        measures.MEASURE[name] = reached
    assert set(BASES) == set(cli.COMMANDS)


def random_line(numbers: np.random.Generator, materials: Path) -> list[str]:
    """One command line: half of them begin well, and all have something random."""
    from facezoo.experiments.cli import COMMANDS

    def one_of(choices):
        return choices[int(numbers.integers(len(choices)))]

    name = one_of(list(COMMANDS))
    words = one_of(BASES[name]).split() if numbers.random() < 0.8 else []
    tables = [flags_of(name)] + ([flags_of("train")] if name == "launch" else [])
    for _ in range(int(numbers.integers(0, 5))):
        words = changed(words, one_of(tables), numbers, one_of)
    if numbers.random() < 0.02:
        name = one_of(("", "Train", "trian", "--help", "-h", "help", "--version", name + " ", "\x1b[31m", "\0"))
    return [word.replace("@", str(materials)) for word in (name, *words)]


def changed(words, table, numbers, one_of):
    """The words with one more, one less, or one that is another."""
    kind = numbers.random()
    if kind < 0.08 and words:
        words = [*words]
        del words[int(numbers.integers(len(words)))]
        return words
    if kind < 0.12:
        return [
            *words,
            one_of(("--help", "--flagfile=@/run/flags.txt", f"--flagfile={one_of(PATHS)}", "--recipe=demo")),
        ]
    if kind < 0.16 or not list(table):
        return [*words, one_of((*PATHS, *WORDS, *NUMBERS))]
    flag = table[one_of(list(table))]
    if kind < 0.2:
        return [
            *words,
            one_of((f"--no{flag.name}", f"--{flag.name}", f"--{flag.name}x=1", f"-{flag.name}=", "--=", "-")),
        ]
    return [*words, *with_value(flag, value_of(flag, numbers, one_of), one_of)]


def with_value(flag, value, one_of):
    return one_of(
        ([f"--{flag.name}={value}"], [f"--{flag.name}={value}"], [f"-{flag.name}={value}"], [f"--{flag.name}", value])
    )


def value_of(flag, numbers, one_of):
    """A value that fits a flag, or one that fits another."""
    parser = flag.parser
    if numbers.random() < 0.65:
        if choices := getattr(parser, "enum_values", None):
            return one_of(choices)
        if hasattr(parser, "highest"):
            return one_of(NUMBERS[:9]) if parser.kind is int else one_of(("0.1", "0.5", "1", "2", "5e-4"))
        if flag.flag_type() == "bool":
            return one_of(("true", "false", "1", "0", "yes"))
        return one_of(PATHS[:22]) if "Path" in type(parser).__name__ else one_of(WORDS[:40])
    return one_of((*PATHS, *WORDS, *NUMBERS))


TABLES: dict[str, object] = {}


def flags_of(name):
    from facezoo.experiments.cli import COMMANDS
    from facezoo.experiments.flags.parsing import define_all

    if name not in TABLES:
        TABLES[name] = define_all(COMMANDS[name].define_flags)
    return TABLES[name]


def fault_of(code, out, errors, seconds, left):
    """What is wrong with how a command ended; "" if nothing is."""
    if code not in (0, 2):
        return f"ends with {code}"
    if "Traceback" in errors or "\x1b" in errors + out:
        return "a traceback, or codes that steer the terminal"
    said = [line for line in errors.splitlines() if line.strip()]
    if code == 2 and not any(line.startswith("facezoo: ") for line in said[-6:]):
        return "no message"
    if code == 2 and left:
        return f"leaves {sorted(left)}"
    return f"takes {seconds:.0f} s" if seconds > MOST_SECONDS else ""


def run_some(first: int, count: int, seed: int, materials: Path, told: int) -> None:
    """In a process of its own: runs lines, and tells of each before and after."""
    from facezoo.experiments import cli

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.setsid()
    here = Path(tempfile.mkdtemp(prefix="here-", dir=materials.parent))
    for number in range(first, first + count):
        line = random_line(np.random.default_rng([seed, number]), materials)
        os.write(told, json.dumps({"begins": number}).encode() + b"\n")
        shutil.rmtree(here)
        here.mkdir()
        os.chdir(here)
        out, errors, begun = io.StringIO(), io.StringIO(), time.monotonic()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = cli.run(line)
            except SystemExit as error:
                code = error.code
            except BaseException as error:
                code = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - begun
        fault = fault_of(code, out.getvalue(), errors.getvalue(), seconds, [path.name for path in here.iterdir()])
        said = {"ends": number, "code": code, "seconds": round(seconds, 2), "fault": fault}
        os.write(told, json.dumps(said | ({"errors": errors.getvalue()[-1500:]} if fault else {})).encode() + b"\n")
    shutil.rmtree(here)
    os._exit(0)


def watch(first: int, count: int, seed: int, materials: Path, found: list, codes: Counter) -> int:
    """Runs lines in another process until one ends or hangs it; returns how many were run."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        kept = os.fdopen(os.dup(2), "w")
        try:
            run_some(first, count, seed, materials, writes)
        except BaseException:
            traceback.print_exc(file=kept)
        finally:
            kept.flush()
            os._exit(70)
    os.close(writes)
    begun, last, done, data = first, time.monotonic(), 0, b""
    while True:
        ready, _, _ = select.select([reads], [], [], 1.0)
        part = os.read(reads, 65536) if ready else None
        if part == b"":
            break
        if part:
            last, data = time.monotonic(), data + part
            *lines, data = data.split(b"\n")
            for said in map(json.loads, lines):
                begun = said.get("begins", begun)
                if "ends" in said:
                    done += 1
                    codes[str(said["code"])] += 1
                    if said["fault"]:
                        found.append(said)
        elif time.monotonic() - last > 4 * MOST_SECONDS:
            os.kill(child, signal.SIGKILL)
    os.close(reads)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != 0:
        done = max(done, 1 + begun - first)
        codes["died"] += 1
        found.append({"ends": begun, "code": status, "fault": "its process died, or had to be killed"})
    return max(done, 1)


def main(count: int, seed: int, most_seconds: float) -> int:
    begun = time.monotonic()
    os.environ["FACEZOO_CACHE_DIR"] = folder = tempfile.mkdtemp(prefix="facezoo-fuzz-")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    materials = Path(folder) / "materials"
    child = os.fork()
    if child == 0:
        make_materials(materials)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    import facezoo.experiments.benchmarks.morphs
    import facezoo.experiments.faces.reader
    import facezoo.experiments.training.run
    import facezoo.models.pretrained  # noqa: F401

    stop_before_work()
    before = contents_of(materials)
    found, codes, number, began = [], Counter(), 0, time.monotonic()
    while number < count and time.monotonic() - begun < most_seconds:
        known = len(found)
        number += watch(number, min(LINES_IN_A_PROCESS, count - number), seed, materials, found, codes)
        for said in found[known:]:
            line = random_line(np.random.default_rng([seed, said["ends"]]), Path("@"))
            print(f"{said['ends']}: {said['fault']}: facezoo {ascii(shlex.join(line))[:1000]}")
            print("    " + said.get("errors", "").replace("\n", "\n    "), flush=True)
        print(f"{number} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        if contents_of(materials) != before:
            print(f"the materials have changed before line {number}: {contents_of(materials) ^ before}", flush=True)
            before = contents_of(materials)
            found.append(before)
    seconds = time.monotonic() - began
    print(f"{number} command lines of seed {seed}, {number / seconds:.1f} a second: {dict(codes)}, {len(found)} faults")
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


def contents_of(folder: Path) -> set:
    """Every path below, how long it is and when it was changed, but for what a command may leave in a run."""
    return {
        (str(path.relative_to(folder)), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir()
    }


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))

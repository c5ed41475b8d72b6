"""Files of our own formats, damaged byte by byte: every reader answers with its own error, or reads what is there."""

import json

import numpy as np
import pytest
from absl import flags
from facezoo.datasets.labels import find_attributes
from facezoo.datasets.source import DatasetError
from facezoo.experiments.errors import UsageError
from facezoo.experiments.flags import parsing
from facezoo.experiments.runs.checkpoints import Checkpoints, State
from facezoo.models.pretrained import load_pretrained, save_pretrained
from facezoo.models.vae import VAE

SHORT, LONG = 500, 25_000  # cases for each of the four readers
NASTY = (b"", b"\0", b"\xff", b"\n", b",", b'"', b"=", b"--", b"1e999", b"nan", b"-1", b"{", b"[" * 2000, b"9" * 5000)


def mutated(data: bytes, numbers: np.random.Generator) -> bytes:
    """Some bytes flipped, removed, repeated, or replaced by what readers trip over."""
    for _ in range(numbers.integers(1, 4)):
        place = int(numbers.integers(0, len(data) + 1))
        length = int(numbers.integers(0, 12))
        kind = numbers.integers(0, 5)
        if kind == 0 and data:
            place = min(place, len(data) - 1)
            data = data[:place] + bytes([data[place] ^ (1 << int(numbers.integers(0, 8)))]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[place + length :]
        elif kind == 2:
            data = data[:place] + data[max(place - length, 0) : place] + data[place:]
        elif kind == 3:
            data = data[:place] + NASTY[numbers.integers(0, len(NASTY))] + data[place + length :]
        else:
            data = data[:place]
    return data


def labels_reader(folder):
    path = folder / "labels.csv"
    seeds = [b"file,smiling,young\na.jpg,1,0\nb.jpg,0,1\n", b"2\nSmiling Young\na.jpg 1 -1\nb.jpg -1 1\n"]

    def read():
        names, values = find_attributes(["a.jpg", "b.jpg"], [""], path)
        assert values(np.arange(2)).shape == (2, len(names))

    return path, seeds, read, DatasetError


def flags_reader(folder):
    path = folder / "flags.txt"
    seeds = [b"--model=vae\n--batch_size=8\n--learning_rate=0.001\n--set=filters=8,8\n--crop=1,2,3,4\n--flip\n"]
    return path, seeds, lambda: parsing.parse_training([f"--flagfile={path}"]), (flags.Error, UsageError)


def card_reader(folder):
    save_pretrained(VAE(image_size=16, filters=(2,), latent_dim=2), "tiny", {"recipe": "none", "data": "none"}, folder)
    path = folder / "tiny.json"
    return path, [path.read_bytes()], lambda: load_pretrained("tiny", folder), ValueError


def state_reader(folder):
    model = VAE(image_size=16, filters=(2,), latent_dim=2)
    model.compile()
    Checkpoints(folder, 2).save(model, State(step=3, rows=[{"epoch": 1, "loss": 0.5}]))
    path = folder / "000000003" / "state.json"
    sums = path.with_name("SHA256SUMS")

    def read():
        import hashlib

        named = [line for line in sums.read_text().splitlines() if "state.json" not in line]
        sums.write_text("\n".join([*named, f"{hashlib.sha256(path.read_bytes()).hexdigest()}  state.json"]))
        state = Checkpoints(folder, 2).newest()
        assert state is None or isinstance(state.step, int)

    return path, [path.read_bytes(), json.dumps({"step": 3}).encode()], read, UsageError


READERS = [labels_reader, flags_reader, card_reader, state_reader]


def fuzz(make_reader, folder, cases):
    path, seeds, read, refusals = make_reader(folder)
    numbers = np.random.default_rng(0)
    for case in range(cases):
        data = mutated(seeds[case % len(seeds)], numbers)
        path.write_bytes(data)
        try:
            read()
        except refusals:
            continue
        except Exception as error:
            pytest.fail(f"case {case}: {type(error).__name__}: {error} from {data[:200]!r}")


@pytest.mark.parametrize("make_reader", READERS)
def test_damaged_files_are_refused(make_reader, tmp_path):
    fuzz(make_reader, tmp_path, SHORT)


@pytest.mark.long
@pytest.mark.parametrize("make_reader", READERS)
def test_many_damaged_files_are_refused(make_reader, tmp_path):
    fuzz(make_reader, tmp_path, LONG)

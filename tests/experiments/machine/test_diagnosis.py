"""What `facezoo doctor` says of machines that are not there."""

import dataclasses
import runpy
from pathlib import Path

import facezoo
import pytest
import setuptools
from facezoo.experiments.machine import looking
from facezoo.experiments.machine.cards import choose_precision, explain_failures, has_kernels, is_compiled_first
from facezoo.experiments.machine.description import Build, Card, Extra, Machine
from facezoo.experiments.machine.diagnosis import EXTRAS, FAULT, NOTE, OK, diagnose, summarise

# As `tf.sysconfig.get_build_info()` tells of the wheel that is published.
WHEEL = Build("2.21.0", (12, 5), ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90"))
RTX_4090 = Card("NVIDIA GeForce RTX 4090", (8, 9), 24.0)
RTX_5090 = Card("NVIDIA GeForce RTX 5090", (12, 0), 32.0)
GOOD = Machine(
    facezoo="0.1.0",
    python="3.11.9",
    system="Linux-6.1-x86_64",
    processor="a CPU",
    processor_flags=frozenset({"avx", "avx2"}),
    cores=8,
    memory_gb=32.0,
    free_gb=24.0,
    disk_gb=100.0,
    tensorflow=WHEEL,
    driver="550.54.15",
    cards=(RTX_4090,),
    num_seen=1,
    ffmpeg="7.0",
    extras={"align": Extra({"mtcnn": "1.0.0"}), "gpu": Extra({"nvidia-cudnn-cu12": "9.3"})},
    networks={"lpips_alex.npz": True},
)


def lines(level, **changes):
    """The lines of some level of a good machine with changes, by subject."""
    findings = diagnose(dataclasses.replace(GOOD, **changes))
    return {finding.subject: str(finding) for finding in findings if finding.level == level}


def test_a_machine_with_all_has_nothing_to_mend():
    assert lines(FAULT) == {} == lines(NOTE)
    assert "NVIDIA GeForce RTX 4090 (compute capability 8.9, 24 GB)" in lines(OK)["GPU"]
    assert "mixed_bfloat16" in lines(OK)["precision"]
    assert summarise(diagnose(GOOD)) == "facezoo runs here"


def test_every_finding_is_one_line():
    for finding in diagnose(dataclasses.replace(GOOD, cards=(RTX_5090,), memory_gb=0.5, free_gb=0.2, ffmpeg=None)):
        assert "\n" not in str(finding)


def test_without_a_gpu_all_runs_on_the_cpu():
    without = {"cards": (), "driver": None, "num_seen": 0, "extras": {"gpu": Extra({}, ("nvidia-cudnn-cu12",))}}
    assert lines(FAULT, **without) == {}
    assert "runs on the CPU" in lines(NOTE, **without)["GPU"]
    assert "float32" in lines(OK, **without)["precision"]
    assert "nor needed" in lines(OK, **without)["extra gpu"]


def test_a_card_of_capability_12_fails_with_the_published_wheel():
    said = lines(FAULT, cards=(RTX_5090,))
    assert list(said) == ["GPU"]
    words = ("RTX 5090 (compute capability 12.0)", "issues/89272", "CUDA_VISIBLE_DEVICES=-1", "CUDA 12.8 for 12.0")
    assert [word for word in words if word not in said["GPU"]] == []
    assert summarise(diagnose(dataclasses.replace(GOOD, cards=(RTX_5090,)))) == "1 to mend: GPU"


def test_a_build_for_capability_12_takes_such_a_card():
    build = Build("2.21.0", (12, 8), (*WHEEL.kernels, "sm_120"))
    assert lines(FAULT, cards=(RTX_5090,), tensorflow=build) == {}


def test_of_two_cards_the_one_that_fails_is_left_out():
    said = lines(FAULT, cards=(RTX_5090, RTX_4090), num_seen=2)["GPU"]
    assert "the numbers of the other cards" in said
    assert "RTX 4090" not in said


def test_an_old_driver_is_to_be_renewed():
    said = lines(FAULT, driver="470.82.01", num_seen=0)
    assert list(said) == ["driver"]
    assert "470.82.01 is older than 525.60.13, which CUDA 12 needs" in said["driver"]
    assert lines(FAULT, driver="470.82.01", cards=(), num_seen=0) == said  # it does not say what its cards can compute


def test_without_ffmpeg_films_are_missing():
    assert "pip install --force-reinstall imageio-ffmpeg" in lines(FAULT, ffmpeg=None)["ffmpeg"]


def test_without_extras_each_names_its_command():
    extras = {name: Extra({}, (f"package of {name}",)) for name in EXTRAS}
    said = lines(NOTE, extras=extras)
    for name in EXTRAS:
        assert f"without package of {name}: pip install 'facezoo[{name}]'" in said[f"extra {name}"]
    many = lines(NOTE, extras={"gpu": Extra({}, tuple("abcde"))})["extra gpu"]
    assert "without a, b, c and 2 more: " in many


@pytest.mark.parametrize(("free", "level", "words"), [(0.5, FAULT, "0.2 GB"), (1.5, NOTE, "--cache_gb=0")])
def test_little_memory_says_what_still_runs(free, level, words):
    assert words in lines(level, memory_gb=2.0, free_gb=free)["memory"]


def test_cuda_s_libraries_may_be_missing():
    assert "pip install 'facezoo[gpu]'" in lines(FAULT, num_seen=0)["GPU"]
    assert "unset it" in lines(NOTE, num_seen=0, hidden="-1")["GPU"]


def test_a_tensorflow_that_cannot_be_imported_says_why():
    said = lines(FAULT, tensorflow=None, import_error="the process was ended by SIGILL")
    assert "SIGILL" in said["TensorFlow"]
    assert "no AVX" in lines(FAULT, processor_flags=frozenset({"sse2"}))["processor"]


@pytest.mark.parametrize(
    ("capability", "is_known", "is_compiled"),
    [
        ((5, 2), False, False),
        ((6, 1), True, False),
        ((7, 5), True, False),
        ((8, 6), True, False),
        ((9, 0), True, True),
        ((10, 0), False, False),
        ((12, 0), False, False),
    ],
)
def test_cards_by_the_kernels_of_the_wheel(capability, is_known, is_compiled):
    assert has_kernels(capability, WHEEL) == is_known
    assert is_compiled_first(capability, WHEEL) == is_compiled


def test_a_card_older_than_all_kernels_is_told_so():
    [line] = explain_failures([Card("GTX 980", (5, 2))], WHEEL)
    assert "whose kernels begin at 6.0" in line


def test_the_precision_is_the_slowest_card_s():
    assert choose_precision([(12, 0), (7, 5)], ()) == "mixed_float16"
    assert choose_precision([], {"amx_bf16"}) == "mixed_bfloat16"


def test_extras_are_those_of_the_installation(monkeypatch):
    asked = []
    monkeypatch.setattr(setuptools, "setup", lambda **told: asked.append(told))
    runpy.run_path(str(Path(facezoo.__file__).with_name("setup.py")))
    assert {name for name in asked[0]["extras_require"] if name != "dev"} == set(EXTRAS)


def test_what_is_secret_is_not_told(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    monkeypatch.setenv("FACEZOO_TOKEN", "letmein")
    monkeypatch.setenv("FACEZOO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("FACEZOO_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "https://ann:pass@hub.example.com")
    monkeypatch.setenv("HF_HUB_USER", "ann")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/home/ann/dump")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    machine = looking.look_at_machine()
    assert machine.variables["HF_TOKEN"] == machine.variables["FACEZOO_TOKEN"] == "(set)"
    assert machine.variables["FACEZOO_WEIGHTS"] == "(set: not there)"
    assert machine.variables["FACEZOO_CACHE_DIR"] == "(set: a folder)"
    assert {machine.variables[name] for name in ("HF_ENDPOINT", "HF_HUB_USER", "XLA_FLAGS")} == {"(set)"}
    assert machine.variables["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert machine.memory_gb is None or machine.memory_gb > 0


def test_the_cards_that_a_driver_knows_are_read(monkeypatch):
    answer = "570.86.10, 12.0, 32607, NVIDIA GeForce RTX 5090\n570.86.10, 8.9, [N/A], NVIDIA GeForce RTX 4090\n"
    monkeypatch.setattr(looking, "_ask", lambda *command: answer)
    driver, cards = looking._ask_driver()
    assert driver == "570.86.10"
    assert [(card.name, card.capability) for card in cards] == [(RTX_5090.name, (12, 0)), (RTX_4090.name, (8, 9))]
    assert cards[1].memory_gb is None

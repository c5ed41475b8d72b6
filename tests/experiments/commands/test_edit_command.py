"""Attribute vectors of a run, faces that are edited with them, and new faces."""

import csv

import facezoo
import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused, contents, drawn, mapping_run, read_png, reconstructed
from facezoo.datasets.procedural import ATTRIBUTE_NAMES, procedural_faces
from facezoo.experiments.codes.morphing import NOBODY
from facezoo.experiments.commands.edit import parse_strengths
from facezoo.experiments.runs.run import open_run
from facezoo.latents.attributes import AttributeVectors, load_attributes, orthogonalise, save_attributes


@pytest.fixture(scope="module")
def with_vectors(finished, tmp_path_factory):
    """The finished run with the vectors of 300 faces, in a file of its own."""
    from facezoo.experiments import cli

    file = tmp_path_factory.mktemp("vectors") / "attributes.npz"
    assert cli.run(["attributes", f"--run_dir={finished}", "--count=300", f"--out={file}"]) == 0
    return finished, file


def to_uint8(images):
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


# Attributes.


def test_vectors_are_differences_of_mean_codes(with_vectors, model):
    _, file = with_vectors
    found = load_attributes(file)
    examples = procedural_faces("train", image_size=32).load(np.arange(300))
    codes = model.encode(examples["image"].astype(np.float32) / 255).numpy()
    has = examples["attributes"][:, ATTRIBUTE_NAMES.index("smiling")] == 1
    expected = codes[has].mean(axis=0) - codes[~has].mean(axis=0)
    np.testing.assert_allclose(found.vector("smiling"), expected, atol=1e-5)
    assert found.counts[found.position("smiling")].tolist() == [has.sum(), (~has).sum()]


def test_the_vectors_stay_with_the_run_and_are_not_overwritten(command, copied):
    done = command("attributes", f"--run_dir={copied}", "--count=200", "--attributes=smiling,young")
    assert done.code == 0, done.err
    assert load_attributes(copied / "attributes.npz").names == ("smiling", "young")
    assert "smiling" in done.out
    before = contents(copied)
    assert_refused(command("attributes", f"--run_dir={copied}", "--count=200"), "attributes.npz exists")
    assert contents(copied) == before


@pytest.mark.parametrize("name", ["/elsewhere", "../elsewhere", "a/../../elsewhere", ".."])
def test_a_name_in_a_file_of_vectors_writes_nowhere(command, with_vectors, tmp_path, name):
    finished, file = with_vectors
    with np.load(file) as arrays:
        changed = {key: arrays[key] for key in arrays.files}
    changed["names"] = np.array([name, *changed["names"][1:]])
    np.savez(tmp_path / "vectors.npz", **changed)
    flags = (f"--image=test:0 --attribute={name} --strength=1 --vectors={tmp_path / 'vectors.npz'}").split()
    done = command("edit", f"--run_dir={finished}", *flags, f"--out={tmp_path / 'above' / 'edits'}")
    assert_refused(done, "vectors.npz is damaged", "is no name of an attribute")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "vectors.npz"]


def test_what_too_few_have_is_left_out_and_said(command, finished, tmp_path):
    done = command("attributes", f"--run_dir={finished}", "--count=60", f"--out={tmp_path / 'few.npz'}")
    assert done.code == 0, done.err
    assert "(left out)" in done.out
    assert "left out: fewer than 10 faces with it, or without it\n" in done.out
    assert load_attributes(tmp_path / "few.npz").left_out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--attributes=smilling"], ["'smilling'", "did you mean 'smiling'"]),
        (["--count=5"], ["no attribute has 10 examples"]),
        (["--count=0"], ["--count"]),
        (["--out=x.npz", "--dataset=folder", "--data_dir=/no/such"], ["not there"]),
    ],
)
def test_attributes_refuses_bad_input(command, finished, flags, words):
    assert_refused(command("attributes", f"--run_dir={finished}", "--out=a.npz", *flags), *words)


# Edit.


def test_a_sweep_moves_the_code_along_the_vector(command, with_vectors, model, tmp_path):
    run, file = with_vectors
    flags = ["--attribute=smiling,young", "--strength=-1:2:4", "--keep=beard", f"--vectors={file}"]
    done = command("edit", f"--run_dir={run}", "--image=test:7", *flags, f"--out={tmp_path / 'edits'}")
    assert done.code == 0, done.err
    vector = orthogonalise(load_attributes(file), "young", ["beard"])
    code = model.encode(drawn([7])).numpy()[0]
    for number, strength in enumerate((-1, 0, 1, 2)):
        picture, text = read_png(tmp_path / "edits" / "young" / f"{number:03d}.png")
        expected = to_uint8(model.decode((code + strength * vector)[None]).numpy()[0])
        assert np.abs(picture.astype(int) - expected).max() <= 1
        assert text["Software"] == SOFTWARE
        assert text["Description"] == f"young {strength:+d} of test:7 by finished"
    sheet, _ = read_png(tmp_path / "edits" / "sweep.png")
    assert sheet.shape[1] == 5 * 32
    assert np.array_equal(sheet[:32, :32], to_uint8(drawn([7])[0]))
    assert np.array_equal(sheet[:32, 32:64], read_png(tmp_path / "edits" / "smiling" / "000.png")[0])


def test_a_mapping_model_draws_faces_of_the_person_asked_for(command, tmp_path):
    people = ("person_0", "person_1")
    run = mapping_run(tmp_path / "mapping", people, "--dataset=procedural_people")
    for person in people:
        flags = ("--count=2", "--sampler=normal", f"--person={person}", f"--out={tmp_path / person}")
        assert command("sample", f"--run_dir={run}", *flags).code == 0
    (first, text), (last, _) = (read_png(tmp_path / person / "000001.png") for person in people)
    assert np.abs(first.astype(int) - last).max() > 1
    assert text["Description"].endswith(", as person_0")


def test_a_mapping_model_edits_the_face_of_the_person_asked_for(command, tmp_path):
    run = mapping_run(tmp_path / "mapping")
    vectors, model_hash = np.ones((1, 6), np.float32), open_run(run).model_hash
    found = AttributeVectors(("young",), {"mean": vectors}, np.eye(1), np.full((1, 2), 20), {}, model_hash)
    save_attributes(run / "attributes.npz", found)
    flags = ("--image=test:7", "--attribute=young", "--strength=0", "--person=ann")
    done = command("edit", f"--run_dir={run}", *flags)
    assert done.code == 0, done.err
    picture, text = read_png(run / "edits" / "young" / "000.png")
    as_ann, as_last = (reconstructed(facezoo.load(run), drawn([7])[0], *told).astype(int) for told in (["ann"], []))
    assert np.abs(picture - as_ann).max() <= 1 < np.abs(picture - as_last).max()
    assert text["Description"] == "young +0 of test:7 by mapping, as ann"


@pytest.mark.parametrize(("text", "expected"), [("-2:2:5", [-2, -1, 0, 1, 2]), ("1.5", [1.5]), ("3:0:2", [3, 0])])
def test_strengths_are_read(text, expected):
    assert parse_strengths(text).tolist() == expected


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["flag --attribute is required"]),
        (["--attribute=beards"], ["no attribute 'beards'"]),
        (["--attribute=young", "--keep=young"], ["'young' cannot be changed and kept at once"]),
        (["--attribute=young", "--keep=mouth"], ["--keep=mouth: no attribute 'mouth'"]),
        (["--attribute=Young"], ["--attribute=Young", "did you mean 'young'?"]),
        (["--attribute=young", "--strength=1:2"], ["--strength"]),
        (["--attribute=young", "--strength=1:2:0"], ["--strength"]),
        (["--attribute=young", "--strength=nan"], ["--strength"]),
        (["--attribute=young", "--strength=a:b:3"], ["--strength"]),
        (["--attribute=young", "--method=svm"], ["--method"]),
        (["--attribute=young", "--person=ann"], ["--person=ann", "a VAE maps nobody"]),
        (["--attribute=young", "--image=no.jpg"], ["no.jpg"]),
        (["--attribute=young", "--margin=0.5"], ["--margin does nothing without --align"]),
        (["--attribute=young", "--align", "--crop=0,0,5,5"], ["--crop and --align"]),
    ],
    ids=lambda value: " ".join(value)[:50],
)
def test_edit_refuses_bad_input(command, with_vectors, flags, words):
    run, file = with_vectors
    base = [f"--run_dir={run}", f"--vectors={file}", "--out=edits"]
    image = [] if any(flag.startswith("--image") for flag in flags) else ["--image=test:7"]
    assert_refused(command("edit", *base, *image, *flags), *words)


def test_vectors_of_another_model_are_refused(command, with_vectors, train):
    _, file = with_vectors
    other = train("other", "--model=vae", "--image_size=32", "--set=filters=8,8", "--latent_dim=4", "--seed=1",
                  "--batch_size=8", "--steps_per_epoch=1", "--validation_steps=1", "--epochs=1")  # fmt: skip
    flags = ["--image=test:7", "--attribute=young"]
    done = command("edit", f"--run_dir={other}", *flags, f"--vectors={file}", "--out=edits")
    assert_refused(done, "belongs to another model")
    assert_refused(command("edit", f"--run_dir={other}", *flags, "--out=edits"), "facezoo attributes --run_dir=")


# Sample.


def test_samples_are_decoded_codes_and_seeded(command, finished, tmp_path):
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        flags = [f"--seed={seed}", "--count=5", "--sampler=gaussian", "--fit_count=100", f"--out={tmp_path / name}"]
        done = command("sample", f"--run_dir={finished}", *flags)
        assert done.code == 0, done.err
    one, again, other = (contents(tmp_path / name) for name in ("one", "again", "other"))
    assert [data for data, _ in one.values()] == [data for data, _ in again.values()]
    assert set(one) == {f"{number:06d}.png" for number in range(5)}
    assert one["000000.png"][0] != other["000000.png"][0]
    picture, text = read_png(tmp_path / "one" / "000003.png")
    assert picture.shape == (32, 32, 3)
    assert text == {"Software": SOFTWARE, "Description": f"gaussian sample of finished: {NOBODY}"}


def test_without_noise_every_sample_is_the_mean_face(command, finished, model, tmp_path):
    flags = ["--sampler=normal", "--truncation=0", "--count=2", "--fit_count=1", f"--out={tmp_path / 'mean'}"]
    assert command("sample", f"--run_dir={finished}", *flags).code == 0
    picture, _ = read_png(tmp_path / "mean" / "000001.png")
    assert np.array_equal(picture, to_uint8(model.decode(np.zeros((1, 4), np.float32)).numpy()[0]))


def test_a_conditional_model_s_samples_have_attributes_and_train(command, train, tmp_path):
    run = train("conditional", "--model=conditional_vae", "--attributes=smiling,young", "--image_size=32",
                "--set=filters=8,8", "--latent_dim=4", "--batch_size=8", "--steps_per_epoch=1",
                "--validation_steps=1", "--epochs=1")  # fmt: skip
    done = command("attributes", f"--run_dir={run}", "--count=100", "--attributes=young,beard,eyeglasses")
    assert done.code == 0, done.err  # also of attributes that the model is not told
    base = ["sample", f"--run_dir={run}", "--sampler=gaussian", "--fit_count=60", "--count=40"]
    assert command(*base, f"--out={tmp_path / 'png'}").code == 0
    with (tmp_path / "png" / "labels.csv").open() as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "smiling", "young"]
    assert len(rows) == 40 and {cell for row in rows for cell in row[1:]} == {"0", "1"}
    done = command(*base, "--format=packed", f"--out={tmp_path / 'packed'}")
    assert done.code == 0, done.err
    pack = facezoo.DATASETS["packed"]("all", data_dir=tmp_path / "packed", image_size=32)
    folder = facezoo.DATASETS["folder"](
        "all", data_dir=tmp_path / "png", image_size=32, labels=tmp_path / "png" / "labels.csv"
    )
    at = [list(folder.names).index(name) for name in pack.names]
    for column, values in pack.load(np.arange(40)).items():
        assert np.array_equal(values, folder.load(np.array(at))[column]), column


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--count=0"], ["--count"]),
        (["--sampler=uniform"], ["--sampler"]),
        (["--truncation=2"], ["--truncation"]),
        (["--format=jpg"], ["--format"]),
        (["--components=40", "--fit_count=30"], ["components=40"]),
        (["--seed=-1"], ["--seed"]),
    ],
)
def test_sample_refuses_bad_input(command, finished, flags, words):
    assert_refused(command("sample", f"--run_dir={finished}", "--out=samples", *flags), *words)

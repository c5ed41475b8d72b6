"""`facezoo encode`: the codes, names and reconstructions that it leaves."""

import shutil

import facezoo
import numpy as np
import pytest
from clutter import save_people
from command_line import (
    SOFTWARE,
    assert_refused,
    mapping_run,
    photograph_files,
    photographs_in,
    read_png,
    reconstructed,
)
from facezoo.datasets import photographs
from facezoo.datasets.manifest import Cut
from facezoo.experiments.faces.reader import FaceReader, align_folder
from facezoo.experiments.flags.groups import AlignmentSettings
from facezoo.experiments.runs.run import open_run
from facezoo.files import name_results

pytestmark = pytest.mark.usefixtures("empty_folder")


def test_encode_keeps_codes_names_and_reconstructions(finished, command, model, tmp_path):
    files = photograph_files(tmp_path / "pictures")
    (tmp_path / "pictures" / "deeper").mkdir()
    deeper = tmp_path / "pictures" / "deeper" / "plain.png"
    shutil.copy(tmp_path / "pictures" / "plain.png", deeper)
    files[deeper] = files[tmp_path / "pictures" / "plain.png"]
    out, decoded = tmp_path / "new" / "codes.npz", tmp_path / "decoded"
    done = command(
        "encode",
        f"--run_dir={finished}",
        f"--in={tmp_path / 'pictures'}",
        f"--out={out}",
        f"--reconstructions={decoded}",
    )
    assert done.code == 0, done.err
    assert f"{len(files)} codes" in done.out
    with np.load(out, allow_pickle=False) as archive:
        assert set(archive) == {"codes", "names"}
        codes = dict(zip(archive["names"].tolist(), archive["codes"], strict=True))
    names = sorted(path.relative_to(tmp_path / "pictures").as_posix() for path in files)
    assert list(codes) == names
    results = name_results(names)
    reader = FaceReader(open_run(finished), AlignmentSettings())
    for name in names:
        image = reader.read_file(tmp_path / "pictures" / name)
        np.testing.assert_allclose(codes[name], model.encode(image[None])[0], atol=1e-4, err_msg=name)
        pixels, text = read_png(decoded / f"{results[name]}.png")
        np.testing.assert_allclose(pixels.astype(int), reconstructed(model, image), atol=1)
        assert text["Software"] == SOFTWARE
        assert name in text["Description"]
    assert {path.relative_to(decoded).as_posix() for path in decoded.rglob("*.png")} == {
        f"{result}.png" for result in results.values()
    }


def test_reconstructions_show_the_person_asked_for(command, tmp_path):
    run, folder = mapping_run(tmp_path / "mapping"), photographs_in(tmp_path / "pictures", 2, size=(32, 32))
    targets = (f"--out={tmp_path / 'codes.npz'}", f"--reconstructions={tmp_path / 'decoded'}")
    done = command("encode", f"--run_dir={run}", f"--in={folder}", "--person=bob", *targets)
    assert done.code == 0, done.err
    frame, text = read_png(tmp_path / "decoded" / "001.png")
    image = photographs.fit(photographs.read(folder / "001.jpg"), 32).astype(np.float32) / 255
    model = facezoo.load(run)
    found = [np.abs(frame - reconstructed(model, image, name).astype(int)).max() for name in model.people]
    assert [difference <= 1 for difference in found] == [False, True, False]
    assert text["Description"] == "reconstruction of 001.jpg by mapping, as bob"


def test_encode_overwrites_nothing(finished, command, tmp_path):
    folder = photographs_in(tmp_path / "pictures", 2)
    out, taken = tmp_path / "codes.npz", tmp_path / "taken"
    out.write_bytes(b"precious")
    taken.mkdir()
    (taken / "a.txt").write_text("mine")
    arguments = ("encode", f"--run_dir={finished}", f"--in={folder}")
    assert_refused(command(*arguments, f"--out={out}"), "--out", "exists")
    assert out.read_bytes() == b"precious"
    done = command(*arguments, f"--out={tmp_path / 'new.npz'}", f"--reconstructions={taken}")
    assert_refused(done, "--reconstructions")
    assert not (tmp_path / "new.npz").exists()
    assert [path.name for path in taken.iterdir()] == ["a.txt"]


def test_encode_of_nothing_is_refused(finished, command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_refused(command("encode", f"--run_dir={finished}"), "--in")
    assert_refused(command("encode", f"--run_dir={finished}", f"--in={tmp_path / 'empty'}"), "no pictures")
    assert_refused(command("encode", f"--run_dir={finished}", f"--in={tmp_path / 'nowhere'}"), "nowhere")


def test_what_sub_folders_are_called_does_not_matter(finished, command, tmp_path, monkeypatch):
    for name in ("Ann B", "ann_b", "---"):
        photographs_in(tmp_path / "pictures" / name, 1)
    out = tmp_path / "codes.npz"
    done = command("encode", f"--run_dir={finished}", f"--in={tmp_path / 'pictures'}", f"--out={out}")
    assert done.code == 0, done.err
    with np.load(out) as archive:
        assert archive["names"].tolist() == ["---/000.jpg", "Ann B/000.jpg", "ann_b/000.jpg"]
    face = np.zeros((8, 8, 3), np.uint8), np.eye(3)[:2]
    monkeypatch.setattr("facezoo.experiments.faces.reader.align_faces", lambda photograph, cut, channels, faces: [face])
    assert len(align_folder(tmp_path / "pictures", Cut(size=8), 3)) == 3


def test_faces_are_found_and_photographs_without_one_left_out(finished, command, model, tmp_path, monkeypatch):
    pytest.importorskip("mtcnn")
    monkeypatch.setattr("facezoo.datasets.progress.PROGRESS_AFTER_SECONDS", 600)  # a picture of nobody is turned about
    folder = tmp_path / "photographs"
    save_people(folder)
    arguments = ("encode", f"--run_dir={finished}", f"--in={folder}", "--align")
    done = command(*arguments, f"--out={tmp_path / 'codes.npz'}")
    assert done.code == 0, done.err
    assert "leaving out 1 of 3 pictures" in done.err
    assert "nobody.png (no face found)" in done.err
    with np.load(tmp_path / "codes.npz") as archive:
        assert archive["names"].tolist() == ["0.png", "1.png"]
        faces = np.stack([facezoo.read_face(folder / name, model, template="facezoo") for name in archive["names"]])
        np.testing.assert_allclose(archive["codes"], model.encode(faces), atol=1e-4)
    for name in ("0.png", "1.png"):
        (folder / name).unlink()
    done = command(*arguments, f"--out={tmp_path / 'none.npz'}")
    assert_refused(done, "none of the 1 pictures", "nobody.png (no face found)")
    assert not (tmp_path / "none.npz").exists()

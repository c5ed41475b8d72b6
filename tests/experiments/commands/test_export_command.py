"""`facezoo export`: files that suffice by themselves, or one line and none."""

import json

import keras
import numpy as np
import pytest
from command_line import assert_refused
from facezoo.experiments.codes.vectors import ATTRIBUTES_FILE
from facezoo.experiments.exporting import formats
from facezoo.experiments.exporting.graphs import ExportError
from facezoo.experiments.exporting.keras_file import KerasFile
from facezoo.experiments.shipping.card import write_card
from facezoo.experiments.shipping.parts import make_graphs
from facezoo.experiments.shipping.trial import Result
from facezoo.latents.attributes import AttributeVectors, save_attributes
from facezoo.models import VAE, ConditionalVAE, ConvolutionalAutoencoder, DistilledAutoencoder, FaceMapping
from facezoo.models.plain import make_plain


def test_a_folder_has_files_vectors_and_what_tells_of_them(copied, command, tmp_path):
    from facezoo.experiments.runs.run import open_run

    vectors = np.ones((1, *open_run(copied).model().shape_of_code()), np.float32)
    one = np.ones((1, 1))
    told = AttributeVectors(("smiling",), {"mean": vectors}, one, np.full((1, 2), 9), {}, open_run(copied).model_hash)
    save_attributes(copied / ATTRIBUTES_FILE, told)
    out = tmp_path / "out"
    done = command("export", f"--run_dir={copied}", "--format=keras", "--count=4", f"--out={out}")
    assert done.code == 0, done.err
    names = ["README.md", "attributes.npz", "decoder.keras", "encoder.keras", "export.json"]
    assert sorted(path.name for path in out.iterdir()) == names
    about = json.loads((out / "export.json").read_text())
    assert [file["file"] for file in about["files"]] == ["encoder.keras", "decoder.keras"]
    assert max(file["largest_difference"] for file in about["files"]) < 1e-4
    assert max(abs(file["psnr_loss"]) for file in about["files"]) < 1e-3
    assert about["picture"]["range"] == [0.0, 1.0]
    assert about["crop"]["cut"]["template"] == "facezoo"
    assert about["attributes"] == ["smiling"]
    with np.load(out / "attributes.npz") as kept:
        np.testing.assert_array_equal(kept["vectors"], vectors)
    page = (out / "README.md").read_text()
    assert "- `decoder.keras`: a code to its picture" in page
    assert "facezoo align --template=facezoo" in page
    assert keras.saving.load_model(out / "encoder.keras").input_shape[1:] == tuple(about["picture"]["shape"][1:])
    assert "| decoder | keras | float32 |" in done.out


def test_what_loses_too_much_is_refused_and_nothing_is_left(finished, command, tmp_path, monkeypatch):
    class Coarse(KerasFile):
        def open(self, path):
            run = super().open(path)
            return lambda given: np.round(run(given))

    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS | {"keras": Coarse()})
    monkeypatch.setattr("facezoo.experiments.shipping.trial.FORMATS", formats.FORMATS)
    flags = ("export", f"--run_dir={finished}", "--format=keras", "--part=decoder", "--count=2")
    done = command(*flags, f"--out={tmp_path / 'new' / 'out'}")
    assert_refused(done, "dB of PSNR, more than 0.5; --max_psnr_loss allows more")
    assert not (tmp_path / "new").exists()
    assert command(*flags, f"--out={tmp_path / 'out'}", "--max_psnr_loss=99").code == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--format=keras", "--precision=int8"), "--format=keras holds float32 and float16 alone, not int8: take lite"),
        (("--part=decoder,decoder",), "must be some of encoder, decoder, autoencoder, each once"),
        (("--part=",), "must be some of encoder, decoder, autoencoder, each once"),
        (("--max_psnr_loss=-1",), "max_psnr_loss"),
        (("--person=Ada",), "--person=Ada: a VAE maps nobody"),
    ],
)
def test_flags_that_make_no_sense(finished, command, tmp_path, flags, said):
    flags = ("--format=keras", *flags)
    assert_refused(command("export", f"--run_dir={finished}", f"--out={tmp_path / 'out'}", *flags), said)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "model",
    [
        VAE(image_size=16, filters=(4, 4), latent_dim=3, finish=2, upsampling="subpixel"),
        ConvolutionalAutoencoder(image_size=16, filters=(4, 4), upsampling="subpixel", skip=True),
        ConvolutionalAutoencoder(image_size=16, filters=(4, 4)),
        VAE(image_size=32, filters=(4, 4), latent_dim=3, finish=2, decoder_width=8),
        DistilledAutoencoder(autoencoder=VAE(image_size=16, filters=(4, 4), latent_dim=3), width=6, depth=1),
    ],
    ids=["VAE", "CAE by sub-pixels", "CAE", "VAE on grids", "distilled"],
)
def test_a_network_of_keras_own_layers_gives_the_same(model, tmp_path):
    numbers = np.random.default_rng(0)
    for weight in model.decoder.weights:  # which begin as zeros, some of them
        weight.assign_add(numbers.normal(0, 0.1, weight.shape))
    images = numbers.uniform(size=(1, model.image_size, model.image_size, 3)).astype(np.float32)
    for graph in make_graphs(model).values():
        given = images if graph.takes == "picture" else np.asarray(model.encode(images))
        assert "facezoo" not in graph.network.to_json()
        np.testing.assert_allclose(graph.network(given, training=False), graph.call(given), atol=1e-5)


def test_what_is_told_something_is_no_network_of_one_input():
    model = ConditionalVAE(attributes=("smiling",), image_size=16, filters=(4, 4), latent_dim=3)
    assert [graph.network for graph in make_graphs(model).values()] == [None, None, None]
    smooth = VAE(image_size=16, filters=(4, 4), latent_dim=3, upsampling="bilinear")
    with pytest.raises(ValueError, match="a Smoothing is no layer of Keras'"):
        make_plain(smooth.decoder)


def test_what_is_told_something_is_narrow_in_no_format(tmp_path):
    model = ConditionalVAE(attributes=("smiling",), image_size=16, filters=(4, 4), latent_dim=3)
    graph = make_graphs(model)["decoder"]
    for name, instead in (("keras", "saved_model"), ("saved_model", "--precision=float32")):
        with pytest.raises(ExportError, match=f"one input: take {instead}$"):
            formats.FORMATS[name].write(graph, "float16", np.zeros((1, 3), np.float32), tmp_path / "net")


def test_a_card_says_how_far_faces_are_beside_the_middle(tmp_path):
    told = {"name": "mine", "model": "VAE", "facezoo": "1", "trained_on": "celeb_a", "attributes": [], "psnr": 20.0}
    told |= {"picture": {"shape": [], "layout": ""}, "code": {"shape": []}, "tested_on": 1}
    results = [Result("decoder", "onnx", "float32", 1, 0.0, 0.0, 1.0)]
    cards = []
    for shift in ((0.0, 0.0), (0.0, 0.125)):
        crop = {"cut": {"template": "celeba", "margin": 0.1, "shift": shift}, "crop": None}
        write_card(tmp_path, told | {"crop": crop}, results, {"decoder": "decoder.onnx"})
        cards.append((tmp_path / "README.md").read_text(encoding="utf-8"))
    assert "as `facezoo align --template=celeba --margin=0.1` cuts them." in cards[0]
    assert "cuts them, but for a middle 0 further right and 0.125 further down, in sides without margin." in cards[1]


def test_a_mapping_model_decodes_as_the_person_asked_for():
    model = FaceMapping(people=("Ada", "Bob"), image_size=32, filters=(4, 4), inter_dim=8)
    codes = np.random.default_rng(0).normal(size=(1, *model.shape_of_code())).astype(np.float32)
    as_ada = make_graphs(model, {"identity": np.array([0], np.int32)})["decoder"].call(codes)
    np.testing.assert_allclose(as_ada, model.decode(codes, "Ada"), atol=1e-6)

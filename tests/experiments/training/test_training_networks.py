"""`facezoo train` for every network, loss and data that needs more than a picture, and what bad input gets."""

import csv
import json
import shutil
from pathlib import Path

import facezoo
import numpy as np
import pytest
from command_line import CAE_FLAGS, assert_same, weights_of
from facezoo.experiments.flags import parsing
from facezoo.experiments.training import arguments
from facezoo.experiments.training.setup import Session
from facezoo.models import FaceFeatures, load_pretrained
from PIL import Image

pytestmark = pytest.mark.usefixtures("empty_folder")

SMALL = (
    "--image_size=32",
    "--batch_size=8",
    "--steps_per_epoch=2",
    "--validation_steps=1",
    "--epochs=1",
)
VAE_FLAGS = (*SMALL, "--model=vae", "--set=filters=4,", "--latent_dim=4")
FACE_FLAGS = (*SMALL, "--model=face_features", "--set=filters=4,4", "--set=convolutions=1,2")
FACE = ("--perceptual_network=face", "--perceptual_factor=10")


def last_row(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return {name: float(value) for name, value in list(csv.DictReader(file))[-1].items()}


def assert_refused(done, *parts):
    assert done.code == 2, done.err
    assert len(done.err.strip().splitlines()) <= 6
    for part in parts:
        assert part in done.err


@pytest.fixture(scope="module")
def ann_and_bob(tmp_path_factory):
    """Forty noisy pictures of each of two people, in a sub-folder each; no test changes them."""
    numbers, folder = np.random.default_rng(0), tmp_path_factory.mktemp("photographs") / "people"
    for name in ("ann", "bob"):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            pixels = numbers.integers(0, 255, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def people(ann_and_bob, tmp_path):
    """A copy of them."""
    return Path(shutil.copytree(ann_and_bob, tmp_path / "people"))


# The face network, and how it ships.


@pytest.fixture
def copy_of(trained, tmp_path):
    """A copy of the finished run of some flags."""

    def copy(*flags):
        return Path(shutil.copytree(trained(*flags), tmp_path / "copy"))

    return copy


def test_the_face_network_trains_and_is_measured_by_head(copy_of, command):
    folder = copy_of(*FACE_FLAGS)
    row = last_row(folder)
    heads = {"identity_rank_1", "attribute_accuracy", "landmark_error", "factor_correlation", "choice_accuracy"}
    assert heads <= {name.removeprefix("val_") for name in row}
    assert command("evaluate", f"--run_dir={folder}", "--count=16").code == 0
    assert heads <= set(json.loads((folder / "metrics.json").read_text()))
    assert_refused(command("morph", f"--run_dir={folder}", "--start=test:0", "--end=test:1"), "FaceFeatures")


def test_the_face_network_refuses_what_only_autoencoders_have(command, tmp_path):
    for flag in ("--perceptual_factor=1", "--adversarial_factor=1", "--kl_factor=1"):
        done = command("train", *FACE_FLAGS, flag, f"--run_dir={tmp_path / 'run'}")
        assert_refused(done, flag.split("=")[0], "face_features has no term")
    assert not (tmp_path / "run").exists()


def test_the_face_network_wants_true_factors(command, people, tmp_path):
    done = command("train", *FACE_FLAGS, "--dataset=folder", f"--data_dir={people}", f"--run_dir={tmp_path / 'run'}")
    assert_refused(done, "landmarks: choose --dataset=procedural_faces")


def test_a_run_is_published_and_read_again(trained, command, tmp_path):
    folder = trained(*FACE_FLAGS)
    asked = ("publish", f"--run_dir={folder}", "--name=tiny", f"--out={tmp_path / 'weights'}", "--of_recipe=none")
    assert command(*asked).code == 0
    network = load_pretrained("tiny", tmp_path / "weights")
    assert isinstance(network, FaceFeatures)
    card = json.loads((tmp_path / "weights" / "tiny.json").read_text())
    assert card["metrics"]["landmark_error"] > 0
    assert card["recipe"] == "none"
    assert "--model=face_features" in card["flags"]
    assert_refused(command(*asked), "exists")


def test_training_starts_from_weights_that_ship(train):
    """With a learning rate of nearly nothing the weights stay what they were: as good as the card says."""
    same = ("--model=vae", "--latent_dim=64", "--set=upsampling=nearest", "--set=decoder_filters=256,128,64,32")
    few = ("--batch_size=8", "--steps_per_epoch=1", "--validation_steps=4", "--epochs=1", "--learning_rate=1e-9")
    assert last_row(train("run", *same, *few, "--init_from=vae"))["val_psnr"] > 26.0


# Frozen networks.


@pytest.mark.traced
def test_perceptual_and_landmark_terms_train_and_are_reported_unweighted(train):
    terms = ("--landmark_factor=5", "--landmark_consistency_factor=0.5", "--expression_factor=3", "--latent_dim=11")
    row = last_row(train("run", *VAE_FLAGS, *FACE, *terms))
    expected = sum(
        factor * row[name]
        for name, factor in (
            ("reconstruction", 1000),
            ("kl", 1),
            ("perceptual", 10),
            ("landmark", 5),
            ("landmark_consistency", 0.5),
            ("expression", 3),
        )
    )
    np.testing.assert_allclose(row["loss"], expected, rtol=1e-4)


@pytest.mark.parametrize(
    "flags",
    [
        ("--adversarial_factor=0.1", "--discriminator_filters=4,8"),
        ("--model=conditional_vae", "--attributes=smiling"),
        ("--precision=mixed_float16",),
    ],
    ids=["gan", "conditional", "float16"],
)
def test_the_expression_is_learned_by_any_model_with_vectors(train, command, flags):
    folder = train("run", *VAE_FLAGS, "--latent_dim=11", "--expression_factor=3", *flags)
    row = last_row(folder)
    assert 0.0 < row["expression"] < 10.0
    assert command("evaluate", f"--run_dir={folder}", "--split=validation", "--count=8").code == 0
    metrics = json.loads((folder / "metrics.json").read_text())
    np.testing.assert_allclose(metrics["expression"], row["val_expression"], rtol=2e-2)


def test_the_expression_is_read_of_whole_pictures(train):
    flags = (*MAPPING, "--dataset=procedural_people", "--set=inter_dim=11", "--expression_factor=3", "--epochs=1")
    with_masks, without = (last_row(train(name, *flags, flag)) for name, flag in (("a", "--masks"), ("b", "--nomasks")))
    assert with_masks["reconstruction"] != without["reconstruction"]
    np.testing.assert_allclose(with_masks["expression"], without["expression"], rtol=0.2)


def test_a_run_with_a_frozen_network_is_measured_with_it(copy_of, command):
    folder = copy_of(*VAE_FLAGS, *FACE)
    done = command("evaluate", f"--run_dir={folder}", "--split=validation", "--count=8")
    assert done.code == 0, done.err
    metrics, row = json.loads((folder / "metrics.json").read_text()), last_row(folder)
    for name in ("loss", "perceptual", "kl", "psnr"):
        np.testing.assert_allclose(metrics[name], row[f"val_{name}"], rtol=1e-3)


def test_a_run_is_measured_and_loaded_without_a_network_that_is_gone(copy_of, command):
    folder = copy_of(*VAE_FLAGS, *FACE)
    text = (folder / "flags.txt").read_text().replace("perceptual_network=face", "perceptual_network=vgg19")
    (folder / "flags.txt").write_text(text + "--perceptual_weights=/nowhere.h5\n")
    done = command("evaluate", f"--run_dir={folder}", "--count=16")
    assert done.code == 0, done.err
    assert "perceptual is not measured" in done.err
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"psnr", "kl", "reconstruction"} <= set(metrics)
    assert not {"perceptual", "loss"} & set(metrics)  # the term is missing, so the sum is too
    assert facezoo.load(folder).decode(np.zeros((1, 4), np.float32)).shape == (1, 32, 32, 3)


def test_weights_that_are_not_there_are_named(command, tmp_path):
    done = command("train", *VAE_FLAGS, "--perceptual_factor=1", f"--perceptual_weights={tmp_path / 'none.h5'}")
    assert_refused(done, "--perceptual_weights", "none.h5")


def test_foreign_weights_are_refused(command, tmp_path):
    (tmp_path / "foreign.weights.h5").write_bytes(b"not weights at all")
    weights = f"--perceptual_weights={tmp_path / 'foreign.weights.h5'}"
    assert_refused(command("train", *VAE_FLAGS, "--perceptual_factor=1", weights), "foreign.weights.h5")


def test_unknown_layers_are_refused(command):
    done = command("train", *VAE_FLAGS, *FACE, "--perceptual_layers=stage_9")
    assert_refused(done, "--perceptual_layers=stage_9", "stage_1_conv_1")


def test_landmarks_must_be_known(command, people):
    where = ("--dataset=folder", f"--data_dir={people}")
    assert_refused(command("train", *VAE_FLAGS, *where, "--landmark_factor=1"), "--landmark_factor", "no landmarks")
    done = command("train", *VAE_FLAGS, "--landmark_factor=1", "--landmark_parts=ear")
    assert_refused(done, "--landmark_parts=ear", "no landmark")


# Adversarial training.


ADVERSARIAL = ("--adversarial_factor=1", "--discriminator_filters=4,4")
WITH_FEATURES = (*ADVERSARIAL, "--feature_matching_factor=1", "--clip_norm=1")


@pytest.mark.parametrize("model", [("--model=cae", "--set=filters=4,"), VAE_FLAGS[len(SMALL) :]])
def test_any_autoencoder_trains_adversarially(copy_of, command, model):
    folder = copy_of(*SMALL, *model, *WITH_FEATURES)
    row = last_row(folder)
    assert {"adversarial", "feature_matching", "discriminator", "discriminator_accuracy"} <= set(row)
    assert command("evaluate", f"--run_dir={folder}", "--count=16").code == 0
    assert command("morph", f"--run_dir={folder}", "--start=test:0", "--end=test:1", "--steps=3").code == 0


def test_adversarial_training_goes_on_from_a_plain_run_and_back(train, trained):
    plain = trained(*VAE_FLAGS, "--adversarial_factor=0", "--mask_factor=0")
    both = train("both", *VAE_FLAGS, *ADVERSARIAL, f"--init_from={plain}")
    assert (train("again", *VAE_FLAGS, f"--init_from={both}") / "model.keras").exists()


@pytest.mark.long
def test_three_thousand_adversarial_steps_do_not_collapse(train):
    """The discriminator neither wins nor gives up: in the last half it is right of 55 to 95 % of the pictures."""
    folder = train(
        "run",
        *("--model=vae", "--set=filters=8,16,32,64", "--set=upsampling=nearest", "--latent_dim=64"),
        *("--batch_size=32", "--steps_per_epoch=250", "--epochs=12", "--validation_steps=4", "--draw_every=6"),
        *("--precision=mixed_bfloat16", "--r_loss_factor=50000", "--learning_rate=1e-3"),
        *("--adversarial_factor=0.5", "--discriminator_filters=8,16,32", "--discriminator_learning_rate=2e-4"),
    )
    with (folder / "metrics.csv").open(newline="") as file:
        accuracies = [float(row["discriminator_accuracy"]) for row in csv.DictReader(file)]
    assert all(0.55 < accuracy < 0.95 for accuracy in accuracies[6:]), accuracies


def test_the_validation_loss_is_the_autoencoder_s_alone(trained):
    row = last_row(trained(*VAE_FLAGS, *WITH_FEATURES))
    expected = 1000 * row["val_reconstruction"] + row["val_kl"]
    np.testing.assert_allclose(row["val_loss"], expected, rtol=1e-4)


@pytest.mark.traced
def test_the_perceptual_loss_can_start_late(train):
    folder = train("run", *VAE_FLAGS, *FACE, "--epochs=2", "--perceptual_start=2")
    with (folder / "metrics.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert float(first["perceptual"]) == 0.0
    assert min(float(row[name]) for row, name in ((second, "perceptual"), (first, "val_perceptual"))) > 0.1
    expected = 1000 * float(first["reconstruction"]) + float(first["kl"])
    np.testing.assert_allclose(float(first["loss"]), expected, rtol=1e-5)


def test_feature_matching_alone_leaves_the_adversarial_term_out(train):
    row = last_row(train("run", *VAE_FLAGS, "--feature_matching_factor=1", "--discriminator_filters=4,8"))
    assert "feature_matching" in row
    assert "adversarial" not in row


def test_a_factor_of_0_is_never_refused(trained):
    assert "adversarial" not in last_row(trained(*VAE_FLAGS, "--adversarial_factor=0", "--mask_factor=0"))


def test_an_adversarial_term_alone_is_refused(command):
    done = command("train", *VAE_FLAGS, *ADVERSARIAL, "--r_loss_factor=0", "--kl_factor=0")
    assert_refused(done, "the only loss term is 'adversarial'")


def test_an_adversarial_run_is_published_as_its_autoencoder(trained, command, tmp_path):
    folder = trained(*VAE_FLAGS, *WITH_FEATURES)
    assert command("publish", f"--run_dir={folder}", "--name=tiny", f"--out={tmp_path}").code == 0
    assert type(load_pretrained("tiny", tmp_path)).__name__ == "VAE"
    assert not [line for line in json.loads((tmp_path / "tiny.json").read_text())["flags"] if "dir=" in line]


def test_rules_that_do_not_go_together_are_named(command):
    done = command("train", *VAE_FLAGS, *ADVERSARIAL, "--adversarial_loss=hinge", "--balance=skip")
    assert_refused(done, "hinge", "skip")
    assert_refused(command("train", *VAE_FLAGS, "--adversarial_factor=1", "--discriminator_filters=4,x"), "x")


# Conditions.


CONDITIONAL = (*SMALL, "--model=conditional_vae", "--set=filters=4,", "--latent_dim=4")


def test_a_conditional_model_keeps_the_attributes_asked_for(copy_of, command):
    folder = copy_of(*CONDITIONAL, "--attributes=eyeglasses,smiling")
    assert facezoo.load(folder).attributes == ("eyeglasses", "smiling")
    assert command("evaluate", f"--run_dir={folder}", "--count=16").code == 0


def test_attributes_must_be_known(command, people):
    done = command("train", *CONDITIONAL, "--attributes=smilling")
    assert_refused(done, "smilling", "did you mean 'smiling'")
    done = command("train", *CONDITIONAL, "--dataset=folder", f"--data_dir={people}", "--subfolders=identity")
    assert_refused(done, "attributes", "--labels")


def test_what_a_model_does_not_take_is_refused(command):
    assert_refused(command("train", *VAE_FLAGS, "--attributes=smiling"), "--attributes", "conditional_vae")
    assert_refused(command("train", *CONDITIONAL, "--set=attributes=smiling"), "--attributes")
    assert_refused(command("train", *VAE_FLAGS, "--warp=0.1"), "--warp", "warped pictures")
    assert_refused(command("train", *VAE_FLAGS, "--noaffine"), "--noaffine", "warped pictures")
    assert_refused(command("train", *VAE_FLAGS, "--init_from=nothing"), "nothing", "face_features")
    assert_refused(command("train", *VAE_FLAGS, "--balance=none"), "--balance", "--adversarial_factor")
    assert_refused(command("train", *VAE_FLAGS, "--perceptual_network=face"), "--perceptual_factor")


def test_a_conditional_run_is_measured_where_nothing_is_known(copy_of, command, ann_and_bob):
    folder = copy_of(*CONDITIONAL, "--attributes=eyeglasses,smiling")
    done = command(
        "evaluate", f"--run_dir={folder}", "--dataset=folder", f"--data_dir={ann_and_bob}", "--subfolders=identity"
    )
    assert done.code == 0, done.err


# Mapping.


MAPPING = (*SMALL, "--model=face_mapping", "--set=filters=4,4", "--set=inter_dim=8", "--set=decoder_filters=4,4")


def test_mapping_trains_on_drawn_people(train, command):
    folder = train("run", *MAPPING, "--dataset=procedural_people")
    assert facezoo.load(folder).people == ("person_0", "person_1")
    assert command("evaluate", f"--run_dir={folder}", "--count=16").code == 0


def of_people(folder):
    return "--dataset=folder", f"--data_dir={folder}", "--subfolders=identity"


def test_mapping_trains_on_a_folder_of_people_and_swaps(trained, command, ann_and_bob, tmp_path):
    folder, ann = trained(*MAPPING, *of_people(ann_and_bob)), ann_and_bob / "ann"
    done = command("swap", f"--run_dir={folder}", f"--in={ann}", "--to=bob", f"--out={tmp_path / 'out'}", "--paste")
    assert done.code == 0, done.err
    assert len(list((tmp_path / "out").rglob("*.png"))) == 40
    done = command("swap", f"--run_dir={folder}", f"--in={ann}", "--to=eve", f"--out={tmp_path / 'new'}")
    assert_refused(done, "eve", "ann, bob")


def test_people_are_matched_by_name(trained, command, people, ann_and_bob):
    folder, where = trained(*MAPPING, *of_people(ann_and_bob)), of_people(people)
    assert_refused(command("evaluate", f"--run_dir={folder}", "--dataset=procedural_people"), "person_0", "ann, bob")
    (people / "ann").rename(people / "zoe")
    done = command("evaluate", f"--run_dir={folder}", *where)
    assert_refused(done, "zoe", "ann, bob")
    assert_refused(
        command("train", *MAPPING, *where, "--set=people=('b','a')"), "--set=people", "follows from the data"
    )


def test_a_mask_head_wants_masks_and_leaves_nothing_behind(command, tmp_path):
    flags = (*MAPPING, "--dataset=procedural_people", "--set=mask_head=True", f"--run_dir={tmp_path / 'run'}")
    assert_refused(command("train", *flags, "--nomasks"), "masks", "--mask_factor=0")
    assert not (tmp_path / "run").exists()


def test_mapping_wants_two_people_with_names(command, people):
    where = ("--dataset=folder", f"--data_dir={people}", "--subfolders=attribute")
    assert_refused(command("train", *MAPPING, *where), "--subfolders=identity")
    for picture in (people / "bob").iterdir():
        picture.unlink()
    (people / "bob").rmdir()
    done = command("train", *MAPPING, "--dataset=folder", f"--data_dir={people}", "--subfolders=identity")
    assert_refused(done, "people", "two")


FEATURES = (
    *(*CAE_FLAGS, "--dataset=digits", "--batch_size=8", "--steps_per_epoch=2", "--epochs=2"),
    *("--perceptual_factor=1", "--perceptual_network=face", "--perceptual_layers=stage_3_conv_2"),
)


@pytest.mark.parametrize(
    ("flags", "are_kept"),
    [((), True), (("--perceptual_start=3",), True), (("--cache_gb=0",), False), (("--flip",), False)],
)
def test_features_of_pictures_that_never_change_are_kept_beside_them(flags, are_kept):
    values = parsing.parse_training([*FEATURES, *flags])
    session = Session(values, *arguments.open_sources(values))
    batch = next(iter(session.batches()))
    assert ("target_features_0" in batch) == are_kept


def test_kept_features_train_as_computed_ones(train):
    kept, computed = train("kept", *FEATURES), train("computed", *FEATURES, "--cache_gb=0")
    assert_same(weights_of(kept), weights_of(computed), tolerance=1e-6)

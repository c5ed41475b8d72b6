"""`facezoo analyse`: what it leaves, against the functions that it takes the numbers from."""

import json

import numpy as np
import pytest
from command_line import SOFTWARE, assert_refused, contents, drawn, read_png
from facezoo.datasets.procedural import FACTOR_NAMES, FACTORS, procedural_faces
from facezoo.experiments import cli
from facezoo.latents.projection import principal_components, t_sne
from facezoo.latents.traversal import measure_kl, most_first
from facezoo.metrics.disentanglement import dci, mig, sap
from facezoo.models import MODELS

COUNT = 80
PICTURES = {"traversals.png", "histograms.png", "projection.png"}
FILES = {"vectors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"}
CHOICES = [len(factor.choices) for factor in FACTORS.values()]


@pytest.fixture(scope="module")
def analysed(finished, tmp_path_factory):
    """The analysis of the finished run."""
    out = tmp_path_factory.mktemp("analysed") / "new" / "analysis"
    assert cli.run(["analyse", f"--run_dir={finished}", f"--count={COUNT}", "--groups=12", f"--out={out}"]) == 0
    return out


@pytest.fixture(scope="module")
def found(analysed):
    return json.loads((analysed / "analysis.json").read_text())


@pytest.fixture(scope="module")
def encoded(model):
    """Mean and log variance of the faces that it looks at."""
    return tuple(values.numpy() for values in model.encoder(drawn(range(COUNT))))


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def rows_of(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


# The folder.


def test_it_leaves_the_pictures_the_projector_and_the_numbers(analysed):
    assert names_in(analysed) == PICTURES | {"analysis.json", "projector"}
    assert names_in(analysed / "projector") == FILES
    assert names_in(analysed.parent) == {"analysis"}


def test_each_picture_says_what_it_is(analysed):
    for path in analysed.rglob("*.png"):
        picture, text = read_png(path)
        assert text["Software"] == SOFTWARE
        assert "procedural_faces/test, 80 faces, by finished" in text["Description"]
        assert picture.shape[-1] == 3
        assert picture.std() > 5


def test_the_sheet_of_traversals_has_a_row_for_each_dimension(analysed):
    # 96 pixels for each of seven steps and four dimensions, and the margins.
    assert read_png(analysed / "traversals.png")[0].shape == (4 * 96 + 95, 7 * 96 + 160, 3)


# The numbers.


def test_dimensions_are_measured_and_ordered_by_kl(found, encoded):
    mean, log_var = encoded
    kl = measure_kl(mean, log_var)
    order = most_first(kl)
    assert [row["dimension"] for row in found["dimensions"]] == order.tolist()
    np.testing.assert_allclose([row["kl"] for row in found["dimensions"]], kl[order], rtol=1e-4)
    np.testing.assert_allclose([row["variance"] for row in found["dimensions"]], mean.var(axis=0)[order], rtol=1e-4)
    assert [row["active"] for row in found["dimensions"]] == (mean.var(axis=0) > 0.01)[order].tolist()
    assert found["active_units"] == sum(row["active"] for row in found["dimensions"])
    assert found["kl"] == pytest.approx(kl.sum(), rel=1e-4)
    assert (found["split"], found["count"], found["code_shape"]) == ("test", COUNT, [4])


def test_disentanglement_is_measured_against_the_true_factors(found, encoded):
    factors = procedural_faces("test", image_size=32).load(np.arange(COUNT))["factors"]
    mean, measured = encoded[0], found["disentanglement"]
    assert measured["mig"] == pytest.approx(mig(mean, factors, CHOICES), abs=1e-3)
    assert measured["sap"] == pytest.approx(sap(mean, factors, CHOICES), abs=1e-3)
    for name, value in dci(mean, factors, CHOICES).items():
        assert measured[f"dci_{name}"] == pytest.approx(value, abs=1e-2)
    assert 0 <= measured["factor_vae_score"] <= 1
    assert measured["factor_vae_guess"] == pytest.approx(1 / len(FACTOR_NAMES))
    assert set(found["factors"]) == set(FACTOR_NAMES)
    assert np.mean([factor["gap"] for factor in found["factors"].values()]) == pytest.approx(measured["mig"])


def test_the_projection_takes_the_attribute_that_half_of_the_faces_have(found, encoded):
    source = procedural_faces("test", image_size=32)
    shares = source.load(np.arange(COUNT))["attributes"].mean(axis=0)
    assert found["projection"]["attribute"] == source.attribute_names[np.abs(shares - 0.5).argmin()]
    shares = principal_components(encoded[0]).shares
    np.testing.assert_allclose(found["projection"]["explained_variance"], shares, rtol=1e-3)


def test_groups_hold_one_factor_each_equally_often():
    from facezoo.experiments.codes.disentanglement import GROUP_SIZE, factor_groups

    factors = np.random.default_rng(0).uniform(size=(200, 5))
    groups = list(factor_groups(factors, [0, 3], 10))
    assert sorted(number for number, _ in groups) == [0] * 5 + [3] * 5
    for number, group in groups:
        assert group.shape == (GROUP_SIZE, 5)
        assert [column for column in range(5) if np.ptp(group[:, column]) == 0] == [number]
    assert np.ptp(factors, axis=0).min() > 0.9  # the table is as it was


@pytest.mark.parametrize(("latent_dim", "codes"), [(3, 130), (None, 64)], ids=["vector", "spatial"])
def test_no_more_pictures_and_spatial_codes_are_kept_than_shown(latent_dim, codes):
    from facezoo.experiments.codes.survey import survey

    model = MODELS["cae"](image_size=80, filters=(2, 2), latent_dim=latent_dim)
    source = procedural_faces("test", image_size=80)
    faces = survey(model, source, False, 130, 10)
    assert faces.images.shape == (10, 64, 64, 3)
    assert len(faces.codes) == len(faces.known["factors"]) == codes


# The projector.


def test_the_projector_s_files_fit_each_other(analysed, encoded):
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    folder = analysed / "projector"
    vectors, (head, *rows) = np.loadtxt(folder / "vectors.tsv"), rows_of(folder / "metadata.tsv")
    np.testing.assert_allclose(vectors, encoded[0], atol=1e-4)
    source = procedural_faces("test", image_size=32)
    assert head == ["name", *source.attribute_names]
    assert [row[0] for row in rows] == list(source.names[:COUNT])
    attributes = np.array([row[1:] for row in rows], int)
    np.testing.assert_array_equal(attributes, source.load(np.arange(COUNT))["attributes"])

    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    assert (embedding.tensor_path, embedding.metadata_path) == ("vectors.tsv", "metadata.tsv")
    assert list(embedding.tensor_shape) == [COUNT, 4]
    assert list(embedding.sprite.single_image_dim) == [32, 32]
    sheet = read_png(folder / embedding.sprite.image_path)[0]
    assert sheet.shape == (9 * 32, 9 * 32, 3)
    np.testing.assert_array_equal(sheet[32:64, :32], np.rint(drawn([9])[0] * 255))


def test_tensorboard_reads_them(analysed):
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
    from werkzeug.test import Client
    from werkzeug.wrappers import Response

    folder = str(analysed / "projector")
    context = TBContext(logdir=folder, multiplexer=EventMultiplexer(), assets_zip_provider=None)
    apps = ProjectorPlugin(context).get_plugin_apps()

    def fetch(path, **query):
        return Client(apps[path], Response).get(path, query_string=query)

    assert fetch("/runs").json == ["."]
    assert fetch("/info", run=".").json["embeddings"][0]["tensorShape"] == [COUNT, 4]
    tensor = np.frombuffer(fetch("/tensor", run=".", name="codes").data, np.float32).reshape(COUNT, 4)
    np.testing.assert_allclose(tensor, np.loadtxt(analysed / "projector" / "vectors.tsv"), rtol=1e-5)
    assert len(fetch("/metadata", run=".", name="codes").data.splitlines()) == COUNT + 1
    assert fetch("/sprite_image", run=".", name="codes").data.startswith(b"\x89PNG")


def test_names_that_would_break_the_table_do_not(tmp_path):
    from facezoo.pictures.projector import save_projector

    images = np.zeros((3, 80, 80, 1), np.uint8)
    save_projector(tmp_path / "new", np.eye(3), {"name": ["a\tb", "c\nd", "e"]}, images, "a sheet")
    assert (tmp_path / "new" / "metadata.tsv").read_text() == "a b\nc d\ne\n"  # and no head: there is one column
    assert read_png(tmp_path / "new" / "sprite.png")[0].shape == (160, 160)
    assert "single_image_dim: 64" not in (tmp_path / "new" / "projector_config.pbtxt").read_text()


# Flags and other models.


@pytest.fixture
def untrained(tmp_path):
    """A run whose model is as it was made."""

    def make(name, dataset="procedural_faces", **arguments):
        (tmp_path / name).mkdir()
        MODELS[name](image_size=32, filters=(4, 4), **arguments).save(tmp_path / name / "model.keras")
        flags = f"--model={name}\n--dataset={dataset}\n--image_size=32\n"
        (tmp_path / name / "flags.txt").write_text(flags)
        return tmp_path / name

    return make


def test_it_chooses_a_folder_and_prints_a_table(copied, command, found):
    flags = (f"--run_dir={copied}", "--count=20", "--nodisentanglement", "--attribute=smiling", "--split=validation")
    (copied / "analysis").mkdir()
    (copied / "analysis" / "mine.txt").write_text("mine")
    before = contents(copied)
    done = command("analyse", *flags)
    assert done.code == 0
    assert done.out.endswith(f"{copied / 'analysis-2'}\ntensorboard --logdir {copied / 'analysis-2' / 'projector'}\n")
    again = contents(copied)
    assert before == {path: again[path] for path in before}
    numbers = json.loads((copied / "analysis-2" / "analysis.json").read_text())
    assert "disentanglement" not in numbers
    assert (numbers["split"], numbers["projection"]["attribute"]) == ("validation", "smiling")
    lines = [line.split() for line in done.out.splitlines()]
    assert ["active_units", str(numbers["active_units"])] in lines
    assert ["dimension", "kl", "mean", "variance", "active"] in lines
    assert [line[0] for line in lines[-6:-2]] == [str(row["dimension"]) for row in numbers["dimensions"]]


def test_of_spatial_codes_what_applies_is_left_and_the_rest_said(untrained, command):
    run = untrained("cae")
    done = command("analyse", f"--run_dir={run}", "--count=20")
    assert done.code == 0, done.err
    assert names_in(run / "analysis") == {"projection.png", "analysis.json", "projector"}
    assert "no traversals, histograms, active units or disentanglement" in done.out
    assert "active_units" not in json.loads((run / "analysis" / "analysis.json").read_text())
    assert np.loadtxt(run / "analysis" / "projector" / "vectors.tsv").shape == (20, 20)


def test_a_vector_code_without_a_prior_is_ordered_by_variance(untrained, command):
    run = untrained("cae", latent_dim=2)
    done = command("analyse", f"--run_dir={run}", "--count=20", "--dataset=digits")
    assert done.code == 0, done.err
    assert "not variational" in done.out
    assert "true factors of digits/test are not known" in done.out
    numbers = json.loads((run / "analysis" / "analysis.json").read_text())
    variances = [row["variance"] for row in numbers["dimensions"]]
    assert variances == sorted(variances, reverse=True)
    assert "kl" not in numbers["dimensions"][0]
    assert "explained_variance" not in numbers["projection"]  # two dimensions are a plane already


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("conditional_vae", {"attributes": ("smiling", "beard"), "latent_dim": 3}, [3]),
        ("face_mapping", {"people": ("person_0", "person_1"), "inter_dim": 5, "dataset": "procedural_people"}, [5]),
    ],
    ids=["conditional_vae", "face_mapping"],
)
def test_models_that_are_told_something_besides_pictures(untrained, command, name, arguments, shape):
    run = untrained(name, **arguments)
    done = command("analyse", f"--run_dir={run}", "--count=30", "--groups=10")
    assert done.code == 0, done.err
    numbers = json.loads((run / "analysis" / "analysis.json").read_text())
    assert numbers["code_shape"] == shape
    assert set(numbers["disentanglement"]) >= {"mig", "sap", "factor_vae_score"}
    assert (run / "analysis" / "traversals.png").is_file()


def test_what_cannot_be_analysed_leaves_nothing(finished, command):
    start = ("analyse", f"--run_dir={finished}", "--out=new")
    assert_refused(command(*start, "--attribute=smilling"), "'smilling'", "did you mean 'smiling'")
    assert_refused(command(*start, "--count=5"), "--count", "at least 10")


# Projections.


def test_principal_components_of_a_line():
    codes = np.outer(np.arange(20.0), [3, 4, 0]) + 7
    found = principal_components(codes.reshape(20, 3, 1))
    np.testing.assert_allclose(np.abs(np.diff(found.points[:, 0])), 5, rtol=1e-5)
    np.testing.assert_allclose(found.shares, [1, 0], atol=1e-6)


def test_t_sne_keeps_clusters_apart():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(2, 20, 60)) + np.array([0.0, 8.0])[:, None, None]
    points = t_sne(codes.reshape(40, 60)).reshape(2, 20, 2)
    centres, spread = points.mean(axis=1), points.std(axis=1).max()
    assert np.linalg.norm(centres[0] - centres[1]) > 3 * spread


@pytest.mark.parametrize("codes", [np.ones((9, 3)), np.full((9, 3), np.nan)], ids=["constant", "not-finite"])
def test_codes_that_do_not_vary_have_no_components(codes):
    with pytest.raises(ValueError, match="not finite numbers, or all the same"):
        principal_components(codes)

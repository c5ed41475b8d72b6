"""Attribute vectors: by hand, on codes whose true directions are known, and as a file."""

import zipfile

import numpy as np
import pytest
from facezoo.latents import attributes
from facezoo.latents.archives import save_arrays
from facezoo.latents.attributes import METHODS, find_attributes, load_attributes, move, orthogonalise, save_attributes

NAMES = ("glasses", "beard", "old")
over_methods = pytest.mark.parametrize("method", METHODS)


def correlated(count=4000, dimensions=16, noise=0.2):
    """Codes that are linear in correlated attributes, these attributes, and the true directions [3, D]."""
    rng = np.random.default_rng(0)
    covariance = 0.3 * np.eye(3) + 0.7
    values = (rng.multivariate_normal(np.zeros(3), covariance, count) > [0.8, 0.3, 0.0]).astype(np.float32)
    directions = rng.normal(size=(3, dimensions))
    directions[1] += 0.5 * directions[0]  # true directions need not be orthogonal
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    codes = values @ directions + noise * rng.normal(size=(count, dimensions))
    return codes.astype(np.float32), values, directions


@pytest.fixture(scope="module")
def known():
    codes, values, directions = correlated()
    return find_attributes(codes, values, NAMES, "a1b2"), directions


def side_effects(vector, directions, name="glasses"):
    """How much a vector changes the other attributes by how much it changes its own."""
    changes = np.abs(vector @ np.linalg.pinv(directions))
    own = NAMES.index(name)
    return np.delete(changes, own).max() / changes[own]


def flat(vector):
    return vector.ravel().astype(np.float64)


# Finding them.


def test_a_difference_of_means_by_hand():
    codes = np.float32([[0, 1], [2, 1], [5, 3], [7, 5]]).repeat(10, axis=0)
    found = find_attributes(codes, np.float32([[0], [0], [1], [1]]).repeat(10, axis=0), ["smiling"], "", ["mean"])
    np.testing.assert_allclose(found.vector("smiling"), [5, 3])
    assert found.counts.tolist() == [[20, 20]]
    assert found.vector("smiling").dtype == np.float32


def test_a_classifier_s_normal_is_that_of_two_gaussians():
    # Logistic regression finds the linear discriminant: the inverse covariance times the difference of means.
    rng = np.random.default_rng(1)
    covariance, difference = np.array([[1.0, 0.8], [0.8, 1.0]]), np.array([1.0, 0.0])
    values = np.arange(20_000) % 2
    codes = rng.multivariate_normal([0, 0], covariance, 20_000) + values[:, None] * difference
    vector = flat(find_attributes(codes, values[:, None], ["a"], "").vector("a", "classifier"))
    expected = np.linalg.solve(covariance, difference)
    expected *= expected @ difference / (expected @ expected)
    np.testing.assert_allclose(vector, expected, atol=0.05)


def test_units_of_a_dimension_do_not_change_what_a_classifier_reads():
    codes, values, _ = correlated(1000)
    units = np.float32(10.0) ** np.arange(-8, 8)
    one, other = (find_attributes(scaled, values, NAMES, "") for scaled in (codes, codes * units))
    normals = [flat(found.vector("beard", "classifier")) for found in (one, other)]
    read = [codes @ normals[0], (codes * units) @ normals[1]]
    assert np.corrcoef(*read)[0, 1] > 0.999


def test_strength_1_leads_from_the_mean_without_to_the_mean_with(known):
    codes, values, _ = correlated()
    found, _ = known
    with_it, without = (codes[values[:, 0] == value].mean(axis=0) for value in (1, 0))
    np.testing.assert_allclose(move(without[None], found.vector("glasses"), [1.0])[0, 0], with_it, atol=1e-5)
    normal = flat(found.vector("glasses", "classifier"))
    assert normal @ normal == pytest.approx(normal @ (with_it - without), rel=1e-4)
    assert np.linalg.norm(normal) < np.linalg.norm(with_it - without)


@over_methods
def test_spatial_codes_give_spatial_vectors(method, known):
    codes, values, _ = correlated()
    spatial = find_attributes(codes.reshape(-1, 2, 2, 4), values, NAMES, "")
    assert spatial.vectors[method].shape == (3, 2, 2, 4)
    np.testing.assert_array_equal(flat(spatial.vector("old", method)), flat(known[0].vector("old", method)))
    without = orthogonalise(spatial, "old", ["beard"], method)
    assert without.shape == (2, 2, 4)
    np.testing.assert_allclose(without.ravel(), orthogonalise(known[0], "old", ["beard"], method), rtol=1e-5)


def test_codes_move_by_every_strength():
    codes, vector = np.float32([[0, 0, 0], [1, 1, 1]]), np.float32([1, 0, 2])
    way = move(codes, vector, [-1, 0.5])
    assert way.shape == (2, 2, 3)
    np.testing.assert_allclose(way[1], [[0, 1, -1], [1.5, 1, 2]])
    with pytest.raises(ValueError, match=r"shape \(2,\) does not fit codes of shape \(3,\)"):
        move(codes, vector[:2], [1])


def test_attributes_of_too_few_are_left_out_and_say_so():
    codes, values, _ = correlated(200)
    values[:, 1] = np.arange(200) < 9
    values[:, 2] = np.arange(200) < 191
    found = find_attributes(codes, values, NAMES, "")
    assert found.names == ("glasses",)
    assert found.left_out == {"beard": (9, 191), "old": (191, 9)}
    assert found.vectors["mean"].shape == (1, 16)
    with pytest.raises(ValueError, match="'beard' has no vector: 9 examples with it and 191 without are too few"):
        found.vector("beard")
    with pytest.raises(ValueError, match="no attribute has 10 examples with it and 10 without it"):
        find_attributes(codes, values[:, 1:], NAMES[1:], "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": NAMES[:2]}, r"200 codes and 2 names do not fit attributes of shape \(200, 3\)"),
        ({"names": [*NAMES[:2], "mouth/open"]}, "'mouth/open' is no name of an attribute"),
        ({"attributes": np.full((200, 3), -1.0)}, "attributes must be 0 or 1"),
        ({"codes": np.full((200, 4), np.nan)}, "not finite numbers, or all the same"),
        ({"codes": np.ones((200, 4))}, "not finite numbers, or all the same"),
        ({"methods": ["median"]}, "must be some of mean, classifier"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    codes, values, _ = correlated(200)
    with pytest.raises(ValueError, match=message):
        find_attributes(**({"codes": codes, "attributes": values, "names": NAMES, "model_hash": ""} | change))


# Without what comes along.


def test_held_fixed_others_stay_as_they_are(known):
    found, directions = known
    assert side_effects(found.vector("glasses"), directions) > 0.3
    alone = orthogonalise(found, "glasses", ["beard", "old"])
    assert side_effects(alone, directions) < 0.05
    np.testing.assert_allclose(alone, directions[0], atol=0.05)  # strength 1 is the whole difference


def test_making_mean_vectors_orthogonal_to_each_other_would_overcorrect(known):
    found, directions = known
    vector, others = flat(found.vector("glasses")), found.vectors["mean"][1:]
    projected = vector - others.T @ np.linalg.lstsq(others.T, vector, rcond=None)[0]
    assert side_effects(projected, directions) > 0.3
    assert (projected @ np.linalg.pinv(directions))[1:].min() < 0


def test_only_those_named_are_held_fixed(known):
    found, directions = known
    changes = orthogonalise(found, "glasses", ["beard"]) @ np.linalg.pinv(directions)
    assert abs(changes[1]) < 0.05
    assert changes[2] > 0.2


def test_classifiers_read_the_others_as_before(known):
    found, _ = known
    vector = flat(orthogonalise(found, "glasses", ["beard", "old"], "classifier"))
    normals = found.vectors["classifier"].astype(np.float64)
    np.testing.assert_allclose(normals[1:] @ vector, [0, 0], atol=1e-6)
    assert normals[0] @ vector == pytest.approx(normals[0] @ normals[0], rel=1e-5)


@over_methods
def test_without_others_it_is_the_vector_itself(known, method):
    np.testing.assert_array_equal(orthogonalise(known[0], "old", [], method), known[0].vector("old", method))


def test_others_may_follow_from_each_other():
    # Black, brown and bald exclude each other and leave nothing: one of them follows from the other two.
    rng = np.random.default_rng(0)
    colour, beard = rng.integers(0, 3, 3000), rng.integers(0, 2, 3000)
    values = np.concatenate([np.eye(3)[colour], beard[:, None]], axis=1)
    codes = values @ np.diag([1.0, 2.0, 3.0, 4.0]) + 0.1 * rng.normal(size=(3000, 4))
    found = find_attributes(codes, values, ["black", "brown", "bald", "beard"], "", ["mean"])
    np.testing.assert_allclose(orthogonalise(found, "beard", ["black", "brown", "bald"]), [0, 0, 0, 4], atol=0.05)
    with pytest.raises(ValueError, match="nothing is left of 'black' without brown, bald: they go together"):
        orthogonalise(found, "black", ["brown", "bald"])


@over_methods
def test_a_vector_in_the_span_of_the_others_is_refused(method):
    codes, values, _ = correlated(1000)
    codes = codes[:, :2]  # two dimensions have no room for three directions
    found = find_attributes(codes, values, NAMES, "")
    with pytest.raises(ValueError, match="nothing is left of 'old' without glasses, beard") as error:
        orthogonalise(found, "old", ["glasses", "beard"], method)
    assert "\n" not in str(error.value)


def test_unknown_names_and_the_attribute_itself_are_refused(known):
    found, _ = known
    for arguments, message in (
        (("glasses", ["glasses"]), "'glasses' cannot be changed and kept at once"),
        (("glasses", ["hat"]), "no attribute 'hat'; there are glasses, beard, old"),
        (("hat", ["beard"]), "no attribute 'hat'"),
        (("glasses", ["beard"], "median"), "no vectors by method='median'; there are those by mean, classifier"),
    ):
        with pytest.raises(ValueError, match=message):
            orthogonalise(found, *arguments)


# The file.


def test_what_is_saved_is_loaded(known, tmp_path):
    found, _ = known
    save_attributes(tmp_path / "attributes.npz", found)
    again = load_attributes(tmp_path / "attributes.npz", "a1b2")
    assert (again.names, again.left_out, again.model_hash) == (found.names, {}, "a1b2")
    for method in METHODS:
        np.testing.assert_array_equal(again.vectors[method], found.vectors[method])
    np.testing.assert_array_equal(again.counts, found.counts)
    np.testing.assert_array_equal(
        orthogonalise(again, "old", ["beard"]),
        orthogonalise(found, "old", ["beard"]),
    )
    assert [path.name for path in tmp_path.iterdir()] == ["attributes.npz"]


def test_those_left_out_and_one_method_alone_are_saved_too(tmp_path):
    codes, values, _ = correlated(200)
    values[:, 1] = 0
    save_attributes(tmp_path / "a.npz", find_attributes(codes, values, NAMES, "", ["mean"]))
    again = load_attributes(tmp_path / "a.npz")
    assert again.left_out == {"beard": (0, 200)}
    assert list(again.vectors) == ["mean"]


def test_another_model_s_vectors_are_refused(known, tmp_path):
    save_attributes(tmp_path / "a.npz", known[0])
    with pytest.raises(ValueError, match=r"a\.npz belongs to another model: its hash begins with a1b2, not c3d4"):
        load_attributes(tmp_path / "a.npz", "c3d4")


class Attack:
    def __reduce__(self):
        return print, ("executed",)


GOOD = {
    "names": np.array(["a", "b"]),
    "vectors/mean": np.ones((2, 4), np.float32),
    "covariance": np.eye(2),
    "counts": np.full((2, 2), 10),
    "left_out_names": np.array([], np.str_),
    "left_out_counts": np.zeros((0, 2), int),
}


@pytest.mark.parametrize(
    "change",
    [
        {"names": None},
        {"vectors/mean": None},
        {"counts": None},
        {"names": np.array(["a", "a"])},
        {"names": np.array("a")},
        {"names": np.array(["a"])},
        {"vectors/mean": np.ones((3, 4))},
        {"vectors/mean": np.full((2, 4), np.nan)},
        {"vectors/mean": np.full((2, 4), "x")},
        {"vectors/classifier": np.ones((2, 5))},
        {"covariance": np.eye(3)[:2]},
        {"counts": np.full((2, 3), 10)},
        {"left_out_names": np.array(["c"])},
        {"names": np.array([Attack()], object)},
    ],
    ids=lambda change: "-".join(f"{name} {'gone' if value is None else value.shape}" for name, value in change.items()),
)
def test_a_file_that_does_not_fit_itself_is_refused(tmp_path, capsys, change):
    path = tmp_path / "a.npz"
    save_arrays(path, attributes.KIND, "", GOOD)
    assert load_attributes(path).names == ("a", "b")
    arrays = {name: value for name, value in (GOOD | change).items() if value is not None}
    save_arrays(path, attributes.KIND, "", arrays)
    with pytest.raises(ValueError, match=r"a\.npz is damaged: ") as error:
        load_attributes(path)
    assert "\n" not in str(error.value)
    assert "executed" not in capsys.readouterr().out


def test_damaged_and_foreign_files_are_refused(known, tmp_path):
    path = tmp_path / "a.npz"
    save_attributes(path, known[0])
    whole = path.read_bytes()
    packed = tmp_path / "packed.npz"
    with packed.open("wb") as file:
        np.savez_compressed(file, zeros=np.zeros(10**6))
    broken = whole[:600] + bytes(byte ^ 255 for byte in whole[600:700]) + whole[700:]
    for data, message in (
        (b"", "is damaged"),
        (b"not an archive", "is damaged"),
        (whole[: len(whole) // 2], "is damaged"),
        (broken, "is damaged"),
        (packed.read_bytes(), "is damaged: it unpacks to more than itself"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message) as error:
            load_attributes(path)
        assert "\n" not in str(error.value)
    save_arrays(path, "a sampler", "", GOOD)
    with pytest.raises(ValueError, match=r"a\.npz does not hold attribute vectors of facezoo's"):
        load_attributes(path)
    with pytest.raises(ValueError, match=r"cannot read .*none\.npz: No such file"):
        load_attributes(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("member", "harm", "message"),
    [
        ("vectors/mean.npy", lambda data: b"\0" + data[1:], "vectors/mean is no array"),
        ("names.npy", lambda data: data[:-4] + b"\xff\xff\xff\x7f", "names holds what is no text"),
    ],
)
def test_a_part_that_is_no_array_and_a_name_that_is_no_text_are_refused(known, tmp_path, member, harm, message):
    save_attributes(tmp_path / "whole.npz", known[0])
    with zipfile.ZipFile(tmp_path / "whole.npz") as archive, zipfile.ZipFile(tmp_path / "a.npz", "w") as damaged:
        for name in archive.namelist():
            damaged.writestr(name, harm(archive.read(name)) if name == member else archive.read(name))
    with pytest.raises(ValueError, match=f"a[.]npz is damaged: {message}"):
        load_attributes(tmp_path / "a.npz")


def test_another_format_is_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("facezoo.latents.archives.FORMAT", 2)
        save_arrays(tmp_path / "a.npz", attributes.KIND, "", GOOD)
    with pytest.raises(ValueError, match="has the format 2, this facezoo reads 1"):
        load_attributes(tmp_path / "a.npz")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space left"):
        save_arrays(tmp_path / "a.npz", attributes.KIND, "", GOOD)
    assert not list(tmp_path.iterdir())

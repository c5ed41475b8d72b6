"""Samplers: the distributions that they are, drawn from a seed, and as a file."""

import numpy as np
import pytest
from facezoo.latents import sampling
from facezoo.latents.archives import save_arrays
from facezoo.latents.sampling import fit_gaussian, fit_mixture, load_sampler, save_sampler, standard_normal


def fitted(codes):
    """One sampler of each kind."""
    return [standard_normal(codes.shape[1:], "a1b2"), fit_gaussian(codes, "a1b2"), fit_mixture(codes, "a1b2", 3)]


@pytest.fixture
def codes():
    """Correlated codes [600, 2, 2] around (5, -5, 0, 1)."""
    rng = np.random.default_rng(0)
    spread = np.array([[1, 0.9, 0, 0], [0, 0.5, 0, 0], [0, 0, 3, 1], [0, 0, 0, 0.1]])
    return (rng.normal(size=(600, 4)) @ spread + [5, -5, 0, 1]).astype(np.float32).reshape(600, 2, 2)


def two_clusters(count=400):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(count, 2)) * 0.1 + np.array([[-5, 0], [5, 0]])[np.arange(count) % 2]).astype(np.float32)


def test_draws_are_a_function_of_the_seed_and_fewer_are_the_first_of_more(codes):
    for sampler in fitted(codes):
        drawn = sampler.draw(3, 20)
        assert (drawn.shape, drawn.dtype) == ((20, 2, 2), np.float32)
        np.testing.assert_array_equal(drawn, sampler.draw(3, 20))
        np.testing.assert_allclose(drawn[:7], sampler.draw(3, 7), rtol=1e-5, atol=1e-6)
        assert np.abs(drawn - sampler.draw(4, 20)).min() > 0
        assert sampler.draw(3, 0).shape == (0, 2, 2)


def test_a_fit_is_the_same_twice(codes):
    for one, other in zip(fitted(codes), fitted(codes), strict=True):
        np.testing.assert_array_equal(one.draw(0, 5), other.draw(0, 5))


def test_the_standard_normal_is_it():
    drawn = standard_normal((3,), "").draw(0, 20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(3), atol=0.04)


@pytest.mark.parametrize("fit", [fit_gaussian, fit_mixture])
def test_mean_and_covariance_are_those_of_the_codes(codes, fit):
    flat, drawn = codes.reshape(-1, 4), fit(codes, "").draw(0, 20_000).reshape(-1, 4)
    np.testing.assert_allclose(drawn.mean(axis=0), flat.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(flat.T), atol=0.25)


def test_one_gaussian_s_covariance_is_full_and_exact(codes):
    arrays = fit_gaussian(codes, "").arrays
    factor = arrays["factors"][0] @ arrays["basis"]
    np.testing.assert_allclose(factor.T @ factor, np.cov(codes.reshape(-1, 4).T), atol=1e-5)


def test_a_mixture_draws_where_codes_are_and_one_gaussian_between():
    codes = two_clusters()
    of_mixture, of_gaussian = (
        sampler.draw(0, 1000) for sampler in (fit_mixture(codes, "", 2), fit_gaussian(codes, ""))
    )
    assert np.abs(np.abs(of_mixture[:, 0]) - 5).max() < 0.6
    assert (of_mixture[:, 0] > 0).mean() == pytest.approx(0.5, abs=0.05)
    assert (np.abs(of_gaussian[:, 0]) < 4).mean() > 0.4


def test_truncation_pulls_to_the_mean(codes):
    for sampler in fitted(codes)[:2]:
        mean = sampler.arrays.get("center", np.zeros(4)).reshape(2, 2)
        whole, half = sampler.draw(1, 50), sampler.draw(1, 50, truncation=0.5)
        np.testing.assert_allclose(half, mean + 0.5 * (whole - mean), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(sampler.draw(1, 2, truncation=0.0), [mean, mean], rtol=1e-6)


def test_truncation_pulls_to_each_component_s_mean_not_between():
    sampler = fit_mixture(two_clusters(), "", 2)
    ends = sampler.draw(0, 100, truncation=0.0)
    assert len(np.unique(ends.round(3), axis=0)) == 2
    np.testing.assert_allclose(np.abs(ends[:, 0]), 5, atol=0.05)


def test_fewer_codes_than_dimensions_span_what_is_drawn():
    codes = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    for sampler in (fit_gaussian(codes, ""), fit_mixture(codes, "", 2)):
        drawn = sampler.draw(0, 30)
        assert np.isfinite(drawn).all()
        offsets = np.linalg.svd(np.concatenate([codes, drawn]) - codes.mean(axis=0), compute_uv=False)
        assert (offsets[3:] < 1e-4).all()


def test_codes_of_many_dimensions_vary_along_the_first_principal_components(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_DIMENSIONS", 2)
    rng = np.random.default_rng(0)
    spread = np.array([5.0, 3.0, 0.2, 0.1])
    codes = rng.normal(size=(500, 4)) * spread + 7
    drawn = fit_gaussian(codes, "").draw(0, 2000)
    np.testing.assert_allclose(drawn.std(axis=0), [5, 3, 0, 0], atol=0.3)
    np.testing.assert_allclose(drawn.mean(axis=0), 7, atol=0.4)


def test_a_spatial_code_of_real_size_can_be_sampled():
    codes = np.random.default_rng(0).normal(size=(20, 16, 16, 64)).astype(np.float32)
    assert fit_gaussian(codes, "").draw(0, 3).shape == (3, 16, 16, 64)


def test_dimensions_that_carry_nothing_are_no_trouble():
    codes = np.concatenate([two_clusters(), np.full((400, 2), 3.0, np.float32)], axis=1)
    for sampler in (fit_gaussian(codes, ""), fit_mixture(codes, "", 4)):
        drawn = sampler.draw(0, 50)
        np.testing.assert_allclose(drawn[:, 2:], 3, atol=0.7)
        assert np.isfinite(drawn).all()


def test_what_cannot_be_fitted_or_drawn_is_refused(codes):
    for bad in (codes[:1], codes * np.nan, np.ones((5, 3))):
        with pytest.raises(ValueError, match="at least two codes of finite numbers that are not all the same"):
            fit_gaussian(bad, "")
    with pytest.raises(ValueError, match="components=10 of a mixture must be at least 1 and at most half of 19 codes"):
        fit_mixture(codes[:19], "")
    for truncation in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="must be within 0 to 1"):
            standard_normal((2,), "").draw(0, 1, truncation)


def test_what_is_saved_is_loaded(codes, tmp_path):
    for sampler in fitted(codes):
        save_sampler(tmp_path / "sampler.npz", sampler)
        again = load_sampler(tmp_path / "sampler.npz", "a1b2")
        assert (again.kind, again.code_shape, again.model_hash) == (sampler.kind, (2, 2), "a1b2")
        np.testing.assert_array_equal(again.draw(5, 4), sampler.draw(5, 4))
    with pytest.raises(ValueError, match="belongs to another model"):
        load_sampler(tmp_path / "sampler.npz", "c3d4")


@pytest.mark.parametrize(
    "change",
    [
        {"name": np.array("cauchy")},
        {"code_shape": np.array([2, 3])},
        {"code_shape": np.array([-2, -2])},
        {"code_shape": np.array(4)},
        {"means": np.zeros((3, 5))},
        {"means": np.zeros(4)},
        {"center": np.full(4, np.inf)},
        {"basis": None},
    ],
    ids=lambda change: "-".join(f"{name} {'gone' if value is None else value}" for name, value in change.items()),
)
def test_a_file_that_does_not_fit_itself_is_refused(codes, tmp_path, change):
    path, sampler = tmp_path / "sampler.npz", fit_gaussian(codes, "")
    arrays = {"name": np.array("gaussian"), "code_shape": np.array([2, 2]), **sampler.arrays, **change}
    save_arrays(path, sampling.KIND, "", {name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(ValueError, match=r"sampler\.npz is damaged: ") as error:
        load_sampler(path)
    assert "\n" not in str(error.value)

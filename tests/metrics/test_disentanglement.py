"""Measures of disentanglement on codes whose score is known."""

import time

import numpy as np
import pytest
from facezoo.datasets.procedural import FACTORS, sample_factors
from facezoo.metrics.disentanglement import (
    concentration,
    dci,
    factor_vae_score,
    gaps,
    group_table,
    mig,
    mutual_information,
    predictability,
    sap,
)
from sklearn.metrics import mutual_info_score

CHOICES = (4, 5)
CONTINUOUS = (0, 0)


@pytest.fixture(scope="module")
def grid():
    """Every combination of two discrete factors, a hundred times: [2000, 2]."""
    return np.stack(np.meshgrid(np.arange(4.0), np.arange(5.0)), axis=-1).reshape(-1, 2).repeat(100, axis=0)


@pytest.fixture(scope="module")
def uniform():
    """Two independent continuous factors: [4000, 2]."""
    return np.random.default_rng(0).uniform(-1, 1, (4000, 2))


def rotated(codes):
    """By 45 degrees: each dimension holds both factors, each factor is in both."""
    return codes @ np.array([[1, 1], [-1, 1]]) / 2**0.5


def constant(codes, count=1):
    return np.concatenate([codes, np.zeros((len(codes), count))], axis=1)


# MIG.


def test_mig_of_a_perfect_code_is_1(grid):
    assert mig(grid, grid, CHOICES) == pytest.approx(1)
    assert mig(-3 * grid[:, ::-1] + 1, grid, CHOICES) == pytest.approx(1)  # order, sign and units do not matter


def test_mig_of_a_constant_code_is_0(grid):
    assert mig(np.ones((2000, 3)), grid, CHOICES) == 0


def test_mig_of_a_factor_that_is_in_two_dimensions_is_0(grid):
    np.testing.assert_allclose(gaps(mutual_information(grid[:, [0, 0, 1]], grid, CHOICES)), [0, 1], atol=1e-12)


def test_mig_by_hand(grid):
    # One of the two bits of a factor of four values; nothing of the other factor.
    half = constant(grid[:, :1] // 2)
    np.testing.assert_allclose(mutual_information(half, grid, CHOICES), [[0.5, 0], [0, 0]], atol=1e-12)
    assert mig(half, grid, CHOICES) == pytest.approx(0.25)
    assert mig(half[:, :1], grid, CHOICES) == pytest.approx(0.25)  # there is no second dimension


def test_mig_falls_when_the_code_is_rotated(uniform):
    assert mig(uniform, uniform, CONTINUOUS) > 0.95
    assert mig(rotated(uniform), uniform, CONTINUOUS) < 0.02


def test_mutual_information_is_scikit_learn_s():
    factors = sample_factors(np.arange(0, 30_000, 30))
    choices = [len(factor.choices) for factor in FACTORS.values()]
    rng = np.random.default_rng(0)
    codes = factors[:, :7] @ rng.normal(size=(7, 3)) + rng.normal(size=(1000, 3))
    found = mutual_information(codes, factors, choices)
    assert found.shape == (3, 43)

    def binned(values):
        return np.digitize(values, np.histogram(values, 20)[1][:-1])

    for column in (0, 16, 18, 42):  # 16 is the hair style, 18 the gray of hair, mostly 0
        factor = factors[:, column] if choices[column] else binned(factors[:, column])
        expected = [mutual_info_score(factor, binned(code)) / mutual_info_score(factor, factor) for code in codes.T]
        np.testing.assert_allclose(found[:, column], expected, atol=1e-6)


# SAP.


def test_sap_of_discrete_factors_by_hand(grid):
    # What a constant gives is a guess: one of four, one of five.
    scores = predictability(constant(grid), grid, CHOICES)
    np.testing.assert_allclose(scores, [[1, 1 / 5], [1 / 4, 1], [1 / 4, 1 / 5]], atol=0.06)
    assert sap(constant(grid), grid, CHOICES) == pytest.approx((3 / 4 + 4 / 5) / 2, abs=0.04)
    assert sap(grid[:, [0, 0, 1, 1]], grid, CHOICES) == pytest.approx(0)


def test_sap_takes_rare_values_as_seriously_as_frequent_ones():
    factor = (np.arange(2000) % 20 == 0).astype(float)[:, None]  # one in twenty
    never_seen = np.random.default_rng(0).normal(size=(2000, 1))
    assert predictability(never_seen, factor, [2])[0, 0] < 0.65
    assert predictability(factor + 0.01 * never_seen, factor, [2])[0, 0] == 1


def test_sap_of_continuous_factors_is_a_squared_correlation(uniform):
    noisy = uniform + np.random.default_rng(1).normal(size=uniform.shape) * [0.3, 1.0]
    scores = predictability(noisy, uniform, CONTINUOUS)
    expected = [[np.corrcoef(code, factor)[0, 1] ** 2 for factor in uniform.T] for code in noisy.T]
    np.testing.assert_allclose(scores, expected, atol=1e-9)
    assert sap(uniform, uniform, CONTINUOUS) == pytest.approx(1, abs=0.01)
    assert sap(rotated(uniform), uniform, CONTINUOUS) < 0.05
    assert sap(np.ones_like(uniform), uniform, CONTINUOUS) == 0


# DCI.


def test_concentration_by_hand():
    assert concentration(np.eye(3)) == pytest.approx(1)
    assert concentration(np.ones((3, 3))) == pytest.approx(0)
    assert concentration(np.zeros((3, 3))) == 0
    # Half of the entropy of four, with three quarters of the weight, and none in the rest; the empty row has no weight.
    rows = np.array([[3, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]])
    assert concentration(rows) == pytest.approx(0.75 * 0.5 + 0.25 * 1)


def test_dci_of_a_perfect_code_is_1(grid, uniform):
    for factors, choices in ((grid, CHOICES), (uniform, CONTINUOUS)):
        found = dci(constant(factors, 2), factors, choices)
        assert min(found.values()) > 0.98, found
        assert max(found.values()) <= 1 + 1e-12


def test_dci_of_a_rotated_code_has_it_all_but_mixed(uniform):
    found = dci(rotated(uniform), uniform, CONTINUOUS)
    assert found["disentanglement"] < 0.02
    assert found["completeness"] < 0.02
    assert found["informativeness"] > 0.95


def test_dci_of_a_factor_in_two_dimensions_is_disentangled_and_not_complete(uniform):
    part = np.random.default_rng(2).uniform(-1, 1, 4000)
    codes = np.stack([uniform[:, 0] + part, uniform[:, 0] - part, uniform[:, 1]], axis=1)  # it is half of their sum
    found = dci(codes, uniform, CONTINUOUS)
    assert found["disentanglement"] > 0.95
    # One bit of the log2(3) bits of three dimensions, for one of two factors.
    assert found["completeness"] == pytest.approx(1 - 0.5 / np.log2(3), abs=0.03)


def test_dci_of_two_factors_in_one_dimension_is_complete_and_not_disentangled(grid):
    codes = constant(grid[:, :1] + 10 * grid[:, 1:])
    found = dci(codes, grid, CHOICES)
    assert found["completeness"] > 0.98
    assert found["disentanglement"] < 0.02
    assert found["informativeness"] > 0.9


def test_dci_of_a_constant_code_is_0(grid, uniform):
    for factors, choices in ((grid, CHOICES), (uniform, CONTINUOUS)):
        assert dci(np.ones((len(factors), 3)), factors, choices) == {
            "disentanglement": 0,
            "completeness": 0,
            "informativeness": 0,
        }


# The FactorVAE score.


def drawn_groups(encode, count=900, size=64):
    """Groups whose pictures are drawn with one of three uniform factors the same."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        number, factors = int(rng.integers(3)), rng.uniform(-1, 1, (size, 3))
        factors[:, number] = factors[0, number]
        yield number, encode(factors)


@pytest.mark.parametrize(
    ("encode", "low", "high"),
    [
        (lambda factors: factors, 1, 1),
        (lambda factors: factors[:, ::-1] * [0.2, 1.0, 2.0], 1, 1),
        (lambda factors: constant(factors, 2), 1, 1),
        (lambda factors: factors[:, [0, 0, 1, 1, 2]], 1, 1),
        (lambda factors: factors[:, :1], 0.25, 0.45),  # there is one dimension to choose from, so it is a guess
        (lambda factors: constant(rotated(factors[:, :2])), 0.25, 0.6),
    ],
    ids=["perfect", "other order and units", "idle dimensions", "twice", "one dimension", "rotated"],
)
def test_the_factor_vae_score(encode, low, high):
    codes = encode(np.random.default_rng(1).uniform(-1, 1, (5000, 3)))
    score = factor_vae_score(codes, drawn_groups(encode))
    assert low <= score <= high
    assert score == factor_vae_score(codes, list(drawn_groups(encode)))


def test_a_dimension_that_hardly_varies_has_no_vote():
    rng = np.random.default_rng(0)

    def encode(factors):  # in the third dimension there is nothing but a little noise
        return np.concatenate([factors[:, :2], 0.01 * rng.normal(size=(len(factors), 1))], axis=1)

    codes = encode(rng.uniform(-1, 1, (5000, 3)))
    groups = [(number, group) for number, group in drawn_groups(encode) if number < 2]
    assert factor_vae_score(codes, groups) == 1
    mixed = [(number, group + rng.normal(size=group.shape) * [1, 1, 0]) for number, group in groups]
    assert factor_vae_score(codes, mixed, least_deviation=0.0) < 0.6


def test_all_groups_are_counted_in_the_factor_vae_score():
    """Nine groups of two factors, each told by a dimension of its own, but for one group of the first three."""
    told = [0, 1, 0, 1, 0, 1, 0, 1, 0]
    groups = [(number, np.array([[0.0, 0.0], [1.0, 1.0]])) for number in told]
    for place, (number, group) in enumerate(groups):
        group[:, number if place != 1 else 0] = 0.5
    codes = np.random.default_rng(0).uniform(size=(100, 2))
    assert factor_vae_score(codes, groups) == pytest.approx(8 / 9)
    assert factor_vae_score(codes, groups, train_share=0.5) == pytest.approx((1 + 4 / 5) / 2)


def test_what_the_factor_vae_score_cannot_be_of_is_refused():
    with pytest.raises(ValueError, match="not finite numbers, or do not vary"):
        factor_vae_score(np.ones((10, 2)), drawn_groups(lambda factors: factors))
    with pytest.raises(ValueError, match="1 groups are too few to vote and to count"):
        factor_vae_score(np.eye(3), drawn_groups(lambda factors: factors, count=1))
    with pytest.raises(ValueError, match="0 groups are too few"):
        factor_vae_score(np.eye(3), [])


def test_groups_of_a_table_have_one_factor_the_same():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.uniform(size=3000), rng.choice(3, 3000, p=[0.6, 0.39, 0.01])], axis=1)
    seen = set()
    for number, rows in group_table(factors, [0, 3], count=200, group_size=50):
        assert len(np.unique(rows)) == 50
        assert np.ptp(factors[rows, number]) < (0 if number else 0.04) + 1e-9
        assert np.ptp(factors[rows, 1 - number]) > 0.5
        seen |= {(number, value) for value in factors[rows, number].round(0)}
    assert {(1, 0), (1, 1), (0, 0), (0, 1)} == seen  # the value that too few have is in no group


def test_groups_of_a_table_score_as_drawn_ones_do(uniform):
    groups = [(number, uniform[rows]) for number, rows in group_table(uniform, CONTINUOUS, count=300)]
    assert factor_vae_score(uniform, groups) == 1
    again = group_table(uniform, CONTINUOUS, count=2)
    np.testing.assert_array_equal(next(again)[1], next(group_table(uniform, CONTINUOUS, count=9))[1])


def test_a_table_that_has_no_groups_is_refused():
    with pytest.raises(ValueError, match="10 rows are too few for groups of 64"):
        next(group_table(np.zeros((10, 1)), [0], 1))
    with pytest.raises(ValueError, match="no value of a factor of 40 choices has the 64 rows of a group"):
        next(group_table(np.arange(100.0)[:, None] % 40, [40], 1))


# All of them.


@pytest.mark.parametrize("measure", [mig, sap, dci])
def test_what_does_not_fit_is_refused(measure, grid):
    for codes, factors, choices, message in (
        (grid[:5], grid, CHOICES, r"codes \(5, 2\) and factors \(2000, 2\) of 2 factors do not fit"),
        (grid, grid, (4,), "of 1 factors do not fit"),
        (grid[:, 0], grid, CHOICES, "do not fit"),
        (grid * np.nan, grid, CHOICES, "codes and factors must be finite numbers"),
        (grid, np.where(grid > 3, np.inf, grid), CHOICES, "codes and factors must be finite numbers"),
        (grid, grid * [1, 0], CHOICES, "factor 1 has one value only"),
    ):
        with pytest.raises(ValueError, match=message):
            measure(codes, factors, choices)


def test_many_codes_and_all_factors_take_seconds():
    factors = sample_factors(np.arange(2000) * 10)
    choices = [len(factor.choices) for factor in FACTORS.values()]
    rng = np.random.default_rng(0)
    codes = factors @ rng.normal(size=(43, 16)).astype(np.float32)
    started = time.monotonic()
    assert 0 <= mig(codes, factors, choices) < 0.2
    assert 0 <= sap(codes, factors, choices) < 0.4
    assert time.monotonic() - started < 20

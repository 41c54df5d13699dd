"""Groups of participants and answers to questions: the textbook's numbers, or simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis.people.between import pooling, questions
from analysis.people.between.groups import compare
from analysis.people.between.regression import regress, welch
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials, join
from benchmarks.people import groups as simulated


def own_images(people: int, rng: np.random.Generator, trials: int = 40) -> Trials:
    """Answers of which each has an image of its own, so that images add nothing to the variance."""
    said, generated = rng.random(people * trials) < 0.6, np.tile(np.repeat([True, False], trials // 2), people)
    return Trials(said, generated, np.repeat(np.arange(people), trials), np.arange(people * trials))


def scores(trials: Trials) -> np.ndarray:
    """Each participant's balanced accuracy."""
    return np.array([
        np.mean([trials.correct[(trials.participant == p) & (trials.is_generated == g)].mean() for g in (True, False)])
        for p in np.unique(trials.participant)
    ])  # fmt: skip


def test_with_an_image_of_its_own_a_trial_two_groups_are_compared_by_welchs_t_test() -> None:
    trials, group = own_images(15, np.random.default_rng(0)), np.repeat([0, 1], [5, 10])
    (pair,) = compare(trials, group, ["expert", "lay"]).pairs["balanced_accuracy"]
    each = scores(trials)
    expected = stats.ttest_ind(each[:5], each[5:], equal_var=False)
    assert pair.difference.value == pytest.approx(each[:5].mean() - each[5:].mean())
    assert pair.difference.df == pytest.approx(expected.df)
    assert pair.p == pytest.approx(expected.pvalue)


def test_a_covariate_gives_the_least_squares_of_statsmodels_with_hc2_errors() -> None:
    rng = np.random.default_rng(1)
    trials, group, age = own_images(40, rng), np.repeat([0, 1], [12, 28]), rng.normal(size=40)
    x = np.column_stack([np.eye(2)[group], age])
    fit = sm.OLS(scores(trials), x).fit(cov_type="HC2")
    found = regress(trials.correct, trials, x, group)
    assert found.coefficients == pytest.approx(fit.params)
    for k in range(3):
        one = found.contrast(np.eye(3)[k])
        assert one.parts is not None
        assert np.sqrt(one.parts.people) == pytest.approx(fit.bse[k])


def test_a_covariate_takes_its_degree_of_freedom_from_the_groups_by_their_sizes() -> None:
    """One covariate, groups of 2 and 4: df 2 - 1 - 2/6 and 4 - 1 - 4/6; then 6**2 / (2**2 / (2/3) + 4**2 / (7/3))."""
    terms, group = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]), np.array([0, 0, 1, 1, 1, 1])
    assert welch(terms, group, columns=3) == pytest.approx((6.0, 2.8))


def test_a_covariate_that_says_who_is_in_which_group_leaves_no_adjusted_difference() -> None:
    """All experts 1 and all lay people 0 gave 'experts 33 points better, 25 to 41' where the means differ by -4."""
    trials, group = own_images(20, np.random.default_rng(0)), np.repeat([0, 1, 2], [8, 6, 6])
    centre, age = (group == 0) * 3.3 - 1.3, np.arange(20.0) % 7
    pairs = compare(trials, group, ["expert", "lay", "child"], np.column_stack([centre, age])).pairs
    apart = "the covariates tell the groups apart completely: no difference at equal values"
    assert [pair.difference.note for pair in pairs["adjusted"]] == [apart, apart, ""]
    assert [pair.difference.value is None for pair in pairs["adjusted"]] == [True, True, False]
    alone, twice = (compare(trials, group, "elc", np.column_stack(x)).pairs["adjusted"] for x in ([age], [age, -age]))
    assert np.array([p.difference.ci95 for p in twice]) == pytest.approx(np.array([p.difference.ci95 for p in alone]))


def test_an_answer_is_compared_in_the_sets_whose_participants_gave_it() -> None:
    """Three nurses in another set alone gave 'nurse -71.5 points, p 1.8e-29' here: minus the accuracy of all others."""
    trials = own_images(20, np.random.default_rng(0))
    job = np.array(["lay"] * 5 + ["doctor"] * 3 + ["nurse"] * 2 + ["nurse"] * 5 + ["lay"] * 5, object)
    age = np.r_[np.full(10, 30.0), np.arange(10.0)]  # all alike in the first set
    first, other = (questions.effects(trials.where(rows), {"job": job, "age": age})
                    for rows in (trials.participant < 10, trials.participant >= 10))  # fmt: skip
    assert [(e.question, e.answer, e.participants) for e in first] == [("job", "doctor", 3), ("job", "lay", 5)]
    assert [(e.question, e.answer, e.participants) for e in other] == [("job", "nurse", 5), ("age", "", 10)]


def test_a_single_person_in_a_group_has_no_interval_and_spoils_no_other_pair() -> None:
    trials, group = own_images(11, np.random.default_rng(2)), np.array([0] * 5 + [1] * 5 + [2])
    found = compare(trials, group, ["a", "b", "c"], np.arange(11.0)[:, None])
    for measure, pairs in found.pairs.items():
        assert [pair.difference.ci95 is None for pair in pairs] == [False, True, True], measure
        assert "one participant" in pairs[1].difference.note
    assert found.participants == (5, 5, 1)


def test_a_missing_group_or_covariate_leaves_the_participant_out() -> None:
    trials, group = own_images(12, np.random.default_rng(3)), np.array([0] * 5 + [1] * 5 + [-1] * 2)
    within = trials.where(trials.participant < 10)
    covariate = np.append(np.linspace(0, 1, 9), [np.nan] * 3)[:, None]
    found, alone = compare(trials, group, ["a", "b"], covariate), compare(within, group, ["a", "b"])
    assert found.pairs["balanced_accuracy"] == alone.pairs["balanced_accuracy"]
    nine = compare(trials.where(trials.participant < 9), group, ["a", "b"], covariate)
    assert found.pairs["adjusted"][0].difference.value == pytest.approx(nine.pairs["adjusted"][0].difference.value)


def test_the_differences_hold_the_truth() -> None:
    """A few simulated surveys of experts and lay people; `python -m benchmarks.people.groups` has hundreds."""
    case = simulated.Case("test", people=(6, 14), d_primes=(1.5, 0.8), images=12, trials=8, age=0.4)
    held = [simulated.held(case, seed) for seed in range(8)]
    assert all(sum(one[measure] for one in held) >= 6 for measure in held[0])


def test_d_prime_is_that_of_each_group_alone_where_the_spreads_agree() -> None:
    rng = np.random.default_rng(4)
    one = simulate(Truth(d_prime=2.0), Design(40, 60, 30), rng)
    other = simulate(Truth(d_prime=0.5), Design(40, 60, 30), rng)
    trials = join([one, Trials(other.said_generated, other.is_generated, other.participant + 40, other.image + 120)])
    found = compare(trials, np.repeat([0, 1], 40), ["able", "unable"])
    assert [e.value for e in found.d_prime] == pytest.approx([2.0, 0.5], abs=0.35)
    gap = found.pairs["d_prime"][0].difference
    assert gap.value == pytest.approx(found.d_prime[0].value - found.d_prime[1].value)  # type: ignore[operator]


# ------------------------------------------------------------------------------------------------ questions, pooling


def test_effects_of_luck_are_pooled_to_almost_nothing_and_a_large_one_is_kept() -> None:
    rng = np.random.default_rng(5)
    luck = rng.normal(0, 1, 40)
    mean, low, high = pooling.shrunken(luck, np.ones(40), centre=0.0)
    assert np.abs(mean).max() < 0.5 * np.abs(luck).max()
    assert (low < 0).all()
    assert (high > 0).all()
    clear = pooling.shrunken([5.0, -4.0, 4.5], [0.5, 0.5, 0.5], centre=0.0)[0]
    assert clear == pytest.approx([5.0, -4.0, 4.5], rel=0.05)


def test_the_pooled_effects_are_the_posterior_means_by_brute_force() -> None:
    x, s = np.array([0.8, -0.2, 0.3]), np.array([0.4, 0.2, 0.3])
    m, t = np.meshgrid(np.linspace(-6, 6, 2401), np.linspace(0, 1.3, 200), indexing="ij")
    most = np.abs(x - x.mean()).max() + 2 * s.max()
    t = t / 1.3 * most
    weight = np.prod([stats.norm.pdf(a, m, np.sqrt(t**2 + b**2)) for a, b in zip(x, s, strict=True)], axis=0)
    expected = [(weight * (m + t**2 / (t**2 + b**2) * (a - m))).sum() / weight.sum() for a, b in zip(x, s, strict=True)]
    assert pooling.shrunken(x, s)[0] == pytest.approx(expected, abs=1e-3)


def test_the_slope_of_a_quantity_that_few_people_determine_has_few_degrees_of_freedom() -> None:
    """Bell & McCaffrey by brute force; with the 18 of 20 participants, lognormal years gave 9.5 % false alarms."""
    trials, years = own_images(20, np.random.default_rng(3)), np.exp(1.2 * np.random.default_rng(2).normal(size=20))
    x, each = np.column_stack([np.ones(20), years]), np.array([0.0, 1.0])
    weights, hat = each @ np.linalg.pinv(x), x @ np.linalg.pinv(x)
    d, m = np.diag(weights**2 / (1 - np.diag(hat))), np.eye(20) - hat
    found = regress(trials.correct, trials, x, np.zeros(20, int)).contrast(each)
    assert found.df == pytest.approx(np.trace(d @ m) ** 2 / np.trace(d @ m @ d @ m))
    assert found.df < 8


def test_an_answer_is_compared_with_the_others_and_a_quantity_has_a_slope() -> None:
    trials = own_images(12, np.random.default_rng(6))
    each, trained = scores(trials), np.array(["yes", "no", None] * 4, object)
    age = np.arange(12.0)
    trained_effect, age_effect = questions.effects(trials, {"trained": trained, "age": age})
    assert (trained_effect.answer, trained_effect.participants) == ("yes", 4)
    assert trained_effect.difference.value == pytest.approx(
        each[trained == "yes"].mean() - each[trained == "no"].mean()
    )
    assert age_effect.difference.value == pytest.approx(np.polyfit(age / age.std(), each, 1)[0])
    assert questions.effects(trials, {"rare": np.array(["a"] * 10 + ["b"] * 2, object)}) == []

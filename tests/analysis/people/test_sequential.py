"""Stopping early keeps its error over all looks together; by simulation, with answers clustered by participant."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.people import scores, sequential
from analysis.people.population.simulation import Design, Truth, simulate
from glimpse import observers

REPEATS = 200
LIMIT = stats.binom.ppf(0.995, REPEATS, 0.05) / REPEATS  # above this the 99 % interval leaves out 5 %
# People differ much and images not: what the monitor sees are participants, whatever the noise within them.
PEOPLE = Truth(sd_d_prime=1.0, sd_criterion=0.5, sd_image=0.0)


def balanced(truth: Truth, participants: int, rng: np.random.Generator) -> np.ndarray:
    return observers.balanced_accuracy(simulate(truth, Design(participants, 50, 10), rng).counts())


def test_looking_after_every_participant_rarely_finds_what_is_not_there() -> None:
    rng = np.random.default_rng(0)
    ever, naive = 0, 0
    for _ in range(REPEATS):
        scores = balanced(PEOPLE, 200, rng)
        ever += sequential.monitor(scores).code == "detectable"
        n = np.arange(10, 201)
        mean = np.cumsum(scores)[9:] / n
        sd = np.sqrt(np.maximum(np.cumsum(scores**2)[9:] / n - mean**2, 1e-9) * n / (n - 1))
        naive += bool(np.any(2 * stats.t.sf(abs(mean - 0.5) / (sd / np.sqrt(n)), n - 1) < 0.05))
    assert ever / REPEATS <= LIMIT
    assert naive / REPEATS > 0.2  # testing again and again at 5 % does


def test_looking_after_every_participant_rarely_calls_the_bound_itself_equivalent() -> None:
    rng = np.random.default_rng(1)
    truth = PEOPLE.with_accuracy(0.55)
    wrong = sum(sequential.monitor(balanced(truth, 300, rng)).code == "cannot tell" for _ in range(REPEATS))
    assert wrong / REPEATS <= LIMIT


def test_the_confidence_sequence_covers_the_truth_at_all_times() -> None:
    rng = np.random.default_rng(2)
    truth = PEOPLE.with_accuracy(0.7)
    missed = 0
    for _ in range(REPEATS):
        seen = sequential.monitor(balanced(truth, 150, rng))
        missed += bool(np.any((seen.low > truth.accuracy) | (seen.high < truth.accuracy)))
    assert missed / REPEATS <= LIMIT


def test_it_stops_early_where_the_answer_is_plain() -> None:
    rng = np.random.default_rng(3)
    plain = sequential.monitor(balanced(Truth().with_accuracy(0.8), 200, rng))
    assert plain.code == "detectable"
    assert plain.decided_at is not None
    assert plain.decided_at < 15
    assert plain.p < 0.001
    chance = sequential.monitor(balanced(Truth(sd_image=0.0), 600, rng))
    assert chance.code == "cannot tell"
    assert chance.decided_at is not None
    assert chance.decided_at < 400


def test_people_are_in_the_order_in_which_they_finished_not_sorted_as_text() -> None:
    """'8:00' comes before '15:19'; three who are right then three who are wrong is not what the text's order says."""
    people = pd.DataFrame({"participant": list("abcdef"), "balanced_accuracy": [1.0, 1, 1, 0, 0, 0]})
    rows = people.assign(answered_at=["8:00", "8:10", "9:00", "10:00", "15:19", "23:00"])
    found = scores.sequential_of(rows, people, 0.05)
    seen = sequential.monitor(people["balanced_accuracy"])
    assert found["ci95"] == [seen.low[-1], seen.high[-1]]
    assert found["p"] == seen.p
    dated = rows.assign(answered_at=[f"2026-01-0{d}T10:00:00+00:00" for d in range(1, 7)])
    assert scores.sequential_of(dated, people, 0.05)["p"] == seen.p
    unknown = scores.sequential_of(rows.assign(answered_at="3/4/2026"), people, 0.05)
    assert unknown["verdict"] is None
    assert "ISO 8601" in unknown["note"]


def test_nothing_is_decided_without_participants() -> None:
    nobody = sequential.monitor(np.empty(0))
    assert (nobody.code, nobody.decided_at, nobody.p) == ("undecided", None, 1.0)


@pytest.mark.parametrize("mean", [0.5, 0.7, 0.9])
def test_under_the_mean_bet_against_the_evidence_has_mean_one_after_every_score(mean: float) -> None:
    """Exactly, over all 2^10 runs of right and wrong: a stake that knew its score would gain, two whole bets be 2.

    By Ville's inequality such evidence ever reaches 20 in at most 5 % of studies.
    """
    runs = np.array(list(itertools.product([0.0, 1.0], repeat=10)))
    probability = np.prod(np.where(runs == 1, mean, 1 - mean), axis=1)
    evidence = np.exp([sequential._capital(run, np.array([mean]))[:, 0] for run in runs])
    assert probability @ evidence == pytest.approx(np.ones(10), abs=1e-12)


@pytest.mark.parametrize("score", [0.48, 0.5, 0.52])
def test_when_equivalence_is_declared_both_bounds_have_been_rejected(score: float) -> None:
    scores = np.full(3_000, score)
    found = sequential.monitor(scores)
    assert found.code == "cannot tell"
    for bound in (0.45, 0.55):
        assert 1 / np.exp(sequential._capital(scores[: found.decided_at], np.array([bound])).max()) <= 0.05

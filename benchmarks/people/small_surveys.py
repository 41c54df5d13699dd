"""`python -m benchmarks.people.small_surveys`: do tests and intervals hold where surveys are small or unequal?

Simulates surveys with few people, unequal numbers of images, images that differ much, and able people who answer more,
and prints the table of docs/coverage.md: the share of surveys in which each test at 5 % raises a false alarm, the share
of 95 % intervals that contain the true value, and how often the number of further participants that the report names
decides.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from analysis.people import dependence, equivalence, inference
from analysis.people.population.simulation import Truth
from analysis.people.trials import Trials
from benchmarks.people.coverage import claims_command, row
from glimpse.observers import Floats

CHANCE = Truth(sd_d_prime=0.33, sd_criterion=0.3, sd_image=0.4)
BOUND = 0.05


@dataclass(frozen=True)
class Survey:
    """A truth and a design; the first number of a pair is of real, the second of generated images."""

    name: str  # seeds the surveys: after a change, run its rows in docs/coverage.md again
    people: int
    truth: Truth = field(default=CHANCE)
    images: tuple[int, int] = (100, 100)
    trials: tuple[int, int] = (10, 10)
    able_answer_more: bool = False  # participants above the mean d' judge four times as many images


SURVEYS = (
    Survey("8 people", 8),
    Survey("15 people", 15),
    Survey("8 people, 20 real and 200 generated images", 8, images=(20, 200)),
    Survey("40 people, 20 real and 200 generated images", 40, images=(20, 200)),
    Survey("40 people, 200 real and 20 generated images", 40, images=(200, 20)),
    Survey("30 people, 20 real and 3 generated images", 30, images=(20, 3), trials=(20, 3)),
    Survey("60 people, 4 real and 60 generated images", 60, images=(4, 60), trials=(4, 60)),
    Survey("30 people, 50 real and 5 generated images", 30, images=(50, 5), trials=(50, 5)),
    Survey("40 people, 10 images per class that differ much", 40, Truth(sd_image=1.5), (10, 10)),
    Survey("30 people, 3 images per class that differ much", 30, Truth(sd_image=1.5), (3, 3), (3, 3)),
    Survey("20 people, 15 real and 5 generated trials", 20, trials=(15, 5)),
    Survey("20 people who mostly say 'real'", 20, Truth(criterion=1.5, sd_criterion=0.6)),
    Survey("40 people, able ones answer more", 40, Truth(sd_d_prime=1.5, sd_image=0.4), able_answer_more=True),
)
ABLE = (
    Survey("8 people, 95 % right", 8, Truth().with_accuracy(0.95)),
    Survey("20 people, 98 % right", 20, Truth().with_accuracy(0.98)),
    Survey("30 people, 3 images per class, 70 % right", 30, Truth().with_accuracy(0.7), (3, 3), (3, 3)),
    Survey("40 people, 65 % right, able ones answer more", 40, Truth(sd_d_prime=1.5).with_accuracy(0.65),
           able_answer_more=True),
)  # fmt: skip
PILOTS = (
    Survey("pilot of 20 people, 57 % right", 20, Truth().with_accuracy(0.57)),
    Survey("pilot of 30 people, chance", 30, Truth()),
    Survey("pilot of 8 people, 58 % right", 8, Truth(0.5, 0.0, 0.6, 0.3, 0.6)),
    Survey("pilot of 5 people, 58 % right", 5, Truth(0.5, 0.0, 0.6, 0.3, 0.6)),
    Survey("pilot of 8 people, 20 images per class, 60 % right", 8, Truth().with_accuracy(0.6), (20, 20), (20, 20)),
    Survey("pilot of 20 people, 2 images per class, 60 % right", 20, Truth().with_accuracy(0.6), (2, 2), (2, 2)),
)
OWN_EXPOSURE = "15 real and 5 generated trials, each of 15 images per class has its own exposure"
MOST = 600  # participants of a pilot that goes on


def answers_of(survey: Survey, rng: np.random.Generator, people: int | None = None) -> Trials:
    """One simulated survey; with `people`, of so many participants instead."""
    truth, people = survey.truth, people or survey.people
    d_prime = rng.normal(truth.d_prime, truth.sd_d_prime, people)
    criterion = rng.normal(truth.criterion, truth.sd_criterion, people)
    sway = rng.normal(0, truth.sd_image, sum(survey.images))
    who, image = [], []
    for person in range(people):
        times = 4 if survey.able_answer_more and d_prime[person] > truth.d_prime else 1
        for first, of, shown in zip((0, survey.images[0]), survey.images, survey.trials, strict=True):
            drawn = first + rng.permutation(of)[: shown * times]
            image.append(drawn)
            who.append(np.full(len(drawn), person))
    person, shown_image = np.concatenate(who), np.concatenate(image)
    generated = shown_image >= survey.images[0]
    evidence = d_prime[person] * (generated - 0.5) - criterion[person] + sway[shown_image]
    return Trials(rng.random(len(person)) < stats.norm.cdf(evidence), generated, person, shown_image)


def held(survey: Survey, simulations: int, seed: int = 0) -> dict[str, Floats]:
    """By claim, whether each simulated survey has a false alarm, or an interval that contains the true value."""
    rng = np.random.default_rng([seed, *survey.name.encode()])
    seen: dict[str, list[bool]] = {}
    for _ in range(simulations):
        answers = answers_of(survey, rng)
        found = inference.balanced_accuracy(answers)
        low, high = found.ci95 or (np.nan, np.nan)
        seen.setdefault("covers: balanced accuracy", []).append(bool(low <= survey.truth.accuracy <= high))
        if survey.truth.accuracy == 0.5:
            detected = found.testable and equivalence.equivalence(found, BOUND)[1] < 0.05
            seen.setdefault("false alarm: differs from chance", []).append(detected)
    return {claim: np.array(values, float) for claim, values in seen.items()}


def trend_alarms(simulations: int, seed: int = 0) -> dict[tuple[str, str], Floats]:
    """Whether a trend with the time to answer, or with the exposure, is found although ability does not depend on it.

    Either generated images take longer, or the answer 'real' does, with 15 + 5 or 10 + 10 images per person; or each of
    15 + 15 images has its own exposure, so that the trend is between images.
    """
    rng = np.random.default_rng([seed, 2])
    held: dict[tuple[str, str], list[bool]] = {}
    for trials in ((15, 5), (10, 10)):
        survey = Survey("", 40, Truth(d_prime=0.8, criterion=0.4), trials=trials)
        for _ in range(simulations):
            answers = answers_of(survey, rng)
            for name, slow in (("generated images", answers.is_generated), ("answers 'real'", ~answers.said_generated)):
                time = rng.normal(0, 0.5, len(answers)) + 0.5 * slow
                case = f"{trials[0]} real and {trials[1]} generated trials, {name} take longer"
                p = dependence.slope_p(dependence.slope(time, answers, outcome=True))
                held.setdefault((case, "false alarm: trend with time"), []).append((p or 1) < 0.05)
    survey = Survey("", 40, Truth(d_prime=0.8, criterion=0.4), (15, 15), (15, 5))
    for _ in range(simulations):
        answers = answers_of(survey, rng)
        exposure = rng.normal(2, 0.3, sum(survey.images))[answers.image] + rng.normal(0, 0.1, len(answers))
        p = dependence.slope_p(dependence.slope(exposure, answers))
        held.setdefault((OWN_EXPOSURE, "false alarm: trend with exposure"), []).append((p or 1) < 0.05)
    return {key: np.array(values, float) for key, values in held.items()}


def more_people(survey: Survey, simulations: int, seed: int = 0) -> dict[str, Floats]:
    """For undecided pilots: whether the number of further participants that they name decides, on the same images."""
    rng = np.random.default_rng([seed, *survey.name.encode()])
    named: list[bool] = []
    decided: list[bool] = []
    for _ in range(simulations):
        everybody = answers_of(survey, rng, MOST)
        found = inference.balanced_accuracy(everybody.where(everybody.participant < survey.people))
        verdict = equivalence.verdict(found, survey.people, BOUND)
        if verdict.code != "undecided":
            continue
        more = verdict.more_participants
        named.append(more is not None)
        if more is not None and survey.people + more <= MOST:
            later = inference.balanced_accuracy(everybody.where(everybody.participant < survey.people + more))
            decided.append(equivalence.verdict(later, survey.people + more, BOUND).code != "undecided")
    shares = {"a number is named": named, "that number decides": decided}
    return {claim: np.array(values, float) for claim, values in shares.items() if values}


def rows(simulations: int, seed: int) -> Iterator[str]:
    for survey in SURVEYS + ABLE:
        for claim, values in held(survey, simulations, seed).items():
            yield row(survey.name, claim, values)
    for (case, claim), values in trend_alarms(simulations, seed).items():
        yield row(case, claim, values)
    for survey in PILOTS:
        for claim, values in more_people(survey, max(simulations // 10, 1), seed).items():
            yield row(survey.name, claim, values)


def main(argv: Sequence[str] | None = None) -> int:
    return claims_command("small_surveys", __doc__, 1_000, rows, argv)


if __name__ == "__main__":
    sys.exit(main())

"""Intervals, equivalence and verdicts: against statsmodels where both apply, and against simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from analysis.people import equivalence, inference, significance
from analysis.people.estimation import estimate as estimates
from analysis.people.estimation.variance import Parts, clustered
from analysis.people.inference import Estimate
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials, join
from glimpse import observers


def own_images(seed: int, people: int = 40, accuracy: float = 0.5) -> Trials:
    """Each person judges images that no one else sees, so the images add nothing to the participants' variance."""
    rng = np.random.default_rng(seed)
    generated = np.tile(np.arange(20) < 10, people)
    able = np.repeat(np.clip(rng.normal(accuracy, 0.2, people), 0, 1), 20)
    said = np.where(rng.random(len(generated)) < able, generated, ~generated)
    return Trials.from_labels(said, generated, np.repeat(np.arange(people), 20), np.arange(20 * people))


@pytest.mark.parametrize("seed", range(4))
def test_with_an_image_for_every_trial_the_equivalence_test_is_statsmodels_on_participants(seed: int) -> None:
    answers = own_images(seed)
    estimate = inference.balanced_accuracy(answers)
    people = DescrStatsW(observers.accuracy(answers.counts()))
    assert estimate.value == pytest.approx(people.mean)
    p, _, _ = people.ttost_mean(0.45, 0.55)
    ours, chance = equivalence.equivalence(estimate, 0.05)
    assert estimate.df == pytest.approx(39)
    assert ours == pytest.approx(p, rel=1e-6)
    assert chance == pytest.approx(people.ttest_mean(0.5)[1], rel=1e-6)


def test_scores_are_the_plain_shares_where_all_answered_equally_often() -> None:
    answers = simulate(Truth(0.8, 0.2), Design(30, 20, 8), np.random.default_rng(0))
    said, truth = answers.said_generated, answers.is_generated
    assert inference.accuracy(answers).value == pytest.approx((said == truth).mean())
    assert inference.balanced_accuracy(answers).value == pytest.approx(balanced_accuracy_score(truth, said))
    assert inference.rate(answers, 1, 0).value == pytest.approx(said[truth].mean())
    assert inference.false_alarm_rate(answers).value == pytest.approx(said[~truth].mean())


def test_scores_are_the_means_of_the_participants_own() -> None:
    answers = simulate(Truth(0.8, 0.2), Design(30, 20, 8), np.random.default_rng(0))
    answers = answers.where(np.random.default_rng(1).random(len(answers)) < 0.7)
    counts = answers.counts()
    hits, false_alarms = observers.hit_rate(counts).mean(), observers.false_alarm_rate(counts).mean()
    generated = answers.is_generated.mean()
    assert inference.accuracy(answers).value == pytest.approx(generated * hits + (1 - generated) * (1 - false_alarms))
    assert inference.balanced_accuracy(answers).value == pytest.approx(observers.balanced_accuracy(counts).mean())
    assert inference.rate(answers, 1, 0).value == pytest.approx(hits)
    assert inference.false_alarm_rate(answers).value == pytest.approx(false_alarms)
    for estimate, scores in (
        (inference.mean_f1(answers), observers.f1(counts)),
        (inference.mean_f1(answers, "real"), observers.f1(counts, "real")),
        (inference.mean_d_prime(answers), observers.d_prime(counts)),
        (inference.mean_criterion(answers), observers.criterion(counts)),
    ):
        assert estimate.value == pytest.approx(np.nanmean(scores))


def test_many_people_on_few_images_are_not_sure_of_new_images() -> None:
    """The trap of ten images: the people's part of the error vanishes with their number, the images' part stays."""
    rng = np.random.default_rng(2)
    many = inference.accuracy(simulate(Truth(), Design(2_000, 10, 10), rng))
    assert many.se is not None
    assert many.se > 0.02
    assert many.variance_participants < 0.2 * many.se**2


def test_everybody_right_still_has_an_interval_that_ends_at_one() -> None:
    answers = simulate(Truth(40.0), Design(12, 30, 10), np.random.default_rng(3))
    estimate = inference.accuracy(answers)
    assert estimate.value == 1
    assert estimate.ci95 is not None
    assert 0.6 < estimate.ci95[0] < 0.9
    assert estimate.ci95[1] == pytest.approx(1)
    assert equivalence.verdict(estimate, 12).code == "detectable"


def test_one_participant_or_one_class_gives_reasons_not_numbers() -> None:
    answers = simulate(Truth(1.0), Design(5, 20, 10), np.random.default_rng(4))
    alone = answers.where(answers.participant == 0)
    assert inference.accuracy(alone).ci95 is None
    assert "one participant" in inference.accuracy(alone).note
    assert "one participant" in equivalence.verdict(inference.balanced_accuracy(alone), 1).words
    generated = answers.where(answers.is_generated)
    assert inference.balanced_accuracy(generated).value is None
    assert "no real image" in inference.balanced_accuracy(generated).note
    assert inference.rate(generated, 1, 0).ci95 is not None
    assert inference.accuracy(generated).ci95 is not None
    assert inference.mean_d_prime(generated).value is None


@pytest.mark.parametrize(
    ("value", "se", "code", "words"),
    [
        (0.5, 0.01, "cannot tell", "cannot tell within ±0.05"),
        (0.525, 0.01, "cannot tell", "though not quite chance"),
        (0.6, 0.02, "detectable", "detectable"),
        (0.4, 0.02, "detectable", "reversed"),
        (0.51, 0.04, "undecided", "more participants needed"),
    ],
)
def test_the_verdict_says_what_the_two_tests_say(value: float, se: float, code: str, words: str) -> None:
    verdict = equivalence.verdict(Estimate(value, se, 80.0, (value - 2 * se, value + 2 * se), se**2), 50)
    assert verdict.code == code
    assert words in verdict.words


def test_an_error_that_is_all_in_the_images_cannot_be_mended_by_participants() -> None:
    stuck = equivalence.verdict(Estimate(0.51, 0.04, 80.0, (0.43, 0.59), 0.0001**2), 50)
    assert stuck.more_participants is None
    assert "more images" in stuck.words


def test_the_participants_asked_for_do_decide_it() -> None:
    """Of 80 surveys with the number of people that an undecided pilot asked for, about 80 % decide."""
    truth, rng = Truth(), np.random.default_rng(5)
    pilot = simulate(truth, Design(40), rng)
    estimate = replace(inference.balanced_accuracy(pilot), value=0.5)
    more = equivalence.participants_needed(estimate, 40)
    assert more is not None
    decided = 0
    for _ in range(80):
        answers = simulate(truth, Design(40 + more), rng)
        decided += equivalence.verdict(inference.balanced_accuracy(answers), 40 + more).code == "cannot tell"
    assert 0.6 < decided / 80 < 0.97


def test_more_participants_shrink_their_own_variance_and_the_noise_and_add_degrees_of_freedom() -> None:
    """20 participants for 10: df 19 for 9; of V(images) the part that images add stays."""
    more = Parts(4.0, 3.0, 1.0, df_people=9, df_images=18, df_trials=198).with_people(2.0)
    assert (more.people, more.images, more.trials) == (2.0, 2.5, 0.5)
    assert (more.df_people, more.df_images, more.df_trials) == (19.0, 18, 396.0)


def test_the_probability_of_a_decision_is_that_of_the_estimate_where_it_may_move() -> None:
    """50 people become 250: V = .8 + 1.2 - .2 of 1e-4. Of today's noise, 4e-4, a fifth is still there then."""
    parts = Parts(people=4e-4, images=2e-4, trials=1e-4, df_people=49, df_images=99, df_trials=999)
    variance = 1.8e-4
    df = variance**2 / (0.8e-4**2 / 249 + 1.2e-4**2 / 99 - 0.2e-4**2 / 4995)
    far = stats.t.ppf(0.975, df) * np.sqrt(variance)
    near = 0.03 - stats.t.ppf(0.95, df) * np.sqrt(variance)
    then = stats.norm(0.52, np.sqrt(3.2e-4))
    undecided = then.cdf(0.5 + far) - then.cdf(0.5 + near) + then.cdf(0.5 - near) - then.cdf(0.5 - far)
    found = equivalence._decided(0.52, parts, np.array([5.0]), bound=0.03)
    assert found == pytest.approx([1 - undecided], rel=1e-9)


def test_sets_answered_by_the_same_people_are_compared_within_people() -> None:
    """Able people are able on both sets, so their difference is surer than that of two separate groups."""
    truth, rng = Truth(sd_d_prime=2.0, sd_image=0.1), np.random.default_rng(6)
    both = simulate(truth, Design(60, 200, 20), rng)
    half = both.image % 2 == 0
    one, other = both.where(half), both.where(~half)
    (within,) = significance.compare_sets({"a": one, "b": other})
    strangers = Trials(other.said_generated, other.is_generated, other.participant + 60, other.image)
    (between,) = significance.compare_sets({"a": one, "b": strangers})
    assert within.difference.value == pytest.approx(between.difference.value)
    assert within.difference.se is not None
    assert between.difference.se is not None
    assert within.difference.se < 0.7 * between.difference.se


@pytest.mark.parametrize(("first", "second"), [(0, 2_000), (2_000, 0), (0, 1)])
def test_sets_of_other_people_and_images_differ_as_their_joint_answers_say(first: int, second: int) -> None:
    sets = {}
    for name, d_prime, start in (("a", 0.3, first), ("b", 1.2, second)):
        answers = simulate(Truth(d_prime), Design(20, 15, 8), np.random.default_rng(start))
        sets[name] = replace(answers, participant=start + 2 * answers.participant, image=start + 2 * answers.image)
    (pair,) = significance.compare_sets(sets)
    joint = significance.difference(sets["a"], sets["b"], generated=0.5, real=-0.5)
    assert pair.difference.value == joint.value
    assert (pair.difference.se, pair.difference.df) == pytest.approx((joint.se, joint.df), rel=1e-12)


def test_a_set_with_one_image_of_a_class_has_no_interval_of_its_difference() -> None:
    one = Trials.from_labels([1, 0, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    other = replace(one, participant=one.participant + 2, image=one.image + 2)
    (pair,) = significance.compare_sets({"a": one, "b": other})
    assert pair.difference == Estimate(0.0, note="one image of a class: no interval for new images")
    assert pair.difference == significance.difference(one, other, generated=0.5, real=-0.5)


def test_holm_is_that_of_statsmodels() -> None:
    p = [0.04, 0.001, 0.02, 0.9, 0.02]
    assert significance.holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_pairs_are_corrected_over_all_pairs() -> None:
    rng = np.random.default_rng(7)
    sets = {}
    for i, d_prime in enumerate((0.0, 0.2, 1.5)):
        answers = simulate(Truth(d_prime), Design(60), rng)
        sets[str(i)] = Trials(
            answers.said_generated, answers.is_generated, answers.participant + 60 * i, answers.image + 200 * i
        )
    found = {(c.first, c.second): c for c in significance.compare_sets(sets)}
    assert len(found) == 3
    p, corrected = found["0", "2"].p, found["0", "2"].p_holm
    assert p is not None
    assert corrected is not None
    assert p <= corrected < 0.01


def test_asking_the_same_people_about_the_same_images_again_makes_no_result_surer() -> None:
    answers = simulate(Truth(0.5), Design(40, 60, 10), np.random.default_rng(11))
    once, thrice = inference.accuracy(answers), inference.accuracy(join([answers] * 3))
    assert once.se is not None
    assert thrice.se == pytest.approx(once.se, rel=1e-6)


def test_one_image_of_a_class_gives_no_interval_for_new_images() -> None:
    answers = simulate(Truth(0.5), Design(40, 1, 1), np.random.default_rng(12))
    found = inference.balanced_accuracy(answers)
    assert found.value is not None
    assert found.ci95 is None
    assert "one image of a class" in found.note


def test_joined_trials_keep_their_codes() -> None:
    answers = simulate(Truth(), Design(3, 12, 4), np.random.default_rng(10))
    twice = join([answers, answers])
    assert len(twice) == 2 * len(answers)
    assert inference.accuracy(twice).value == pytest.approx(inference.accuracy(answers).value)


@pytest.mark.parametrize("people", [2, 5, 20, 50])
def test_answers_that_are_all_right_give_no_interval_of_no_width(people: int) -> None:
    """The influences are then rounding, and their variance is not quite 0."""
    generated = np.tile(np.repeat([True, False], 10), people)
    answers = Trials(generated, generated, np.repeat(np.arange(people), 20), np.tile(np.arange(20), people))
    for found in (inference.mean_d_prime(answers), inference.mean_f1(answers), inference.mean_criterion(answers)):
        assert found.ci95 is None
        assert found.note == "the answers do not vary: no interval"


def test_all_right_from_a_few_people_says_how_many_it_takes_and_from_enough_is_detectable() -> None:
    for people, code in ((5, "undecided"), (7, "detectable")):
        image = np.tile(np.arange(20), people)
        generated = image % 2 == 0
        answers = Trials(generated, generated, np.repeat(np.arange(people), 20), image)
        found = equivalence.verdict(inference.balanced_accuracy(answers), people)
        assert found.code == code
    assert "every answer was right" in found.words
    few = equivalence.verdict(inference.Estimate(1.0, 0.0, 4.0, (0.39, 1.0)), 5)
    assert few.more_participants == 2
    assert "fewer than 7 people or images say too little about new ones" in few.words


# ------------------------------------------------------------------------------------------------ by hand


def table(correct: list[list[int]]) -> Trials:
    """All participants see the same generated images: rows are participants, columns images, 1 is a right answer."""
    people, images = np.shape(correct)
    person, image = np.divmod(np.arange(people * images), images)
    return Trials(np.ravel(correct).astype(bool), np.ones(people * images, bool), person, image)


def test_the_variance_and_the_degrees_of_freedom_of_a_balanced_table() -> None:
    """Sums of squares over 16^2: rows and columns 5 each, cells 15/4. V(people) = V(images) = 5/192, V(trials) = 3/192.

    df = V^2 / (V_p^2 / 3 + V_i^2 / 3 - V_t^2 / 15) = 49 / (25/3 + 25/3 - 9/15).
    """
    hit_rate = inference.rate(table([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]), 1, 0)
    assert hit_rate.value == 10 / 16
    assert hit_rate.se == pytest.approx(np.sqrt(7 / 192))
    assert hit_rate.df == pytest.approx(735 / 241)
    assert hit_rate.variance_participants == pytest.approx(5 / 192)


def test_participants_who_differ_less_than_their_answers_would_by_chance_make_no_variance_smaller() -> None:
    """All have 2 of 3 right: V(people) = 0, V(images) = 1/27, V(trials) = 1/36, and their sum 1/108 is below V(images).

    The participants' component V(people) - V(trials) is negative here, so it counts as zero, and V(images) is left.
    """
    hit_rate = inference.rate(table([[1, 1, 0], [1, 1, 0], [1, 0, 1]]), 1, 0)
    assert hit_rate.se == pytest.approx(np.sqrt(1 / 27))
    assert hit_rate.variance_participants == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("single", "variance"), [(False, 16 * np.pi / 45), (True, 29 * np.pi / 144)])
def test_a_rate_taken_from_two_answers_is_corrected_for_it(single: bool, variance: float) -> None:
    """Three people call one image of each class generated and the other real; all criteria are 0, so V(people) = 0.

    An answer moves a criterion by s = 0.5 / (3 phi(0)), and is 1/2 from its rate, times n / (n - 1) = 2. Image sums are
    ±s and V = s^2 (4 * 4/2 - 12/9 * 12/10). A fourth who sees one image of each class adds nothing but dilutes:
    V = s^2 (4 * 9/16 * 4/2 - 12/16 * 14/12).
    """
    said, generated, image = [1, 0, 1, 0] * 3, [1, 1, 0, 0] * 3, [0, 1, 2, 3] * 3
    person = np.repeat(np.arange(3), 4).tolist()
    if single:
        said, generated, image, person = [*said, 1, 0], [*generated, 1, 0], [*image, 0, 2], [*person, 3, 3]
    criterion = inference.mean_criterion(Trials.from_labels(said, generated, person, image))
    assert criterion.value == pytest.approx(0, abs=1e-12)
    assert criterion.se == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize("positive", ["generated", "real"])
def test_an_answer_moves_f1_by_its_derivative(positive: observers.Positive) -> None:
    """Three people have one hit, one miss, one false alarm and one correct rejection, on the same images: F1 = 2 / 4.

    An answer moves it by (2 - 1/2) / 4 on a positive image and by 1/2 / 4 on another, so image sums are ±3/8 and ±1/8:
    V = 20/64 * 4/2 - 20/64 / 3 * 12/10.
    """
    said, generated, image = [1, 0, 1, 0] * 3, [1, 1, 0, 0] * 3, [0, 1, 2, 3] * 3
    f1 = inference.mean_f1(Trials.from_labels(said, generated, np.repeat(np.arange(3), 4), image), positive)
    assert f1.value == 0.5
    assert f1.se == pytest.approx(np.sqrt(1 / 2))


def test_the_degrees_of_freedom_are_never_more_than_the_answers() -> None:
    """Noise that cancels in each row and column leaves almost no doubt about the variance: V = V(images) = 16/3."""
    effect = np.array([1, 1, -1, -1]) / 4
    checkerboard = np.array([[(-1.0) ** (i + j) for j in range(4)] for i in range(4)])
    influence = (checkerboard + effect[None, :] + 0.1 * effect[:, None]).ravel()
    found = estimates.estimate(0.5, influence, table([[1] * 4] * 4))
    assert found.se == pytest.approx((16 / 3) ** 0.5)
    assert found.df == 16


def test_the_variance_of_a_difference_centres_both_classes_of_both_sets() -> None:
    """Three people get one of two images right in each of the four: influences ±1/24, image sums ±1/8.

    V(people) = 0, so V = V(images) = 8/64 * 8 / (8 - 4).
    """
    said, generated = np.tile([True, False], 12), np.tile([True, True, False, False], 6)
    person, image = np.repeat(np.arange(3), 8), np.tile(np.arange(8), 3)
    both = Trials(said, generated, person, image)
    (pair,) = significance.compare_sets({"a": both.where(image < 4), "b": both.where(image >= 4)})
    assert pair.difference.value == 0
    assert pair.difference.se == pytest.approx(np.sqrt(1 / 4))


def test_a_number_of_further_participants_is_named_only_if_it_is_known_how_much_images_differ() -> None:
    """Two images per class: V(images) has two degrees of freedom, so that it may be ten times as large as it seems."""
    for df_images, known in ((2, False), (198, True)):
        parts = Parts(0.03**2, 0.012**2, 0.01**2, 19, df_images, 398)
        found = equivalence.verdict(Estimate(0.51, float(np.sqrt(parts.variance)), 20.0, parts=parts), 20)
        assert found.code == "undecided"
        assert (found.more_participants is not None) == known
        assert (equivalence.NOT_KNOWN in found.words) != known


def test_images_that_seem_alike_by_luck_name_no_number() -> None:
    """Ten images per class: only half of the surveys were decided at the number named, where 80 % were promised."""
    for df_images, known in ((18, False), (29, False), (30, True), (38, True)):
        parts = Parts(0.03**2, 0.003**2, 0.003**2, 19, df_images, 398)  # so alike that a number suffices for both
        found = equivalence.verdict(Estimate(0.51, float(np.sqrt(parts.variance)), 20.0, parts=parts), 20)
        assert (found.more_participants is not None) == known


def test_no_number_of_further_people_is_named_by_a_survey_of_fewer_than_eight() -> None:
    for people, known in ((3, False), (7, False), (8, True)):
        parts = Parts(0.03**2, 0.003**2, 0.003**2, people - 1, 198, 398)
        found = equivalence.verdict(Estimate(0.55, se=0.03, df=people - 1, parts=parts), people)
        assert found.code == "undecided"
        assert (found.more_participants is not None) == known
        assert (equivalence.NOT_KNOWN in found.words) != known


def test_the_test_rejects_exactly_what_lies_outside_the_interval() -> None:
    for found in (Estimate(0.56, 0.025, 12.0), Estimate(0.9, 0.1, 9.0, size=9.0), Estimate(0.55, 0.03, 60.0)):
        for level in (0.9, 0.95):
            low, high = found.interval(level) or (0.0, 0.0)
            critical = stats.t.ppf((1 + level) / 2, found.df)
            assert found.distance(low) == pytest.approx(critical)
            assert found.distance(high) == pytest.approx(-critical)


def test_shared_real_images_leave_a_difference_in_any_order_of_the_answers() -> None:
    rng, generated = np.random.default_rng(0), np.tile(np.arange(8) >= 4, 6)
    person, image, said = np.repeat(np.arange(6), 8), np.tile(np.arange(8), 6), rng.random(48) < 0.5
    one = Trials.from_labels(said, generated, person, image)
    other = Trials.from_labels(np.where(generated, ~said, said), generated, person, image + 4 * generated)
    turned = other.where(np.arange(48)[::-1])
    found, again = (significance.difference(one, o, generated=0.5, real=-0.5) for o in (other, turned))
    assert found.df == pytest.approx(again.df, rel=1e-9)


def test_each_class_of_images_has_its_own_factor_and_degrees_of_freedom() -> None:
    """Sums of 1 and -1 for two real and of 0.5 and -0.5 (twice) for four generated images: V = 2/1 · 2 + 4/3 · 1."""
    sums = np.array([1.0, -1.0, 0.5, -0.5, 0.5, -0.5])
    variance, df = clustered(sums, np.array([0, 0, 1, 1, 1, 1]))
    assert variance == pytest.approx(4 + 4 / 3)
    assert df == pytest.approx((4 + 4 / 3) ** 2 / (4**2 / 1 + (4 / 3) ** 2 / 3))
    assert clustered(np.zeros(6), np.array([0, 0, 1, 1, 1, 1])) == (0, 4)


@pytest.mark.parametrize(("real", "generated"), [(20, 3), (60, 4), (5, 50)])
def test_few_images_of_one_class_do_not_make_people_able(real: int, generated: int) -> None:
    """Nobody is able; with both classes in one pool 12 to 15 % of such surveys 'could tell'."""
    rng, alarms = np.random.default_rng(0), 0
    isg, people = np.repeat([0, 1], [real, generated]), np.repeat(np.arange(30), real + generated)
    for _ in range(200):
        people_differ = 0.59 * rng.normal(size=(30, 1)) * (isg - 0.5) - 0.2 * rng.normal(size=(30, 1))
        said = people_differ + 0.64 * rng.normal(size=len(isg)) + rng.normal(size=(30, len(isg))) > 0
        answers = Trials(said.ravel(), np.tile(isg, 30) == 1, people, np.tile(np.arange(len(isg)), 30))
        low, high = inference.balanced_accuracy(answers).ci95 or (0, 1)
        alarms += not low <= 0.5 <= high
    assert alarms <= 22  # 11 %; of 5 to 8 % more than that have a probability below 4 %

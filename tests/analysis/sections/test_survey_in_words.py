"""No sentence of the verdict contradicts the numbers that it quotes, whatever the answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.answers.read import read_csv
from analysis.people.estimation.estimate import Estimate
from analysis.people.population import mixed
from analysis.people.scores import over_sets, participants_of, scores_of
from analysis.people.trials import Trials
from analysis.report import manuscript
from analysis.section import Context
from analysis.sections import summary, survey, survey_in_words
from glimpse.workspace import Workspace

BOUND = 0.05
QUOTED = re.compile(r"right about ([\d.]+).% of the images.*?\((\d+) % interval[^:]*: ([\d.]+).% to ([\d.]+).%\)")
P = re.compile(r"\(p (?:= )?(?:< )?([\d.]+)\)")


def random_answers(rng: np.random.Generator) -> Trials:
    """A survey of any shape: class shares, sizes, ceilings, one-way answerers, images that differ, unequal people."""
    real, generated = rng.choice([2, 5, 20, 100], 2)
    people, truth = rng.choice([2, 5, 12, 40]), np.repeat([False, True], [real, generated])
    d_prime = rng.normal(rng.choice([-2, -0.3, 0, 0, 0.3, 1, 6]), rng.choice([0, 0.4, 1.5]), people)
    criterion = rng.normal(rng.choice([-3, 0, 0, 1, 3]), rng.choice([0, 0.3, 1]), people)
    sway = rng.normal(0, rng.choice([0, 0.4, 1.5]), len(truth))
    shown = [rng.permutation(len(truth))[: rng.integers(4, 41)] for _ in range(people)]
    who, image = np.repeat(np.arange(people), [len(one) for one in shown]), np.concatenate(shown)
    evidence = d_prime[who] * (truth[image] - 0.5) - criterion[who] + sway[image]
    return Trials(rng.random(len(who)) < stats.norm.cdf(evidence), truth[image], who, image)


def scores(answers: Trials) -> dict[str, Any]:
    rows = pd.DataFrame({"participant": answers.participant, "set": "all", "response_time_ms": 900.0})
    people = participants_of(rows, answers.counts(), "generated")
    return scores_of(answers, people, "generated", BOUND, 0)


@pytest.mark.parametrize("surveys", [40, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])])
def test_no_sentence_contradicts_the_numbers_beside_it(surveys: int, monkeypatch: pytest.MonkeyPatch) -> None:
    without = Estimate(None, note="not fitted in this test")
    monkeypatch.setattr(mixed, "fit", lambda answers, seed: mixed.MixedModel(without, without))
    rng, seen = np.random.default_rng(0), set()
    for number in range(surveys):
        one = scores(random_answers(rng))
        over_sets({"all": one})
        sentence = survey_in_words.conclusion("all", one)["sentence"]
        code = one["equivalence"]["verdict"]
        seen.add(code)
        result, mean = manuscript.result(one), one["balanced_accuracy"]["mean"]
        assert ("but reversed" in result) == (code == "detectable" and mean < 0.5), result
        untested = code == "undecided" and one["equivalence"]["p_chance"] is None and mean is not None
        assert ("no test is possible" in result) == untested, result
        ends = re.search(r"interval ([\d.]+)\u202f% to ([\d.]+)", result)
        if ends is not None and code != "cannot tell":
            assert (float(ends[1]) <= 50 <= float(ends[2])) == (code != "detectable"), result
        quoted = QUOTED.search(sentence)
        if quoted is None:
            assert code == "undecided", (number, sentence)
            continue
        value, low, high = (float(quoted[i]) for i in (1, 3, 4))
        assert value == pytest.approx(100 * one["balanced_accuracy"]["mean"], abs=0.051)
        assert low - 0.1 <= value <= high + 0.1, sentence
        within = low >= 45 and high <= 55
        if code == "cannot tell":
            assert quoted[2] == "90", sentence
            assert within, sentence
        elif code == "detectable":
            assert quoted[2] == "95", sentence
            assert not low <= 50 <= high, sentence
            assert (high < 50) == ("taken for real more often" in sentence), sentence
        else:
            assert low <= 50 <= high, sentence
            assert not within, sentence
        p = P.search(sentence)
        assert p is None or float(p[1]) < 0.05, sentence
    assert seen == {"cannot tell", "detectable", "undecided"}


def test_an_end_that_would_round_onto_its_limit_gets_more_decimals() -> None:
    one = {
        "participants": 9,
        "d_prime": {"population": None},
        "balanced_accuracy": {"mean": 0.51, "ci95": (0.50004, 0.52), "weighted": {"by_answer": 0.51, "by_image": 0.51}},
        "equivalence": {
            "verdict": "detectable",
            "verdict_over_sets": "detectable",
            "bound": 0.005,
            "p": 0.9,
            "p_chance": 0.0496,
            "ci90": (0.502, 0.518),
            "note": "",
        },
    }
    head, sentence = survey_in_words._decision(one)
    assert head == "People can tell"
    assert "50.004\u202f% to 52.000\u202f%" in sentence
    assert "50.004\u202f% to 52.000\u202f%" in manuscript.result(one)
    assert "p = 0.0496" in sentence


def test_where_able_people_answer_more_the_sentence_says_what_counting_answers_alike_would_give() -> None:
    """One person is right on all of 40 images, three on half of 4 each: 62.5 % of people, 46 of 52 answers."""
    generated = np.tile([True, False], 26)
    right = np.concatenate([np.ones(40, bool), np.tile([True, True, False, False], 3)])
    who, image = np.repeat([0, 1, 2, 3], [40, 4, 4, 4]), np.concatenate([np.arange(40), np.tile(np.arange(4), 3)])
    one = scores(Trials(generated == right, generated, who, image))
    assert one["balanced_accuracy"]["mean"] == pytest.approx(0.625)
    assert one["balanced_accuracy"]["weighted"]["by_answer"] == pytest.approx(46 / 52)
    over_sets({"all": one})
    said = survey_in_words.conclusion("all", one)["sentence"]
    assert "Participants are weighted equally here; it would be 88.5\u202f% with answers weighted equally" in said


def test_one_participant_is_not_called_people() -> None:
    one = scores(Trials(np.array([1, 0, 1, 1], bool), np.array([1, 0, 1, 0], bool), np.zeros(4, int), np.arange(4)))
    over_sets({"all": one})
    assert survey_in_words.conclusion("all", one)["sentence"].startswith("The one participant was right about 75.0")


def test_a_faultless_survey_says_why_it_has_no_p_value() -> None:
    generated = np.tile(np.arange(20) < 10, 12)
    one = scores(Trials(generated, generated, np.repeat(np.arange(12), 20), np.tile(np.arange(20), 12)))
    over_sets({"all": one})
    found = survey_in_words.conclusion("all", one)
    assert found["verdict"] == "People can tell"
    assert found["sentence"].endswith("one answer (every answer was right: no p-values).")
    assert "apart (every answer was right: no p-values)" in manuscript.result(one)


def test_the_methods_paragraph_names_no_test_and_no_d_prime_that_no_set_has(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for people in (1, 8):
        images = [(f"{kind}{i}", kind) for kind in ("real", "generated") for i in range(8)]
        rows = [f"{p},{i},{k},{rng.choice(['real', 'generated'])}" for p in range(people) for i, k in images]
        (tmp_path / "a.csv").write_text("\n".join(["participant,image,truth,answer", *rows]))
        answers = read_csv(tmp_path / "a.csv")
        context = Context(Workspace(tmp_path), responses=answers.trials)
        section = survey.compute(context)
        assert section is not None
        methods = manuscript.texts(context, answers, {"survey": section.scores}, "Nothing was left out.", "1").methods
        assert ("was tested against 50 %" in methods) == (people > 1)
        assert ("d' is that of a probit model" in methods) == (people > 1)


def test_texts_on_one_class_of_images_give_the_share_of_right_answers_and_no_test(tmp_path: Path) -> None:
    """Three people and four generated images, nine of twelve answers right: nothing says whether people can tell."""
    rows = [f"{p},{i},generated,{'real' if i == p else 'generated'}\n" for p in range(3) for i in range(4)]
    (tmp_path / "a.csv").write_text("participant,image,truth,answer\n" + "".join(rows))
    answers = read_csv(tmp_path / "a.csv")
    context = Context(Workspace(tmp_path), responses=answers.trials)
    section = survey.compute(context)
    assert section is not None
    assert "alanced accuracy" not in " ".join(section.methods)
    texts = manuscript.texts(context, answers, {"survey": section.scores}, "Nothing was left out.", "1")
    one = section.scores["all"]
    assert "3 participants judged 4 generated images in 12 scored trials" in texts.methods
    low, high = (f"{100 * end:.1f}\u202f%" for end in one["accuracy"]["ci95"])
    said = f"ight about 75.0\u202f% of the images, all of one class (95 % interval {low} to {high}): not tested ("
    assert f"Participants were r{said}no real image was shown)." in texts.methods
    assert "alanced" not in texts.methods
    assert "d'" not in texts.methods
    items = dict(texts.checklist)
    assert items["Hypothesis"] == items["Tests"] == "None: images of one class only."
    assert items["Outcome"] == "Accuracy, of one class of images."
    assert items["Result"].startswith(f"R{said}")


def texts_of(rows: list[str], tmp_path: Path) -> tuple[manuscript.Texts, list[str]]:
    """The texts for a paper, and the survey section's sentences, on rows of participant, image, truth and answer."""
    (tmp_path / "a.csv").write_text("\n".join(["participant,image,truth,answer", *rows]))
    answers = read_csv(tmp_path / "a.csv")
    context = Context(Workspace(tmp_path), responses=answers.trials)
    section = survey.compute(context)
    assert section is not None
    texts = manuscript.texts(context, answers, {"survey": section.scores}, "Nothing was left out.", "1")
    return texts, section.sentences


def test_the_checklist_names_no_test_interval_or_correction_that_was_not_made(tmp_path: Path) -> None:
    """One image of each class: nothing holds for new images. Eleven of 20 people are right about each."""
    said = [(("generated", "real")[p % 3 > 0], ("generated", "real")[p % 2]) for p in range(20)]
    rows = [f"{p},{k},{k},{each}" for p, two in enumerate(said) for k, each in zip(("real", "generated"), two)]  # noqa: B905
    texts, sentences = texts_of(rows, tmp_path)
    items = dict(texts.checklist)
    reason = "one image of a class: no interval for new images"
    assert [items[name] for name in ("Intervals", "Tests", "Multiplicity")] == [f"None: {reason}."] * 3
    assert "each participant weighted equally. d' is" in texts.methods
    assert f"This survey has a d′ without an interval: {reason}." in sentences


def test_the_checklist_of_a_survey_with_one_verdict_names_no_correction(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = [(f"{kind}{i}", kind) for kind in ("real", "generated") for i in range(8)]
    rows = [f"{p},{i},{k},{rng.choice(['real', 'generated'])}" for p in range(8) for i, k in kinds]
    texts, sentences = texts_of(rows, tmp_path)
    items = dict(texts.checklist)
    assert items["Multiplicity"] == "One verdict, without correction."
    assert items["Tests"].startswith("Two-sided at 5 % against chance")
    assert items["Intervals"] == "For new participants and new images, two-way clustered."
    assert "in which answers given without looking count as inability." in texts.methods
    assert sentences[0] == (
        "Lapses (answers given without looking) lower d′, which counts them as inability: with 20 % of them a d′ of "
        "1.5 is estimated as 1.1 to 1.2."
    )


def test_a_missing_d_prime_has_its_reason_beside_it() -> None:
    none = {"population": None, "ci95": None, "note": "one participant: no population can be estimated"}
    known = {"population": 1.0, "ci95": [0.8, 1.2]}
    sets = {name: {"balanced_accuracy": {"mean": 0.5}, "d_prime": found, "equivalence": {"verdict": "detectable"}}
            for name, found in (("a", none), ("b", none), ("c", known))}  # fmt: skip
    lapses, missing = survey_in_words._d_primes(sets)
    assert lapses.startswith("Lapses")
    assert missing == "a, b have no d′: one participant: no population can be estimated."
    assert survey_in_words._d_primes({"a": sets["a"]}) == [
        "This survey has no d′: one participant: no population can be estimated."
    ]


def test_an_interval_of_d_prime_that_holds_0_beside_people_who_can_tell_is_explained() -> None:
    """p = 0.047 for balanced accuracy; d' has the uncertainty of the spreads besides."""
    d_prime = {"population": 0.73, "ci95": [-0.03, 1.5]}
    one = {"balanced_accuracy": {"mean": 0.615}, "d_prime": d_prime, "equivalence": {"verdict": "detectable"}}
    assert survey_in_words._d_primes({"b": one})[1] == (
        "The interval of d′ holds 0 where the verdict is 'detectable' (b): the verdict is on balanced accuracy; the "
        "interval of d′ includes the uncertainty of how much people and images differ."
    )
    assert len(survey_in_words._d_primes({"b": one | {"equivalence": {"verdict": "undecided"}}})) == 1


def test_an_undecided_result_names_the_test_of_each_p() -> None:
    tests = {"verdict": "undecided", "p": 0.218, "p_chance": 0.131, "bound": 0.05, "ci90": [0.43, 0.503], "note": ""}
    tests["verdict_over_sets"] = "undecided"
    one = {"balanced_accuracy": {"mean": 0.467, "ci95": [0.422, 0.511]}, "d_prime": {"population": None}}
    said = manuscript.result(one | {"equivalence": tests})
    assert said.endswith(": neither test decided, p = 0.131 against 50\u202f% and p = 0.218 of equivalence.")
    untested = manuscript.result(
        one | {"equivalence": tests | {"p": None, "p_chance": None, "note": "one participant"}}
    )
    assert untested.endswith(": no test is possible (one participant).")


def test_the_chance_level_is_that_of_these_classes_and_habits() -> None:
    """15 real and 5 generated images, all called real: 75 % right, by one answer throughout and by this habit."""
    generated = np.tile(np.arange(20) < 5, 3)
    one = scores(Trials(np.zeros(60, bool), generated, np.repeat([0, 1, 2], 20), np.tile(np.arange(20), 3)))
    assert one["accuracy"]["mean"] == 0.75
    assert one["accuracy"]["chance"] == {"one_answer": 0.75, "habit": 0.75}
    assert one["balanced_accuracy"]["mean"] == 0.5


def test_a_verdict_that_does_not_hold_over_all_sets_says_so() -> None:
    tests = {"verdict": "detectable", "p": 0.9, "p_chance": 0.01, "note": ""}
    sets = {str(i): {"equivalence": dict(tests)} for i in range(9)}
    over_sets(sets)
    assert sets["0"]["equivalence"]["p_over_sets"] == pytest.approx(0.09)
    (said,) = survey_in_words._over_sets(sets["0"]["equivalence"])
    assert said == "Tested alone this is significant, but not over all 9 sets together (Bonferroni, p = 0.090)."
    balanced = {"mean": 0.6, "ci95": (0.52, 0.68)}
    one = {"balanced_accuracy": balanced, "d_prime": {"population": None}, "equivalence": tests | {"bound": 0.05}}
    over_sets({"alone": one})
    assert manuscript.result(one).endswith("they told the images apart, p = 0.010.")
    over_sets({str(i): one for i in range(9)})
    said = "undecided over all 9 sets, p = 0.010 alone and p = 0.090 with Bonferroni's correction."
    assert manuscript.result(one).endswith(said)


def test_a_heading_does_not_claim_over_many_sets_what_holds_of_one_alone() -> None:
    """12 people, right on 6 to 9 of 10 images of each class."""
    generated = np.tile(np.arange(20) < 10, 12)
    right = np.concatenate([np.arange(20) % 10 < 6 + who % 4 for who in range(12)])
    one = scores(Trials(generated == right, generated, np.repeat(np.arange(12), 20), np.arange(240)))
    verdicts = {0.0054: ("People can tell", "detectable"), 0.0056: ("Undecided over all 9 sets", "undecided")}
    for p, (head, kind) in verdicts.items():
        sets = {str(i): one | {"equivalence": one["equivalence"] | {"p_chance": p}} for i in range(9)}
        over_sets(sets)
        card = survey_in_words.conclusion("a", sets["0"])
        assert (card["verdict"], card["kind"]) == (head, kind)
        assert summary._row("a", None, sets["0"], None, None)["people"]["verdict"] == kind


def test_an_exclusion_that_leaves_a_fifth_of_the_trials_does_not_contradict_a_verdict() -> None:
    rows = [("none", 1000, "cannot tell"), ("focus lost", 900, "undecided"), ("any flag", 200, "undecided")]
    tried = pd.DataFrame(rows, columns=["left out", "trials", "verdict"]).assign(set="df", p_equivalence=0.5)
    depends, few = survey_in_words._exclusions(tried)
    assert "df, focus lost: undecided instead of cannot tell" in depends
    assert "any flag" not in depends
    assert "df, any flag: 20.0\u202f%" in few
    (told,) = survey_in_words._exclusions(tried.iloc[[0, 0]])
    assert told == "No exclusion that leaves half of the trials changes a verdict."


def test_where_no_verdict_could_be_tested_no_exclusion_is_said_to_leave_it_as_it_is() -> None:
    rows = [("none", 400, "undecided"), ("people who gave one answer throughout", 380, "undecided")]
    tried = pd.DataFrame(rows, columns=["left out", "trials", "verdict"]).assign(set="df", p_equivalence=None)
    assert survey_in_words._exclusions(tried) == []
    assert survey_in_words._exclusions(tried.assign(p_equivalence=0.5)) == [
        "No exclusion that leaves half of the trials changes a verdict."
    ]


def test_a_sentence_on_trends_names_what_was_tested_of_what() -> None:
    """Balanced accuracy is unknown where one class was shown, and a trend without an interval was not tested."""
    lines = {"with": ["position in the sequence", "exposure, s"], "change": -0.07, "low": -0.147, "high": 0.008}
    slopes = pd.DataFrame(lines).assign(set="df", p_holm=0.075)
    both: dict[str, Any] = {"df": {"balanced_accuracy": {"mean": 0.6}}}
    one_class: dict[str, Any] = {"df": {"balanced_accuracy": {"mean": None}}}
    tail = (
        "does not measurably change with the position in the sequence or the exposure; "
        "Holm-corrected over 2 trends, 5 %."
    )
    assert survey_in_words._trends(both, slopes) == [f"Within participants balanced accuracy {tail}"]
    assert survey_in_words._trends(one_class, slopes) == [f"Within participants accuracy {tail}"]
    slopes.loc[1, ["low", "high", "p_holm"]] = np.nan
    assert survey_in_words._trends(both, slopes) == [
        "Within participants balanced accuracy does not measurably change with the position in the sequence; tested at "
        "5 %; 1 could not be tested."
    ]
    clear = survey_in_words._trends(one_class, slopes.head(1).assign(p_holm=0.01))
    assert clear[0].startswith("Within participants accuracy falls by 7.0 percentage points with every 10 trials (95 %")
    assert survey_in_words._trends(both, slopes.assign(low=float("nan"), high=float("nan"))) == []


def test_pairs_that_differ_are_named_up_to_ten_however_small_p_is() -> None:
    names = [f"s{i}" for i in range(14)]
    pairs = pd.DataFrame({"first": names[:-1], "second": names[1:], "p_holm": [0.0] * 12 + [None]})
    tables = {"comparisons": pairs, "exclusions": pd.DataFrame(), "trends": pd.DataFrame()}
    said = survey_in_words.sentences({}, tables)[0]
    assert "s0 and s1; s1 and s2" in said
    assert (
        "s9 and s10 and 2 further pairs differ (balanced accuracy, 12 pairs, Holm-corrected, 5 %; 1 could not" in said
    )
    alike = survey_in_words.sentences({}, tables | {"comparisons": pairs.head(1).assign(p_holm=0.5)})[0]
    assert alike == "No two sets measurably differ (balanced accuracy, 1 pair, tested at 5 %)."


def test_pairs_without_a_test_are_not_said_to_be_alike(tmp_path: Path) -> None:
    """With one image of each class and set the report said 'No two sets measurably differ (3 pairs)' without a test."""
    rows = [{"participant": p, "set": s, "image": f"{s}{t}", "truth": t, "answer": "real" if p > 3 + k else "generated"}
            for p in range(9) for k, s in enumerate("abc") for t in ("real", "generated")]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "answers.csv", index=False)
    section = survey.compute(Context(Workspace(tmp_path), responses=read_csv(tmp_path / "answers.csv").trials))
    assert section is not None
    assert section.sentences[0] == "No test can compare the sets (one image of a class: no interval for new images)."


def test_captions_and_tables_of_one_class_promise_no_second(tmp_path: Path) -> None:
    """Without a real image there is no balanced accuracy, no test, and one curve of images."""
    rng = np.random.default_rng(1)
    rows = [{"participant": f"p{p}", "image": f"g{i}", "truth": "generated", "position": i + 1,
             "answer": rng.choice(["real", "generated"])} for p in range(8) for i in range(12)]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "answers.csv", index=False)
    found = read_csv(tmp_path / "answers.csv")
    section = survey.compute(Context(Workspace(tmp_path), responses=found.trials))
    assert section is not None
    assert section.captions["dependence"].startswith("Accuracy by position in the sequence")
    assert "curves coincide" not in section.captions["image-rates"]
    assert "tests" not in section.tables
    assert not any("balanced accuracy" in sentence for sentence in section.sentences)
    assert section.figures["dependence"]().axes[0].get_ylabel() == "accuracy"

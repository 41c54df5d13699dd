"""Tasks beyond the paper's: pairs, ratings, confidence, deadlines, sides, and within designs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask
from scipy import stats

from glimpse.files import sha256_bytes
from glimpse.stimuli import Source, write_stimulus_set
from glimpse.workspace import Workspace
from study_app import cli
from study_app.commands import bots
from study_app.database import Database, SurveyError
from study_app.definition.study_toml import parse_study
from study_app.experimenter.tally import Tally
from tests.study_app.conftest import load, publish
from tests.study_app.participant.test_survey import ANSWER, enter, stored

SETS = 'sets = [{ name = "alpha" }]\n'


def begun(
    workspace: Workspace, make_app: Callable[..., Flask], toml: str, trials: str = "count = 4\n"
) -> tuple[Flask, Callable[[dict[str, Any]], Any]]:
    """A study of this text and one of its participants: `answer(fields)` posts an answer to the current trial."""
    publish(workspace, "alpha")
    load(workspace, "tasks", f"{toml}{SETS}[trials]\n{trials}")
    app = make_app()
    client = app.test_client()
    base = enter(client, "tasks")

    def answer(fields: dict[str, Any]) -> Any:
        current = client.get(f"{base}/next").get_json()
        given = {**ANSWER, "trial": current.get("trial"), **fields}
        return client.post(f"{base}/answer", json={k: v for k, v in given.items() if v is not None})

    return app, answer


def test_a_rating_is_stored_with_the_answer_that_it_implies(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, 'task = "rating"\n')
    for wrong in (None, 0, 7, "3", 3.5, True):
        assert answer({"rating": wrong}).status_code == 422
    for rating in (1, 3, 4):
        assert answer({"rating": rating, "answer": None}).status_code == 200
    assert answer({"trial": 3, "rating": 4}).status_code == 200
    assert answer({"trial": 3, "rating": 5}).status_code == 409
    rows = [(row["task"], row["rating"], row["answer"], row["confidence"]) for row in stored(app)]
    assert rows == [("rating", 1, "real", None), ("rating", 3, "real", None), ("rating", 4, "generated", None)]


def test_a_confidence_is_stored_beside_the_answer(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, "confidence = true\n")
    for wrong in (None, 0, 5):
        assert answer({"confidence": wrong}).status_code == 422
    assert answer({"confidence": 4}).status_code == 200
    assert [(row["task"], row["answer"], row["confidence"]) for row in stored(app)] == [("yes-no", "real", 4)]


@pytest.mark.parametrize(
    ("toml", "kept"), [("text", ("odd eyes", None, None)), ("click", (None, 3.5, 12.0)), ("none", (None, None, None))]
)
def test_a_reason_is_stored_as_it_was_asked_for(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask], toml: str,
    kept: tuple[str | None, float | None, float | None],
) -> None:  # fmt: skip
    app, answer = begun(workspace, make_app, f'why = "{toml}"\n')
    assert answer({"why": " odd\0 eyes ", "why_x": 3.5, "why_y": 12}).status_code == 200
    assert answer({"why": None}).status_code == 200  # nobody has to give a reason
    rows = [(row["why"], row["why_x"], row["why_y"]) for row in stored(app)]
    assert rows == [kept, (None, None, None)]


def test_ratings_rise_with_the_evidence_and_confidence_with_its_distance() -> None:
    rating, yes_no = ({"task": task, "confidence": task == "yes-no"} for task in ("rating", "yes-no"))
    distances = np.linspace(-1.4, 1.4, 15)
    steps = [bots.asked_for(rating, x)["rating"] for x in distances]
    assert steps == sorted(steps)
    assert set(steps) == {1, 2, 3, 4, 5, 6}
    sure = [bots.asked_for(yes_no, x)["confidence"] for x in distances]
    assert sure == sure[::-1]
    assert set(sure) == {1, 2, 3, 4}


@pytest.mark.parametrize("toml", ['task = "rating"\n', "confidence = true\n"])
def test_the_report_reads_ratings_and_confidence_without_an_option(workspace: Workspace, toml: str) -> None:
    from analysis.answers.read import read_csv, read_database
    from analysis.section import Context
    from analysis.sections.tasks import ratings

    publish(workspace, "alpha")
    load(workspace, "tasks", f"{toml}{SETS}[trials]\ncount = 16\n")
    assert cli.main(["simulate", "--participants", "6", "--sensitivity", "2"]) == 0
    assert cli.main(["export", "--include-simulated"]) == 0
    answers = read_database(workspace, include_simulated=True)
    assert answers is not None
    exported = read_csv(workspace.root / "export" / "tasks" / "data", include_simulated=True)
    assert (exported.trials["rating"] == answers.trials["rating"]).all()
    section = ratings.compute(Context(workspace, responses=answers.trials))
    assert section is not None
    assert 0.8 < section.scores["alpha"]["auc"]["mean"] < 1
    assert section.scores["alpha"]["trials"] == 96


def test_a_key_without_effect_on_the_task_is_refused() -> None:
    with pytest.raises(SurveyError, match="`confidence` has no effect"):
        parse_study({"slug": "a", "sets": [{"name": "b"}], "task": "rating", "confidence": True})


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_instructions_name_confidence_and_reason_in_the_order_of_a_trial(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    publish(workspace, "alpha")
    load(workspace, "tasks", f'confidence = true\nwhy = "text"\nquestions = []\n{SETS}[trials]\ncount = 4\n')
    client = make_app().test_client()
    base = enter(client, "tasks")
    client.post(f"{base}/device")
    page = client.get(f"{base}/").text.split('id="trial"')[0]
    assert page.index("say how sure you are") < page.index("write what made you decide")


def test_a_missed_deadline_is_stored_as_missed_and_is_not_an_answer(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, "answer_ms = 900\nconfidence = true\n")
    missed = {"answer": "missed", "response_time_ms": None}
    for fields in (missed, missed, {"confidence": 2}, {"confidence": 2}):
        assert answer(fields).status_code == 200
    assert answer({"trial": 1, "confidence": 1}).status_code == 409  # too late for an answer
    rows = [(row["answer"], row["response_time_ms"], "missed" in row["flags"]) for row in stored(app)]
    assert rows == [(None, None, True)] * 2 + [("real", 2900.25, False)] * 2
    (person,) = stored(app, "SELECT * FROM participants")
    assert (person["trials"], person["answered"], person["missed"], person["state"]) == (4, 2, 2, "finished")


def test_nothing_is_missed_without_a_deadline(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    _, answer = begun(workspace, make_app, "")
    assert answer({"answer": "missed"}).status_code == 422


def test_missed_deadlines_are_counted_and_scored_nowhere(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    from analysis.answers.read import read_database

    publish(workspace, "alpha")
    load(workspace, "hurried", f"answer_ms = 900\n{SETS}[trials]\ncount = 12\ncatch = 2\n")
    assert cli.main(["simulate", "--participants", "4", "--lapses", "0"]) == 0
    assert cli.main(["status", "--include-simulated", "--json"]) == 0
    answers = read_database(workspace, include_simulated=True)
    assert answers is not None
    missed = answers.counts["missing_answers"]
    assert 10 < missed < 38  # half of 48
    assert len(answers.trials) == 48 - missed
    assert answers.counts["excluded_participants"] == 0  # an attention trial that was missed is not wrong


def test_sides_are_counterbalanced_between_people_and_kept(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    publish(workspace, "alpha")
    load(workspace, "sides", f'sides = "counterbalanced"\n{SETS}[trials]\ncount = 4\n')
    app = make_app()
    client = app.test_client()
    first = Counter()
    for _ in range(4):
        base = enter(client, "sides")
        client.post(f"{base}/questions")
        client.post(f"{base}/device")
        pages = [client.get(f"{base}/").text for _ in range(2)]
        left = "real" if pages[0].index("answer-real") < pages[0].index("answer-generated") else "generated"
        first[left] += 1
        assert f'id="answer-{left}" value="{left}" data-key="f"' in pages[1]
    assert first == {"real": 2, "generated": 2}
    assert sorted(row["mirrored"] for row in stored(app, "SELECT * FROM participants")) == [0, 0, 1, 1]


WITHIN = 'design = "within"\nsets = [{ name = "alpha", quota = 3 }, { name = "beta", quota = 2 }]\n'


def test_within_people_all_sets_are_judged_in_even_shares_beside_one_pool(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    for name in ("alpha", "beta"):
        publish(workspace, name, pool="photos")
    load(workspace, "within", f"{WITHIN}[trials]\ncount = 12\n")
    app = make_app()
    client = app.test_client()
    people = [enter(client, "within") for _ in range(2)]
    assert client.post("/study/within/enter", data={"consent": "yes"}).status_code == 403  # the smaller quota is full
    for base in people:
        for trial in range(1, 13):
            client.post(f"{base}/answer", json={**ANSWER, "trial": trial})
    rows = stored(app)
    kinds = Counter((row["participant"], row["set"], row["truth"], row["source"]) for row in rows)
    person = rows[0]["participant"]
    assert [kinds[person, "all", *kind] for kind in (("real", ""), ("generated", "alpha"), ("generated", "beta"))] == [
        6, 3, 3,
    ]  # fmt: skip
    real = Counter(row["stimulus"] for row in rows if row["truth"] == "real")
    assert len(real) == 12  # no image of the pool twice before each was shown once
    counts = stored(app, "SELECT SUM(shown) AS n FROM stimulus GROUP BY set_id ORDER BY set_id")
    assert [int(row["n"]) for row in counts] == [18, 6]


def test_the_report_pairs_the_sets_of_a_design_within_people(workspace: Workspace) -> None:
    from analysis.answers.read import read_database
    from analysis.people.conditions import families
    from study_app import models
    from study_app.database import Database
    from study_app.experimenter.status import study_status
    from study_app.experimenter.tally import Tally

    for name in ("alpha", "beta"):
        publish(workspace, name, pool="photos")
    load(workspace, "within", f"{WITHIN}[trials]\ncount = 13\n")
    assert cli.main(["simulate", "--participants", "4"]) == 0
    answers = read_database(workspace, include_simulated=True)
    assert answers is not None
    trials = answers.trials
    found = families(trials["set"].tolist(), trials["trial"].tolist(), trials["is_generated"].tolist())
    assert [set(family) for family in found] == [{"alpha", "beta"}]
    assert answers.counts["trials"] == 4 * 13
    assert set(answers.set_versions) == {"all", "alpha", "beta"}
    with Database(workspace.database_url).read() as session:
        study = session.query(models.Study).one()
        status = study_status(session, study, Tally(study.id, "simulated"), models.now())
    assert (status.finished, [one.finished for one in status.sets]) == (4, [4, 4])
    alpha, beta = status.sets
    assert alpha.f1 != beta.f1


def test_a_design_within_people_needs_sets_that_share_their_real_images(workspace: Workspace) -> None:
    for name in ("alpha", "beta"):
        publish(workspace, name)
    path = workspace.root / "study.toml"
    path.write_text(f'slug = "within"\n{WITHIN}')
    assert cli.main(["load", str(path)]) == 2


PAIR = 'task = "pair"\n'
SEQUENCE = PAIR + 'pair = "in-sequence"\n'


def test_a_pair_has_a_real_and_a_generated_image_half_of_them_with_the_real_one_first(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, PAIR, "count = 6\ncatch = 2\n")
    for _ in range(8):
        answer({"exposure_ms": 2500})
    pairs = stored(
        app,
        "SELECT t.kind, a.truth, b.truth AS other, a.kind AS sort, b.kind AS other_sort FROM trial t "
        "JOIN stimulus a ON a.id = t.stimulus_id JOIN stimulus b ON b.id = t.second_id",
    )
    assert all({row["truth"], row["other"]} == {"real", "generated"} for row in pairs)
    assert Counter(row["truth"] for row in pairs) == {"real": 4, "generated": 4}
    assert sum("catch" in (row["sort"], row["other_sort"]) for row in pairs) == 2
    shown = Counter(row["shown"] for row in stored(app, "SELECT shown FROM stimulus WHERE kind = 'scored'"))
    assert shown == {0: 24 - 14, 1: 14}
    (person,) = stored(app, "SELECT * FROM participants")
    assert (person["answered"], person["catch_trials"], person["state"]) == (6, 2, "finished")
    assert all(row["second_stimulus"] and row["second_stimulus"] != row["stimulus"] for row in stored(app))


def test_both_images_of_a_pair_must_have_been_fetched_and_both_exposures_are_stored(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, _ = begun(workspace, make_app, SEQUENCE)
    client = app.test_client()
    base = enter(client, "tasks")
    given = {**ANSWER, "second_exposure_ms": 2500.0}
    for fetched in (["image"], ["image", "second"]):
        trial = client.get(f"{base}/next").get_json()
        assert trial["image"] != trial["second"]
        for key in fetched:
            assert client.get(trial[key]).status_code == 200
        times = {"trial": trial["trial"], "exposure_ms": trial["exposure_ms"]}
        assert client.post(f"{base}/answer", json={**ANSWER, **times}).status_code == 422  # the second is missing
        assert client.post(f"{base}/answer", json={**given, **times}).status_code == 200
        assert client.get(trial["second"]).status_code == 404
    rows = stored(app)
    assert ["not-fetched" in row["flags"] for row in rows] == [True, False]
    assert [row["second_exposure_ms"] for row in rows] == [2500.0] * 2
    assert {"frame-off", "exposure-wrong"} & set(" ".join(row["flags"] for row in rows).split())


@pytest.mark.parametrize(("task", "noted"), [(PAIR, True), ("", False)])
def test_load_says_that_pairs_join_several_generators_of_a_set(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], task: str, noted: bool
) -> None:
    rng = np.random.default_rng(0)
    sources = [
        Source(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8), truth, {"image_set": name}, practice=i >= 12)
        for i in range(14)
        for truth, name in (("real", "photos"), ("generated", ("gan", "diffusion")[i % 2]))
    ]
    write_stimulus_set(
        workspace.root / "stimuli" / "both", label="Both", sources=iter(sources), made_from={"hashes": {}}
    )
    load(workspace, "several", f'{task}sets = [{{ name = "both" }}]\n[trials]\ncount = 4\n')
    note = (
        "both: in pairs, the report joins its 2 generators into one condition. To compare them, publish one set for "
        'each, with the same real images, --count and --seed, and set design = "within".\n'
    )
    assert (note in capsys.readouterr().out) is noted


def test_a_spare_pair_replaces_a_pair_with_a_wrong_exposure(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, PAIR, "count = 4\nspare = 1\n")
    for i in range(5):
        answer({"focus_lost": i == 0})
    rows = stored(app)
    assert [(row["kind"], row["replaced"]) for row in rows] == [("scored", 1), *[("scored", 0)] * 3, ("spare", 0)]
    assert rows[0]["truth"] == rows[4]["truth"]
    assert len({name for row in rows for name in (row["stimulus"], row["second_stimulus"])}) == 10


@pytest.mark.parametrize("toml", [f"{PAIR}{SETS}", f"{SEQUENCE}{WITHIN}"])
def test_the_report_gives_the_share_of_pairs_that_are_told_apart_and_its_d_prime(
    workspace: Workspace, toml: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from analysis.answers.read import read_csv, read_database
    from analysis.section import Context
    from analysis.sections import conditions, survey
    from analysis.sections.tasks import pairs, ratings

    for name in ("alpha", "beta"):
        publish(workspace, name, count=20, pool="photos")
    load(workspace, "tasks", f"confidence = true\n{toml}[trials]\ncount = 20\n")
    assert cli.main(["simulate", "--participants", "10", "--sensitivity", "1", "--spread", "0", "--lapses", "0"]) == 0
    answers = read_database(workspace, include_simulated=True)
    assert answers is not None
    context = Context(workspace, responses=answers.trials)
    assert (survey.compute(context), conditions.compute(context), ratings.compute(context)) == (None, None, None)
    section = pairs.compute(context)
    assert section is not None
    assert set(section.scores) == ({"alpha", "beta"} if "within" in toml else {"alpha"})
    assert sum(one["pairs"] for one in section.scores.values()) == 200
    for one in section.scores.values():
        low, high = one["d_prime"]["ci95"]
        assert low < one["d_prime"]["value"] < high
        # z(0.76) sqrt(2) = 1; which images meet is drawn at random, so within five standard errors of 100 pairs or more
        assert one["right"]["share"] == pytest.approx(0.76, abs=5 * np.sqrt(0.76 * 0.24 / one["pairs"]))
        assert one["d_prime"]["value"] == pytest.approx(np.sqrt(2) * stats.norm.ppf(one["right"]["share"]))
    assert cli.main(["status", "--include-simulated"]) == 0
    assert "right [quartiles]" in capsys.readouterr().out
    tally = Tally(1, "simulated")
    with Database(workspace.database_url).read() as session:
        tally.update(session)
    answers_of_images, said_generated = zip(*tally.images.values(), strict=True)
    assert (sum(answers_of_images), sum(said_generated)) == (400, 200)  # of each pair one is taken for generated
    assert cli.main(["export", "--include-simulated"]) == 0
    exported = read_csv(workspace.root / "export" / "tasks" / "data", include_simulated=True)
    again = pairs.compute(Context(workspace, responses=exported.trials))
    assert again is not None
    assert {k: v["right"] for k, v in again.scores.items()} == {k: v["right"] for k, v in section.scores.items()}


def test_feedback_gives_the_truth_of_practice_images_alone(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    known = {image.sha256: image.truth for image in publish(workspace, "alpha").stimuli}
    for slug, feedback in (("told", "true"), ("silent", "false")):
        load(workspace, slug, f"feedback = {feedback}\npractice = 4\n{SETS}[trials]\ncount = 4\n")
    client = make_app().test_client()
    base = enter(client, "told")
    trials = client.get(f"{base}/practice/").get_json()
    for trial in trials:
        truth = known[sha256_bytes(client.get(trial["image"]).data)]
        assert client.get(f"{base}/practice/truth/{trial['trial']}").get_json() == {"truth": truth}
    assert len(trials) == 4
    assert client.get(f"{base}/practice/truth/5").status_code == 404
    assert client.get(f"{enter(client, 'silent')}/practice/truth/1").status_code == 404


QUESTIONS = """
[[questions]]
key = "job"
text = "Job?"
options = ["nurse", "other"]
required = true
[[questions]]
key = "town"
text = "Town?"
[[questions]]
key = "hard"
text = "Hard?"
scale = 7
ends = ["easy", "hard"]
when = "after"
required = true
"""


def test_required_questions_are_asked_again_and_some_come_after_the_trials(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    publish(workspace, "alpha")
    load(workspace, "asks", f'{SETS}[trials]\ncount = 2\n[completion]\ncode = "DONE"\n{QUESTIONS}')
    app = make_app()
    client = app.test_client()
    base = enter(client, "asks")
    assert "Hard?" not in client.get(f"{base}/").text
    assert client.get(f"{base}/next").status_code == 403  # not before the required question is answered
    again = client.post(f"{base}/questions", data={"town": "Ulm"})
    assert again.status_code == 422
    assert 'value="Ulm"' in again.text
    assert client.post(f"{base}/questions", data={"town": "Ulm", "job": "1"}).status_code == 303
    for trial in (1, 2):
        assert client.post(f"{base}/answer", json={**ANSWER, "trial": trial}).status_code == 200
    page = client.get(f"{base}/").text
    assert page.count('name="hard"') == 7
    assert "DONE" not in page
    assert client.post(f"{base}/questions", data={"hard": "7"}).status_code == 422  # the steps are 0 to 6
    client.post(f"{base}/questions", data={"hard": "6", "job": "0"})
    assert "DONE" in client.get(f"{base}/").text
    (person,) = stored(app, "SELECT * FROM participants")
    assert json.loads(person["questionnaire"]) == {"job": "other", "town": "Ulm", "hard": "7"}
    assert cli.main(["simulate", "asks", "--participants", "1"]) == 0
    simulated = stored(app, "SELECT * FROM participants WHERE simulated = 1")
    assert set(json.loads(simulated[0]["questionnaire"])) == {"job", "hard"}


@pytest.mark.parametrize(
    ("keys", "named"),
    [({"scale": 5, "options": ["a", "b"]}, "scale"), ({"ends": ["a", "b"]}, "ends"), ({"scale": 1}, "scale"),
     ({"options": ["a", "b"], "screen_out": ["a"], "when": "after"}, "screen_out"), ({"when": "never"}, "when")],
)  # fmt: skip
def test_a_question_with_keys_that_contradict_is_refused(keys: dict[str, Any], named: str) -> None:
    question = {"key": "a", "text": "A?", **keys}
    with pytest.raises(SurveyError, match=rf"`questions\[1\]\.{named}`"):
        parse_study({"slug": "a", "sets": [{"name": "b"}], "questions": [question]})

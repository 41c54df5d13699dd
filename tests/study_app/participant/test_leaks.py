"""Only the pixels separate real from generated images: a classifier that sees everything else learns nothing.

Everything that a participant's browser receives for 80 trials (200, marked slow) becomes features; boosted trees,
cross-validated, try to tell the truth from them, and a permutation test judges their success. The same test finds a
header, one byte of size, or a field of an answer, that depends on the truth, in 80 trials.
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from glimpse.workspace import Workspace
from study_app import models
from study_app.definition.study import StudyFile
from study_app.participant import design, trials
from tests.study_app.conftest import load, publish

PEOPLE, TRIALS, PERMUTATIONS = 4, 20, 99  # the fewest whose p-value can be 0.01


def received(name: str, response: TestResponse, seconds: float) -> dict[str, Any]:
    """A response as a browser gets it, but for the pixels: status, headers and their order, length, time."""
    features: dict[str, Any] = {
        f"{name} status": response.status_code,
        f"{name} length": len(response.data),
        f"{name} seconds": seconds,
        f"{name} order": " ".join(key for key, _ in response.headers),
    }
    for key, value in response.headers:
        features[f"{name} header {key}"] = value
    return features | (fields(name, response.get_json()) if response.is_json else {})


def fields(name: str, value: Any) -> dict[str, Any]:
    """Every key and value of a JSON body, however deep; of a text, which may be an address with a nonce, its words."""
    if isinstance(value, dict):
        inner = {f"{name} keys": " ".join(value)}  # and their order
        return inner | {k: v for key in value for k, v in fields(f"{name} {key}", value[key]).items()}
    if isinstance(value, list):
        return {k: v for i, entry in enumerate(value) for k, v in fields(f"{name} {i}", entry).items()}
    return {name: value} | (words(name, value.rsplit("/", 1)[-1]) if isinstance(value, str) else {})


def png_structure(png: bytes) -> dict[str, Any]:
    """Chunks, their sizes, the compression's header and blocks, each row's filter: all that is not a pixel."""
    features: dict[str, Any] = {"png signature": png[:8]}
    at, kinds, data = 8, [], b""
    while at + 8 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind = png[at + 4 : at + 8]
        kinds.append((kind, length))
        if kind == b"IHDR":
            features["png header"] = png[at + 8 : at + 8 + length]
            width, height = struct.unpack(">II", png[at + 8 : at + 16])
        elif kind == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    features["png chunks"], features["png after"] = str(kinds), png[at:]
    features["zlib header"] = data[:7]
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * 3)
    features["filters"] = rows[:, 0].tobytes()
    return features


def words(name: str, text: str) -> dict[str, Any]:
    """The visible features of an opaque name: its length and its characters."""
    codes = [ord(character) for character in text]
    ends = codes or [-1]
    return {
        f"{name} length": len(text), f"{name} first": ends[0], f"{name} last": ends[-1], f"{name} sum": sum(codes),
        f"{name} digits": sum(map(str.isdigit, text)), f"{name} capitals": sum(map(str.isupper, text)),
    }  # fmt: skip


def collect(
    client: FlaskClient, app: Flask, slug: str, people: int = PEOPLE
) -> tuple[list[dict[str, Any]], list[bool]]:
    """The features of the trials of so many people, and whether each image was generated."""
    features, tokens = [], []

    def timed(call: Callable[[], TestResponse]) -> tuple[TestResponse, float]:
        start = time.perf_counter()
        response = call()
        return response, time.perf_counter() - start

    for _ in range(people):
        entered = client.post(f"/study/{slug}/enter", data={"consent": "yes"})
        token = entered.headers["Location"].split("/")[2]
        tokens.append(token)
        base = f"/p/{token}"
        practice = fields("practice", client.get(f"{base}/practice/").get_json())
        next_response, next_seconds = timed(lambda base=base: client.get(f"{base}/next"))
        trial = next_response.get_json()
        for _ in range(TRIALS):
            image, seconds = timed(lambda trial=trial: client.get(trial["image"]))
            seen = practice | fields("trial", trial) | received("image", image, seconds) | png_structure(image.data)
            seen |= received("before", next_response, next_seconds)
            if "second" in trial:
                second, seconds = timed(lambda trial=trial: client.get(trial["second"]))
                assert second.data != image.data
                seen |= {
                    f"second {k}": v
                    for k, v in (received("image", second, seconds) | png_structure(second.data)).items()
                }
            begun = {"trial": trial["trial"], "view": "test"}
            seen |= received("begin", *timed(lambda base=base, begun=begun: client.post(f"{base}/begin", json=begun)))
            answer = {
                "trial": trial["trial"], "answer": "real", "exposure_ms": 2500, "response_time_ms": 2900,
                "dropped_frames": 0, "focus_lost": False, "confidence": 2,
            }  # fmt: skip
            next_response, next_seconds = timed(
                lambda base=base, answer=answer: client.post(f"{base}/answer", json=answer)
            )
            features.append(seen | received("answer", next_response, next_seconds))
            trial = next_response.get_json()["next"]
    with app.extensions["glimpse"].read() as session:
        truths = session.execute(
            select(models.LoadedStimulus.truth)
            .join(models.Trial, models.Trial.stimulus_id == models.LoadedStimulus.id)
            .join(models.Participant)
            .where(models.Participant.token.in_(tokens))
            .order_by(models.Participant.id, models.Trial.position)
        ).scalars()
        return features, [truth == "generated" for truth in truths]


def matrix(features: list[dict[str, Any]]) -> np.ndarray:
    """(trials, features): the rank of each number or text, which is all that trees see; no column twice or constant."""
    columns = set()
    for key in sorted({key for seen in features for key in seen}):
        values = [seen.get(key) for seen in features]
        if not all(isinstance(value, int | float) for value in values):
            values = [re.sub(r"/p/[^/]+", "/p/TOKEN", str(value)) for value in values]
        rank = {value: i for i, value in enumerate(sorted(set(values)))}
        if len(rank) > 1:
            columns.add(tuple(rank[value] for value in values))
    return np.array(sorted(columns), float).T


def p_value(features: list[dict[str, Any]], generated: list[bool], seed: int = 0) -> float:
    """The permutation p-value of boosted trees' cross-validated AUC; truths are permuted within participants."""
    rng = np.random.default_rng(seed)
    x, truth = matrix(features), np.array(generated)

    def score(labels: np.ndarray) -> float:
        trees = GradientBoostingClassifier(n_estimators=4, max_depth=2, subsample=0.7, random_state=seed)
        evidence = np.empty(len(labels))
        for learned, tested in StratifiedKFold(3, shuffle=True, random_state=seed).split(x, labels):
            evidence[tested] = trees.fit(x[learned], labels[learned]).decision_function(x[tested])
        return float(roc_auc_score(labels, evidence))

    observed = score(truth)
    as_good = 0
    for done in range(1, PERMUTATIONS + 1):
        as_good += score(rng.permuted(truth.reshape(-1, TRIALS), axis=1).ravel()) >= observed
        if as_good == 5:  # whatever the others give, the p-value is not small
            return as_good / done
    return (1 + as_good) / (1 + PERMUTATIONS)


@pytest.fixture
def survey(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, make_app: Callable[..., Flask]) -> tuple[Flask, str]:
    publish(workspace, "alpha", count=40)
    return make_app(), load(workspace, "leaks", 'sets = [{ name = "alpha" }]\n')


@pytest.mark.parametrize("people", [PEOPLE, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "toml", ["", 'task = "pair"\ndesign = "within"\nconfidence = true\nfeedback = true\n'], ids=["paper", "pairs"]
)
def test_nothing_but_the_pixels_separates_real_from_generated(
    workspace: Workspace, make_app: Callable[..., Flask], toml: str, people: int
) -> None:
    """Of pairs: which of the two is real, by anything that belongs to the first one or to the second."""
    sets = ["alpha", "beta"] if toml else ["alpha"]
    for name in sets:
        publish(workspace, name, count=40, pool="photos")
    named = ", ".join(f'{{ name = "{name}" }}' for name in sets)
    app, slug = make_app(), load(workspace, "leaks", f"{toml}sets = [{named}]\n")
    client = app.test_client()
    features, generated = collect(client, app, slug, people)
    assert len({seen["image length"] for seen in features}) == 1  # all images of a set are equally long on the wire
    assert len({seen["image header Content-Length"] for seen in features}) == 1
    assert not any(re.search("encoding|etag|last-modified", key, re.IGNORECASE) for seen in features for key in seen)
    first = p_value(features, generated)
    # One collection in a hundred has such a p-value by chance (times are never the same twice); a leak has it again.
    assert first > 0.01 or p_value(*collect(client, app, slug, people)) > 0.01


def test_a_header_that_depends_on_the_truth_is_found(survey: tuple[Flask, str]) -> None:
    app, slug = survey

    @app.after_request
    def leak(response: Response) -> Response:
        if "/image/" in request.path:
            nonce = request.path.rsplit("/", 1)[1]
            with app.extensions["glimpse"].read() as session:
                truth = session.scalar(
                    select(models.LoadedStimulus.truth)
                    .join(models.Trial, models.Trial.stimulus_id == models.LoadedStimulus.id)
                    .where(models.Trial.nonce == nonce)
                )
            response.headers["X-Cache"] = "hit" if truth == "real" else "miss"
        return response

    assert p_value(*collect(app.test_client(), app, slug)) <= 0.01


def test_one_byte_of_size_that_depends_on_the_truth_is_found(survey: tuple[Flask, str]) -> None:
    app, slug = survey
    with app.extensions["glimpse"].write() as session:
        for image in session.scalars(
            select(models.StimulusImage).join(models.LoadedStimulus).where(models.LoadedStimulus.truth == "generated")
        ):
            image.png += b"\0"
    assert p_value(*collect(app.test_client(), app, slug)) <= 0.01


def test_a_field_of_an_answer_that_depends_on_the_truth_is_found(
    survey: tuple[Flask, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, slug = survey
    describe = trials._describe

    def leak(token: str, drawn: list[models.Trial], file: StudyFile) -> dict[str, Any]:
        current = trials._current(drawn)
        hint = {} if current is None else {"hint": ["ab", "ba"][drawn[current].stimulus.truth == "real"]}
        return describe(token, drawn, file) | hint

    monkeypatch.setattr(trials, "_describe", leak)
    assert p_value(*collect(app.test_client(), app, slug)) <= 0.01


def test_no_page_or_answer_before_the_end_holds_a_truth(survey: tuple[Flask, str]) -> None:
    """Nor an ID, name or hash of a stimulus, which a copy of the stimulus set would give away."""
    app, slug = survey
    client = app.test_client()
    token = client.post(f"/study/{slug}/enter", data={"consent": "yes"}).headers["Location"].split("/")[2]
    with app.extensions["glimpse"].read() as session:
        mine = session.scalar(select(models.Participant.withdrawal_token))
        secrets = [
            *session.scalars(select(models.LoadedStimulus.public_id)),
            *session.scalars(select(models.LoadedStimulus.sha256)),
        ]
    texts = []
    for i in range(1, 20):
        for path in (f"p/{token}/", f"p/{token}/next", f"p/{token}/practice/", f"withdraw/{mine}"):
            texts.append(client.get(f"/{path}").get_data(as_text=True))
        data = client.get(f"/withdraw/{mine}/data.json")
        texts.append(data.text)
        assert [trial["position"] for trial in data.get_json()["trials"]] == list(range(1, i))
        assert not any("kind" in trial for trial in data.get_json()["trials"])  # attention trials are all generated
        answer = {
            "trial": i, "answer": "real", "exposure_ms": 1, "response_time_ms": 1, "dropped_frames": 0,
            "focus_lost": False,
        }  # fmt: skip
        texts.append(client.post(f"/p/{token}/answer", json=answer).get_data(as_text=True))
    said = "\n".join(texts)
    assert not any(secret in said for secret in secrets)
    assert "truth" not in said
    assert "You were right" not in said


# ------------------------------------------------------------------------------------------------ seeds

SEEDS = 2**8  # of a stream shrunken from 2**128, so that an attacker can try them all


def computed_order(client: FlaskClient, slug: str, pairs: bool) -> tuple[str, list[set[str]]]:
    """A token, and for each trial the truths that an attacker computes, who tries all seeds against the exposures."""
    home = client.post(f"/study/{slug}/enter", data={"consent": "yes"}).headers["Location"]
    shown = []
    trial = client.get(f"{home}next").get_json()
    while "done" not in trial:
        shown.append(trial["exposure_ms"])
        answer = {"answer": "real", "exposure_ms": 1, "response_time_ms": 1, "dropped_frames": 0, "focus_lost": False}
        trial = client.post(f"{home}answer", json={"trial": trial["trial"], **answer}).get_json()["next"]
    fitting = []
    for seed in range(SEEDS):
        planned = design.plan(
            count=TRIALS, real_share=0.5, shown_real=[0] * 40, shown_generated=[0] * 40, exposure_ms=(2000, 3000),
            rng=np.random.default_rng(seed), times_rng=np.random.default_rng(seed), pairs=pairs,
        )  # fmt: skip
        if [one.exposure_ms for one in planned] == shown:
            fitting.append([one.truth for one in planned])
    return home.split("/")[2], [set(truths) for truths in zip(*fitting, strict=True)]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("pairs", [False, True])
def test_the_exposures_seed_reveals_no_truth(
    survey: tuple[Flask, str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch, shared: bool, pairs: bool
) -> None:
    """The attack works where images and exposures share a seed (`shared`), and finds nothing in two streams."""
    app, slug = survey
    if pairs:
        slug = load(workspace, "pairs", 'task = "pair"\nsets = [{ name = "alpha" }]\n')
    drawn = np.random.default_rng(0)

    def shrunken() -> np.random.Generator:
        return np.random.default_rng(seeds[-1] if shared else int(drawn.integers(SEEDS)))

    monkeypatch.setattr(design, "stream", shrunken)
    right = 0
    for person in range(4):
        seeds = [person]
        token, truths = computed_order(app.test_client(), slug, pairs)
        assert len(truths) == TRIALS  # the exposures' seed was found
        with app.extensions["glimpse"].write() as session:
            kept = session.scalars(
                select(models.LoadedStimulus.truth).select_from(models.Trial).join(models.Trial.stimulus).join(models.Participant)
                .where(models.Participant.token == token).order_by(models.Trial.position)
            ).all()  # fmt: skip
            session.execute(update(models.LoadedStimulus).values(shown=0))  # as the attacker assumes
        right += sum(computed == {truth} for computed, truth in zip(truths, kept, strict=True))
    assert right == 4 * TRIALS if shared else 20 <= right <= 60


def test_streams_have_128_bits_and_none_is_stored(survey: tuple[Flask, str]) -> None:
    from sqlalchemy import inspect

    entropies = {design.stream().bit_generator.seed_seq.entropy for _ in range(20)}  # type: ignore[attr-defined]
    assert len(entropies) == 20
    assert 2**120 < max(entropies) < 2**128
    columns = inspect(survey[0].extensions["glimpse"].engine).get_columns("participant")
    assert not [column["name"] for column in columns if re.search("seed|state_|rng|entropy", column["name"])]

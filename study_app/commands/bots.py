"""A simulated participant: it takes the survey over HTTP as a browser does, and judges by signal detection theory.

A bot sees only what a browser sees. It looks up the SHA-256 of the received bytes in a table of truths read from the
local workspace: the server never sends the truth. It recognises the image of an attention trial by its colours,
whatever its sensitivity; only lapses miss it.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import numpy as np

from glimpse.files import sha256_bytes
from study_app.database import SurveyError
from study_app.participant.answer import FRAME_MS
from study_app.participant.attention import is_attention_image

# Distances from the criterion at which a bot gives the next step of a rating, and of its confidence.
RATING_STEPS, CONFIDENCE_STEPS = (-1.0, -0.5, 0.0, 0.5, 1.0), (0.4, 0.8, 1.2)
CATCH = 3.0  # the distance of an unmistakable image
TIME_CONSTANT_MS = 300.0  # a bot reaches 63 % of its sensitivity at this exposure, 99.9 % at 2 s
PATIENCE = 24  # retries, 5 s apart, of a busy or rate-limited request


@dataclass(frozen=True)
class Reply:
    """The response to a request."""

    status: int
    location: str
    body: bytes

    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class Http(Protocol):
    """One participant's browser: sends a request and follows no redirect. `form` and `data` (JSON) make it a POST."""

    def __call__(
        self, path: str, form: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None
    ) -> Reply: ...


@dataclass(frozen=True)
class Offered:
    """A study that simulated participants may enter."""

    slug: str
    simulated: str  # `security.simulation_pass`


@dataclass(frozen=True)
class Observer:
    """A bot's judgement. `sensitivity`: d' at long exposures; `bias`: criterion c, above 0 leans towards 'real'."""

    sensitivity: float = 1.0
    bias: float = 0.0
    lapses: float = 0.02  # share of trials answered without looking
    response_ms: float = 900.0  # median response time after the image is gone

    def d_prime(self, exposure_ms: float) -> float:
        return float(self.sensitivity * -np.expm1(-exposure_ms / TIME_CONSTANT_MS))

    def distance(self, truth: str, exposure_ms: float, rng: np.random.Generator) -> float:
        """The distance of the evidence, N(±d'/2, 1), from the criterion: above 0 the answer is 'generated'.

        `truth`: real, generated, or catch (an unmistakable image, generated).
        """
        if rng.random() < self.lapses:
            return float(rng.normal())
        if truth == "catch":
            return CATCH
        mean = self.d_prime(exposure_ms) / 2 * (1 if truth == "generated" else -1)
        return float(rng.normal(mean)) - self.bias

    def response_time(self, rng: np.random.Generator) -> float:
        """ms after the image is gone: log-normal around the median, at least a quarter of it."""
        return float(max(self.response_ms / 4, self.response_ms * np.exp(rng.normal(0, 0.35))))


def take_part(
    http: Http, study: Offered, observer: Observer, truths: Mapping[str, str], rng: np.random.Generator,
    wait: Callable[[float], None] | None = None,
) -> int:  # fmt: skip
    """Go through the study from its address to the debrief; returns how many trials were answered, 0 if screened out.

    `truths`: SHA-256 of an image's bytes to its truth (real, generated, catch). `wait` is called with the milliseconds
    that a person would take; with None, it does not wait. Raises SurveyError when the study is not open, or shows an
    unknown image.
    """
    paced, slug = wait or (lambda ms: None), study.slug
    address = f"/study/{quote(slug, safe='')}/"
    query = "?" + urlencode({"simulated": study.simulated})
    page = _retried(http, address + query, paced=wait)
    if page.status == 404:
        raise SurveyError(f"There is no study '{slug}' at that address: check its name, and --url if you gave one.")
    if page.status != 200:
        raise SurveyError(
            f"The study '{slug}' admits no simulated participants (it answered {page.status}): open it first; with "
            "--url, the workspace needs a copy of that server's secret.key."
        )
    entered = _retried(http, f"{address}enter{query}", form={"consent": "yes"}, paced=wait)
    if entered.status != 303:
        raise SurveyError(
            f"The study '{slug}' admits no participants (it answered {entered.status}): check its state and quotas."
        )
    home = urlsplit(entered.location).path
    http(f"{home}questions", form=_filled(http(home), rng))
    http(f"{home}device", form={"frame_ms": f"{FRAME_MS:.3f}", "width": "1280", "height": "800", "touch": "0"})
    found = re.search(r'id="setup">(.*?)</script>', http(home).body.decode())
    if found is None:
        return 0  # an answer screened them out
    setup = json.loads(found[1])
    trial = http(f"{home}next").json()
    answered, fetched = 0, dict[str, bytes]()  # the next image is fetched while the current one is judged, as pages do
    while not trial.get("done"):
        images = [fetched.get(trial[key]) or http(trial[key]).body for key in ("image", "second") if key in trial]
        result = _judge(trial, setup, [_truth(image, truths) for image in images], observer, rng)
        if (
            setup["why"] and result["response_time_ms"] is not None
        ):  # in words and as a point: the study reads the form that it asks for
            width, height = struct.unpack(">II", images[0][16:24])
            result |= {"why": "simulated", "why_x": rng.uniform(0, width), "why_y": rng.uniform(0, height)}
        fetched = {url: http(url).body for key in ("prefetch", "prefetch_second") if (url := trial.get(key))}
        http(f"{home}begin", data={"trial": trial["trial"]})
        paced(500 + (result["response_time_ms"] or result["exposure_ms"] + setup["deadline"]))
        trial = _answer(http, f"{home}answer", result, wait)
        answered += 1
    http(f"{home}questions", form=_filled(http(home), rng))
    http(home)
    return answered


def _filled(page: Reply, rng: np.random.Generator) -> dict[str, str]:
    """Random answers to the required questions of a page; the others are skipped."""
    inputs = re.findall(r"<input [^>]* required>", page.body.decode())
    fields = [dict(re.findall(r'(\w+)="([^"]*)"', one)) for one in inputs]
    choices: dict[str, list[str]] = {}
    for field in fields:
        choices.setdefault(field["name"], []).append(field["value"] if field["type"] == "radio" else "simulated")
    return {name: str(rng.choice(values)) for name, values in choices.items()}


def _truth(image: bytes, truths: Mapping[str, str]) -> str:
    truth = truths.get(sha256_bytes(image)) or ("catch" if is_attention_image(image) else None)
    if truth is None:
        raise SurveyError(
            "The server shows an image that this workspace does not hold: run `simulate` with the workspace (or "
            "the DATABASE_URL) that the study was loaded from."
        )
    return truth


def asked_for(setup: Mapping[str, Any], distance: float) -> dict[str, Any]:
    """The fields of an answer that the page asks for, from the distance of the evidence from the criterion."""
    given: dict[str, Any] = {"answer": "generated" if distance > 0 else "real"}
    if setup["task"] == "rating":
        given = {"rating": 1 + int(np.searchsorted(RATING_STEPS, distance))}
    if setup["confidence"]:
        given["confidence"] = 1 + int(np.searchsorted(CONFIDENCE_STEPS, abs(distance)))
    return given


def _judge(
    trial: Mapping[str, Any],
    setup: Mapping[str, Any],
    shown: Sequence[str],
    observer: Observer,
    rng: np.random.Generator,
) -> dict[str, Any]:
    thinking_ms = observer.response_time(rng)
    exposure = trial["exposure_ms"]
    missed = setup["deadline"] is not None and thinking_ms > setup["deadline"]
    if missed:
        thinking_ms = setup["deadline"]
    if exposure is None:  # shown until answered
        seen, response = thinking_ms, thinking_ms
    else:
        seen = max(1, round(exposure / FRAME_MS)) * FRAME_MS
        response = seen + thinking_ms
    # Of two images, the one that looks more generated is taken for generated; the answer is about the first.
    first, *second = (observer.distance(truth, seen, rng) for truth in shown)
    given = {"answer": "missed"} if missed else asked_for(setup, first - sum(second))
    if setup["sequence"]:
        given = {**given, "second_exposure_ms": round(seen, 2)}
    return {
        "trial": trial["trial"], **given, "exposure_ms": round(seen, 2),
        "response_time_ms": None if missed else round(response, 2), "dropped_frames": 0, "focus_lost": False,
        "frame_ms": round(FRAME_MS, 3), "by": "other", "fullscreen": True,
    }  # fmt: skip


def _answer(http: Http, path: str, result: Mapping[str, Any], wait: Callable[[float], None] | None) -> dict[str, Any]:
    reply = _retried(http, path, data=result, paced=wait)
    if reply.status != 200:
        raise SurveyError(f"An answer was refused ({reply.status}: {reply.body[:200].decode(errors='replace')}).")
    following: dict[str, Any] = reply.json()["next"]
    return following


def _retried(
    http: Http, path: str, *, form: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None,
    paced: Callable[[float], None] | None,
) -> Reply:  # fmt: skip
    """Repeat a request while the server is busy or limits the rate; returns the last reply."""
    import time

    for _ in range(PATIENCE):
        reply = http(path, form=form, data=data)
        if reply.status not in (429, 502, 503):
            return reply
        (paced or (lambda ms: time.sleep(ms / 1000)))(5000)
    return reply

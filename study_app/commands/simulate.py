"""`study_app simulate`: bots, always marked as such, take the survey over HTTP, to try out a study or its server."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from glimpse.command_line import Commands, analysis_command, counted, in_range, pasteable
from glimpse.progress import progress
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from study_app.commands.bots import Http, Offered, Reply


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "simulate", help="let simulated participants take the survey",
        description="Let simulated participants take the survey over HTTP, with a given sensitivity and bias. They are "
        "marked as simulated everywhere, and results leave them out unless --include-simulated is given.",
    )  # fmt: skip
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the study's slug (default: the only study)")
    parser.add_argument("--participants", type=int, default=20, metavar="N", help="number of participants")
    parser.add_argument("--sensitivity", type=float, default=1.0, metavar="D", help="mean d' of the participants")
    parser.add_argument(
        "--bias", type=float, default=0.0, metavar="C", help="mean criterion c; above 0 favours the answer 'real'"
    )
    parser.add_argument(
        "--spread", type=float, default=0.2, metavar="SD", help="standard deviation of d' and c across participants"
    )
    parser.add_argument(
        "--lapses", type=float, default=0.02, metavar="SHARE", help="share of trials answered at random"
    )
    parser.add_argument(
        "--response-ms", type=float, default=900.0, metavar="MS",
        help="median time from the end of the exposure to the answer, in ms",
    )  # fmt: skip
    parser.add_seed("the participants and their answers")
    parser.add_argument("--url", metavar="URL", help="a survey that is being served (default: one in this process)")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="concurrent participants, with --url")
    parser.add_argument("--realtime", action="store_true", help="wait as long as people would")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    import time
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from study_app.commands import bots
    from study_app.database import open_database
    from study_app.studies import study_named

    _check(args)
    with open_database(workspace).read() as session:
        slug = _offered(args.url, args.study) if args.url else study_named(session, args.study).slug
    known = truths(workspace)
    browser = _remote(args.url) if args.url else _local(workspace)
    offered = offered_by(workspace, slug)
    wait: Callable[[float], None] | None = (lambda ms: time.sleep(ms / 1000)) if args.realtime else None

    def one(seed: np.random.SeedSequence) -> int:
        rng = np.random.default_rng(seed)
        observer = bots.Observer(
            sensitivity=rng.normal(args.sensitivity, args.spread), bias=rng.normal(args.bias, args.spread),
            lapses=args.lapses, response_ms=args.response_ms,
        )  # fmt: skip
        with browser() as http:
            return bots.take_part(http, offered, observer, known, rng, wait)

    seeds = np.random.SeedSequence(args.seed).spawn(args.participants)
    with ThreadPoolExecutor(args.at_once if args.url or args.realtime else 1) as pool:
        taken = pool.map(one, seeds)
        answers = list(progress(taken, title="taking part", unit="participants", total=len(seeds)))
    out = f" ({answers.count(0)} screened out by their answers)" if 0 in answers else ""
    print(
        f"{counted(len(answers), 'simulated participant')}{out} gave {counted(sum(answers), 'answer')} in the study "
        f"'{slug}'. Next: {pasteable(workspace, 'study_app', 'status', '--include-simulated')}\n"
        f"Or: {pasteable(workspace, *analysis_command('report'), '--include-simulated')}"
    )


def _check(args: argparse.Namespace) -> None:
    from math import isfinite

    from study_app.database import SurveyError

    in_range("--participants", args.participants, 1)
    in_range("--at-once", args.at_once, 1)
    if not all(map(isfinite, (args.sensitivity, args.bias, args.spread, args.response_ms))):
        raise SurveyError("--sensitivity, --bias, --spread and --response-ms must be finite numbers.")
    if not 0 <= args.lapses <= 1 or args.spread < 0 or not 0 < args.response_ms <= 60_000:
        raise SurveyError(
            "--lapses is a share from 0 to 1, --spread is at least 0, --response-ms from above 0 to 60000."
        )


def offered_by(workspace: Workspace, slug: str) -> Offered:
    """The study, for simulated participants: with the pass that the workspace's secret key gives."""
    from study_app.commands.bots import Offered
    from study_app.security import secret_key, simulation_pass

    return Offered(slug, simulation_pass(slug, secret_key(workspace.root / "secret.key")))


def truths(workspace: Workspace) -> dict[str, str]:
    """Truth by the SHA-256 of an image's bytes, from the local database and the workspace's stimulus sets."""
    from sqlalchemy import case, select

    from glimpse.files import read_json
    from study_app.database import Database
    from study_app.models import LoadedStimulus

    found: dict[str, str] = {}
    for name in workspace.names("stimuli"):
        manifest = read_json(workspace.existing("stimuli", name) / "manifest.json")
        found |= {image["sha256"]: image["truth"] for image in manifest["stimuli"]}
    with Database(workspace.database_url).read() as session:
        kind = case((LoadedStimulus.kind == "catch", "catch"), else_=LoadedStimulus.truth)
        found |= dict(session.execute(select(LoadedStimulus.sha256, kind)).all())
    return found


# ------------------------------------------------------------------------------------------------ servers


def _offered(url: str, slug: str | None) -> str:
    """The given slug, or that of the only open study, to which / redirects."""
    from urllib.parse import urlsplit

    from study_app.database import SurveyError

    if slug is not None:
        return slug
    with _remote(url)() as http:
        first = http("/")
    if first.status >= 400:
        raise SurveyError(f"There is no survey at {url} (it answered {first.status}): check the address.")
    parts = urlsplit(first.location).path.rstrip("/").split("/")
    if len(parts) < 2 or parts[-2] != "study":
        raise SurveyError(
            f"The survey at {url} does not have exactly one open study: name one, such as `simulate pilot`."
        )
    return parts[-1]


def _local(workspace: Workspace) -> Any:
    """Browsers for the survey in this process, through its HTTP interface but without a network."""
    from study_app import create_app
    from study_app.commands.bots import Reply

    app = create_app({"WORKSPACE": workspace, "ENTER_PER_MINUTE": 10**6, "ERASE_EXPIRED": False})

    @contextmanager
    def browser() -> Iterator[Http]:
        client = app.test_client()

        def http(
            path: str, form: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None
        ) -> Reply:  # fmt: skip
            post = form is not None or data is not None
            reply = client.open(path, method="POST" if post else "GET", data=form, json=data)
            return Reply(reply.status_code, reply.headers.get("Location", ""), reply.data)

        yield http

    return browser


def _remote(url: str) -> Any:
    """Browsers for a running survey; each keeps one connection."""
    import http.client
    import json
    from urllib.parse import quote, urlencode, urlsplit

    from study_app.commands.bots import Reply
    from study_app.database import SurveyError

    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        parts = urlsplit(url)
        kind = kinds[parts.scheme]
        if not kind(parts.netloc).host:  # does not connect yet, but rejects a bad host or port
            raise ValueError
        parts.netloc.encode("idna")
    except (ValueError, KeyError, http.client.InvalidURL):
        raise SurveyError(f"--url {url}: give the survey's address, such as http://127.0.0.1:5000.") from None
    base = quote(parts.path.rstrip("/"), safe="/%")

    @contextmanager
    def browser() -> Iterator[Http]:
        connection = kind(parts.netloc, timeout=60)

        def request(
            path: str, form: Mapping[str, str] | None = None, data: Mapping[str, Any] | None = None
        ) -> Reply:  # fmt: skip
            post = form is not None or data is not None
            headers = {"Content-Type": "application/json" if data is not None else "application/x-www-form-urlencoded"}
            path = path if base and path.startswith(f"{base}/") else base + path  # as a redirect names it, or below it
            body = json.dumps(data) if data is not None else urlencode(form or {})
            try:
                if post:
                    connection.request("POST", path, body.encode(), headers)
                else:
                    connection.request("GET", path)
                reply = connection.getresponse()
                return Reply(reply.status, reply.headers.get("Location", ""), reply.read())
            except (OSError, http.client.HTTPException) as error:
                connection.close()  # the next request opens another
                raise SurveyError(f"The survey at {url} does not answer ({error}): is it running?") from None

        try:
            yield request
        finally:
            connection.close()

    return browser

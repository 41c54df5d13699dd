"""Two hundred people at once: how fast an answer is stored, that none is lost, and that sets stay in balance.

Each person enters at a random moment of the first minute and goes at a person's pace: 500 ms fixation, the exposure,
then 0.5-1.5 s to answer; every image is fetched, a page ahead as browsers do. The server is `study_app serve` in
separate processes: waitress on SQLite, or gunicorn's workers on a private PostgreSQL cluster, both with fsync.

    python -m benchmarks.survey_load [--database sqlite|postgresql] [--participants 200]
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import socket
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from sqlalchemy import text

from glimpse.command_line import program
from glimpse.workspace import Workspace
from study_app import cli
from study_app.database import Database
from tests.study_app.cluster import private_cluster
from tests.study_app.commands.test_serve import served
from tests.study_app.conftest import publish

SETS = ("hands", "healthy", "eczema", "df", "mel")
ENTER_WITHIN_S = 60.0
Timed = dict[str, list[float]]


class Browser:
    """One person's connection: HTTP/1.1, kept alive."""

    def __init__(self, port: int, timed: Timed) -> None:
        self.port, self.timed = port, timed
        self.reader: asyncio.StreamReader | None = None

    async def __call__(
        self, kind: str, path: str, body: bytes | None = None, json_body: bool = True
    ) -> tuple[int, dict[str, str], bytes]:
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\n"
        if body is not None:
            content = "application/json" if json_body else "application/x-www-form-urlencoded"
            head += f"Content-Type: {content}\r\nContent-Length: {len(body)}\r\n"
        began = time.perf_counter()
        self.writer.write(head.encode() + b"\r\n" + (body or b""))
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines[1:] if line)}
        content_bytes = await self.reader.readexactly(int(headers["content-length"]))
        self.timed[kind].append((time.perf_counter() - began) * 1000)
        if headers.get("connection", "").lower() == "close":
            self.writer.close()
            self.reader = None
        return int(lines[0].split()[1]), headers, content_bytes


async def person(port: int, seed: int, timed: Timed, acknowledged: list[tuple[str, int]]) -> None:
    rng = np.random.default_rng([7, seed])
    await asyncio.sleep(rng.uniform(0, ENTER_WITHIN_S))
    browse = Browser(port, timed)

    async def expect(
        code: int, kind: str, path: str, body: bytes | None = None, json_body: bool = True
    ) -> tuple[dict[str, str], bytes]:
        status, headers, content = await browse(kind, path, body, json_body)
        if status != code:
            raise SystemExit(f"{kind} {path}: {status} instead of {code}: {content[:200]!r}")
        return headers, content

    await expect(200, "page", "/study/load/")
    headers, _ = await expect(303, "enter", "/study/load/enter", b"consent=yes", json_body=False)
    home = urlsplit(headers["location"]).path
    for page, form in (("questions", b"age=1"), ("device", b"frame_ms=16.667")):
        await expect(200, "page", home)
        await expect(303, "form", home + page, form, json_body=False)
    await expect(200, "page", home)
    trial = json.loads((await expect(200, "next", f"{home}next"))[1])
    await expect(200, "image", trial["image"])
    while not trial.get("done"):
        if trial.get("prefetch"):
            await expect(200, "image", trial["prefetch"])
        await expect(200, "begin", f"{home}begin", json.dumps({"trial": trial["trial"]}).encode())
        pause = rng.uniform(500, 1500)
        await asyncio.sleep((500 + trial["exposure_ms"] + pause) / 1000)
        given = {
            "trial": trial["trial"], "answer": str(rng.choice(["real", "generated"])), "dropped_frames": 0,
            "exposure_ms": trial["exposure_ms"], "response_time_ms": trial["exposure_ms"] + pause, "focus_lost": False,
        }  # fmt: skip
        _, content = await expect(200, "answer", f"{home}answer", json.dumps(given).encode())
        acknowledged.append((home, trial["trial"]))
        trial = json.loads(content)["next"]
    await expect(200, "page", home)
    browse.writer.close()


async def crowd(port: int, people: int, timed: Timed, acknowledged: list[tuple[str, int]]) -> None:
    async with asyncio.TaskGroup() as group:
        for seed in range(people):
            group.create_task(person(port, seed, timed, acknowledged))


def check(workspace: Workspace, people: int, acknowledged: list[tuple[str, int]]) -> list[int]:
    """Check that no answer is lost or doubled and everyone finished; returns the number of people of each set."""
    with Database(workspace.database_url).read() as session:
        stored = session.execute(text("SELECT COUNT(*) FROM responses")).scalar_one()
        distinct = session.execute(
            text("SELECT COUNT(*) FROM (SELECT DISTINCT participant, position FROM responses) t")
        ).scalar_one()
        finished = session.execute(text("SELECT COUNT(*) FROM participants WHERE state = 'finished'")).scalar_one()
        sizes = [row[0] for row in session.execute(text('SELECT COUNT(*) FROM participants GROUP BY "set"'))]
    assert len(set(acknowledged)) == len(acknowledged) == stored == distinct == people * 20, (stored, distinct)
    assert finished == people
    assert max(sizes) - min(sizes) <= 1, sizes
    return sizes


def main() -> int:
    parser = program("python -m benchmarks.survey_load", __doc__ or "", workspace=False)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="database to load")
    parser.add_argument("--participants", type=int, default=200, metavar="N", help="concurrent participants")
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    timed: Timed = defaultdict(list)
    acknowledged: list[tuple[str, int]] = []
    postgres = args.database == "postgresql"
    with (
        tempfile.TemporaryDirectory() as folder,
        private_cluster(durable=True) if postgres else nullcontext() as cluster,
    ):
        os.environ.pop("DATABASE_URL", None)
        if cluster is not None:
            os.environ["DATABASE_URL"] = cluster.new_database()
        workspace = Workspace.at(Path(folder) / "workspace")
        study = workspace.root / "load.toml"
        os.environ["GLIMPSE_WORKSPACE"] = str(workspace.root)
        with redirect_stdout(sys.stderr):
            for name in SETS:
                publish(workspace, name, count=100, size=128)
            study.write_text('slug = "load"\n' + "".join(f'[[sets]]\nname = "{name}"\n' for name in SETS))
            if cli.main(["load", str(study)]):
                return 1
        with served(workspace, port, *(["--workers", "4"] if postgres else [])):
            began = time.perf_counter()
            asyncio.run(crowd(port, args.participants, timed, acknowledged))
            seconds = time.perf_counter() - began
        sizes = check(workspace, args.participants, acknowledged)
    requests = sum(map(len, timed.values()))
    print(
        f"{args.database}, {args.participants} people, {requests} requests in {seconds:.0f} s, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; {min(sizes)}-{max(sizes)} people per set; no error, "
        "nothing lost or doubled"
    )
    print(f"{'ms':>10} {'n':>7} {'median':>8} {'p95':>8} {'p99':>8} {'max':>8}")
    for kind in ("answer", "begin", "image", "enter", "page", "next"):
        values = np.array(timed[kind])
        quantiles = " ".join(f"{value:8.1f}" for value in (*np.quantile(values, [0.5, 0.95, 0.99]), values.max()))
        print(f"{kind:>10} {len(values):7d} {quantiles}")
    return 0 if np.quantile(timed["answer"], 0.99) < 100 else 1


if __name__ == "__main__":
    sys.exit(main())

"""Time of a dashboard refresh, an entry and an answer in a database of ten thousand participants.

Writes 10,000 participants with 20 trials each (200,000 trials) straight into a SQLite database, then asks for the live
part of /admin/ as a browser does every five seconds.

    python -m benchmarks.scale.dashboard [--participants 10000]
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, select

from glimpse.command_line import program
from glimpse.workspace import Workspace
from study_app import create_app, models
from study_app.database import Database
from tests.study_app.conftest import load, publish

SETS = ("hands", "healthy", "eczema", "df", "mel")


def fill(database: Database, people: int) -> None:
    """`people` participants over five days, nine of ten finished, one left after eight answers."""
    rng, now = np.random.default_rng(0), models.now()
    with database.write() as session:
        study = session.scalars(select(models.Study)).one()
        version, images = study.current, {}
        for stimulus in session.scalars(select(models.LoadedStimulus).filter_by(kind="scored")):
            images.setdefault(stimulus.set_id, []).append((stimulus.id, stimulus.truth))
        participants: list[dict[str, Any]] = []
        trials: list[dict[str, Any]] = []
        for i in range(1, people + 1):
            set_id = version.sets[i % len(SETS)].set_id
            at, finished = now - timedelta(minutes=float(rng.uniform(0, 5 * 24 * 60))), rng.random() < 0.9
            participants.append({
                "id": i, "public_id": f"p{i}", "token": f"t{i}", "withdrawal_token": f"w{i}", "study_id": study.id,
                "version_id": version.id, "set_id": set_id, "stage": "end",
                "state": "finished" if finished else "working",
                "simulated": False, "language": "en", "entered_at": at, "last_seen_at": at,
                "finished_at": at if finished else None, "comment": f"comment {i}" if i % 10 == 0 else None,
            })  # fmt: skip
            for position, pick in enumerate(rng.choice(len(images[set_id]), 20, replace=False), 1):
                stimulus_id, truth = images[set_id][pick]
                answer = truth if rng.random() < 0.6 else ("generated" if truth == "real" else "real")
                trials.append({
                    "participant_id": i, "position": position, "kind": "scored", "stimulus_id": stimulus_id, "begun": 1,
                    "nonce": f"{i}-{position}", "exposure_ms_planned": 2500.0, "response_time_ms": 3000.0, "flags": "",
                    "exposure_ms_actual": 2500 + float(rng.normal(0, 4)), "dropped_frames": 0, "focus_lost": False,
                    "answered_at": at, "answer": answer if finished or position <= 8 else None,
                })  # fmt: skip
        session.execute(insert(models.Participant), participants)
        for start in range(0, len(trials), 20_000):
            session.execute(insert(models.Trial), trials[start : start + 20_000])


def report(what: str, times: int, ask: Callable[[], Any]) -> None:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    print(f"{what:32} {times:4d} times: median {np.median(took):6.0f} ms, slowest {max(took):6.0f} ms")


def main() -> None:
    parser = program("python -m benchmarks.scale.dashboard", __doc__ or "", workspace=False)
    parser.add_argument("--participants", type=int, default=10_000, metavar="N", help="participants in the database")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.at(Path(folder) / "workspace")
        database = Database(workspace.database_url)
        with redirect_stdout(sys.stderr):
            for name in SETS:
                publish(workspace, name, count=100, size=64)
            load(workspace, "large", "".join(f'[[sets]]\nname = "{name}"\n' for name in SETS))
        fill(database, args.participants)
        client = create_app({"WORKSPACE": workspace, "ADMIN_PASSWORD": "x", "ENTER_PER_MINUTE": 10**6}).test_client()
        token = re.search(r'name="token" value="([^"]+)"', client.get("/admin/login").text)
        client.post("/admin/login", data={"password": "x", "token": token[1] if token else ""})

        def live() -> None:
            assert client.get("/admin/study/large/live").status_code == 200

        def answer() -> None:
            given = {"exposure_ms": 2500, "response_time_ms": 3000, "dropped_frames": 0, "focus_lost": False}
            trial = client.get(f"{home}next").json["trial"]
            assert client.post(f"{home}answer", json={"trial": trial, "answer": "real", **given}).status_code == 200

        print(f"{args.participants} participants, {args.participants * 20} trials, SQLite")
        report("dashboard, first after a start", 1, live)
        report("dashboard, refreshed", 30, live)
        pages = {"participants": "participants", "their last page": f"participants?page={args.participants // 100}",
                 "a search": "participants?q=p99", "comments": "comments", "images": "images"}  # fmt: skip
        for name, path in pages.items():
            report(name, 5, lambda path=path: client.get(f"/admin/study/large/{path}").get_data())
        report("entering", 10, lambda: client.post("/study/large/enter", data={"consent": "yes"}))
        home = client.post("/study/large/enter", data={"consent": "yes"}).headers["Location"]
        report("next trial and answer", 20, answer)


if __name__ == "__main__":
    main()

"""Many participants at once: sets stay balanced, no answer is stored twice, and SQLite's writers queue."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app.database import Database

ANSWER = {"trial": 1, "exposure_ms": 2400, "response_time_ms": 900, "dropped_frames": 0, "focus_lost": False}


def test_sets_stay_within_one_however_many_enter_at_once(
    workspace: Workspace, study: str, make_app: Callable[..., Flask]
) -> None:
    apps = [make_app(ENTER_PER_MINUTE=10**6) for _ in range(2)]  # two worker processes know nothing of each other

    def enter(number: int) -> int:
        client = apps[number % 2].test_client()
        return client.post("/study/pilot/enter", data={"consent": "yes"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(31))) == {303}
    with Database(workspace.database_url).read() as session:
        sizes = session.execute(text('SELECT COUNT(*) FROM participants GROUP BY "set"')).scalars().all()
        shown = session.execute(text("SELECT shown FROM stimulus WHERE kind = 'scored'")).scalars().all()
        drawn = session.execute(text("SELECT COUNT(*) FROM trial GROUP BY stimulus_id")).scalars().all()
    assert sorted(sizes) == [15, 16]
    assert sorted(shown) == sorted(drawn)
    assert max(shown) - min(shown) <= 1


def test_a_consent_sent_many_times_at_once_enters_one_participant(
    workspace: Workspace, study: str, make_app: Callable[..., Flask]
) -> None:
    apps = [make_app() for _ in range(2)]
    for query, form in (("?PROLIFIC_PID=abc", {"token": "s" * 24}), ("", {"token": "t" * 24})):

        def enter(number: int, query: str = query, form: dict[str, str] = form) -> str:  # type: ignore[assignment]
            client = apps[number % 2].test_client()
            return client.post(f"/study/pilot/enter{query}", data={"consent": "yes", **form}).headers["Location"]

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(enter, range(12)))) == 1
    with Database(workspace.database_url).read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM participant")).scalar() == 2


def test_of_opposite_answers_at_the_same_moment_one_is_stored(
    workspace: Workspace, study: str, make_app: Callable[..., Flask]
) -> None:
    apps = [make_app() for _ in range(2)]
    home = apps[0].test_client().post("/study/pilot/enter", data={"consent": "yes"}).headers["Location"]

    def answer(number: int) -> int:
        given = {**ANSWER, "answer": ("real", "generated")[number % 2]}
        return apps[number % 2].test_client().post(f"{home}answer", json=given).status_code

    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(answer, range(16)))
    assert codes == [200] * 8 + [409] * 8
    with Database(workspace.database_url).read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM responses")).scalar() == 1

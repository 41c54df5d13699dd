"""Failures of the database while the survey is served: locked, full, read-only, out of reach.

Participants get a page that asks them to try again, scripts the status 503, after which they retry by themselves, and
experimenters a line in the log. The survey continues as soon as the database works again. `/healthz` answers programs
that watch a server with 200 while the database can be read, else with 503.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from flask import Flask, Response, current_app, g, request
from sqlalchemy import exc, text

from study_app.database import BusyError, app_database, described

OURS = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)  # bugs, not failures
AGAIN_S = 60.0  # a lasting failure is logged this often
RETRY_S = "5"
log = logging.getLogger("glimpse")


def init_app(app: Flask) -> None:
    app.extensions["glimpse_trouble"] = {}  # when a sentence was last logged
    for failure in (exc.DatabaseError, exc.InterfaceError, exc.TimeoutError, BusyError):
        app.register_error_handler(failure, unavailable)
    app.after_request(_works_again)
    app.add_url_rule("/healthz", view_func=healthz)


def unavailable(error: Exception) -> Any:
    """The page, or the status, for a request that the database does not serve."""
    if isinstance(error, OURS):
        raise error
    sentence = str(described(error, current_app.config["DATABASE_URL"]) or error)
    logged = current_app.extensions["glimpse_trouble"]
    if time.monotonic() - logged.get(sentence, -AGAIN_S) >= AGAIN_S:
        logged[sentence] = time.monotonic()
        log.error("%s Until then participants are asked to try again; no answer that was saved is lost.", sentence)
    g.failed = True
    return _page(sentence), 503, {"Retry-After": RETRY_S}


def healthz() -> Any:
    """Whether the database can be read; says nothing about the study."""
    with app_database().read() as session:
        session.execute(text("SELECT version_num FROM alembic_version"))
    return "ok\n", {"Content-Type": "text/plain; charset=utf-8"}


def _page(sentence: str) -> str:
    from flask import render_template

    if request.path.startswith("/admin/"):
        return render_template("admin/error.html", sentence=sentence)
    return render_template("error.html", code=503) if request.accept_mimetypes.accept_html else ""


def _works_again(response: Response) -> Response:
    logged = current_app.extensions["glimpse_trouble"]
    if logged and request.method == "POST" and response.status_code < 400 and "failed" not in g:
        logged.clear()
        log.warning("The database works again.")
    return response

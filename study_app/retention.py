"""Erasure after the retention period, once a day in every server process, whichever server runs the application.

A process starts the daily check at its first request, or when `start` is called (`study_app serve`, a hook after a
fork). Where a server allows no threads, run `study_app forget --expired` daily instead.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from study_app.database import Database

DAY_S = 24 * 3600.0
RETRY_S = 600.0
_starting = threading.Lock()


def init_app(app: Flask) -> None:
    if app.config["ERASE_EXPIRED"] and not app.testing:
        app.before_request(lambda: start(app))


def start(app: Flask) -> None:
    """Anonymise participants past their retention period once a day; several processes may do so at once.

    Does nothing where this process does so already: threads do not survive a fork, so each worker starts its own.
    """
    with _starting:
        if app.extensions.get("glimpse_retention") == os.getpid():
            return
        app.extensions["glimpse_retention"] = os.getpid()

    def daily() -> None:
        while True:
            time.sleep(forget_now(app.extensions["glimpse"]))

    threading.Thread(target=daily, name="retention", daemon=True).start()


def forget_now(database: Database) -> float:
    """Anonymise participants past their retention period; returns the seconds until the next run."""
    from glimpse.command_line import counted
    from study_app import models
    from study_app.database import SurveyError
    from study_app.experimenter.accounts import record
    from study_app.participant import withdrawal

    log = logging.getLogger("glimpse")
    try:
        count = withdrawal.forget_expired(database, models.now())
        if count:
            people = counted(count, "participant")
            with database.write() as session:
                record(session, "anonymise", about=people, who="retention")
            log.warning("Retention: the links, IDs and comments of %s were erased.", people)
    except SurveyError as error:  # the clock has jumped
        log.error("Retention: %s", error)
        return DAY_S
    except Exception as error:  # any failure (a busy database, a full disk): the daily thread must go on
        reason = getattr(error, "orig", None) or error  # SQLAlchemy writes more around what the database says
        said = next(iter(str(reason).splitlines()), type(reason).__name__)
        log.error("Retention: nothing was erased (%s); trying again in ten minutes.", said)
        return RETRY_S
    return DAY_S

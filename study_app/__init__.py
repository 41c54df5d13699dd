"""The survey: participants tell real from generated images in timed trials; experimenters run and watch the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """The WSGI application.

    `config`: WORKSPACE (a Workspace; default: that of the environment), DATABASE_URL, ENTER_PER_MINUTE,
    TRUSTED_PROXIES, PREFIX (the path below which the survey is shown), WAIT_MS and WRITERS (see `Database`),
    ERASE_EXPIRED (whether to erase data past its retention period), and any setting of Flask. The database is created
    and migrated as needed.
    """
    from flask import Flask

    from glimpse.workspace import Workspace
    from study_app import database, database_failures, i18n, retention, security
    from study_app.experimenter import admin, overview, participants, recruiting  # noqa: F401  (each adds its pages)
    from study_app.participant import entry, pages, practice, trials, withdrawal

    app = Flask(__name__)
    app.config.update(
        WORKSPACE=Workspace.at(), ENTER_PER_MINUTE=300, TRUSTED_PROXIES=0, PREFIX="", WAIT_MS=database.SERVED_MS,
        WRITERS=None, ERASE_EXPIRED=True, MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_MEMORY_SIZE=64 * 1024, MAX_FORM_PARTS=100,
    )  # fmt: skip
    app.config.update(config or {})
    workspace: Workspace = app.config["WORKSPACE"]
    app.config.setdefault("DATABASE_URL", workspace.database_url)
    database.upgrade(app.config["DATABASE_URL"])
    app.extensions["glimpse"] = database.Database(
        app.config["DATABASE_URL"], wait_ms=app.config["WAIT_MS"], writers=app.config["WRITERS"]
    )
    database_failures.init_app(app)
    retention.init_app(app)
    security.init_app(app)
    i18n.init_app(app)
    app.register_blueprint(entry.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(trials.blueprint)
    app.register_blueprint(practice.blueprint)
    app.register_blueprint(withdrawal.blueprint)
    admin.init_app(app)
    for code in (403, 404, 405, 410, 413, 429, 500):
        app.register_error_handler(code, pages.error_page)
    return app

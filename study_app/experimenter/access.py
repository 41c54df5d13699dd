"""Access to /admin/: passwords, kept as scrypt hashes; sessions of 12 hours; a token in every form.

The password of the environment is that of the experimenter `accounts.FIRST`; others have accounts in the database.

Attempts to log in are limited by address and in total. A browser that has logged in before carries a signed cookie and
has a separate limit, so that others who guess, even from the same address, do not lock its owner out.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import secrets
import time
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Request, abort, current_app, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from glimpse.files import sha256_bytes
from study_app import models
from study_app.database import app_database
from study_app.experimenter.accounts import FIRST, record
from study_app.orm import storable
from study_app.security import Limit, address, derived

SESSION_HOURS = 12
TRIES_PER_MINUTE, ALL_TRIES_PER_MINUTE = 5, 30  # from one address or known browser, and from all addresses together
BROWSER, BROWSER_DAYS = "glimpse-browser", 365
blueprint = Blueprint("access", __name__, url_prefix="/admin")


def error_page(error: Any) -> Any:
    """An error page of the dashboard."""
    code = getattr(error, "code", None) or 500
    sentence = {
        404: "Not found: no such study, participant or image.",
        413: f"The upload is too large: at most {(request.max_content_length or 0) / 2**20:g} MB are accepted.",
        500: "The server failed; its log gives the reason.",
    }.get(code, getattr(error, "description", ""))
    return render_template("admin/error.html", sentence=sentence), code


def explain_errors(pages: Blueprint) -> None:
    for code in (400, 404, 405, 413, 422, 429, 500):
        pages.register_error_handler(code, error_page)


explain_errors(blueprint)


class AdminSessions(SecureCookieSessionInterface):
    """Sessions whose cookie is sent to /admin/ only and, if the dashboard uses HTTPS, over HTTPS only."""

    def get_cookie_name(self, app: Flask) -> str:
        return "glimpse"

    def get_cookie_path(self, app: Flask) -> str:
        return f"{request.script_root}/admin"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def init_app(app: Flask) -> bool:
    """Open /admin/ if there is a password: ADMIN_PASSWORD in the config, $GLIMPSE_ADMIN_PASSWORD, or an account's.

    Returns whether it is open.
    """
    password = app.config.pop("ADMIN_PASSWORD", None) or os.environ.get("GLIMPSE_ADMIN_PASSWORD")
    with app.extensions["glimpse"].read() as database:
        if not password and not _has_accounts(database):
            return False
    app.extensions["glimpse_admin"] = _hash(app, password) if password else b""  # the password itself is not stored
    app.extensions["glimpse_tries"] = (Limit(TRIES_PER_MINUTE), Limit(ALL_TRIES_PER_MINUTE))
    app.session_interface = AdminSessions()
    app.register_blueprint(blueprint)
    return True


def _hash(app: Flask, password: str) -> bytes:
    """scrypt with the survey's secret key in the salt: the same hash in all worker processes of this survey only."""
    key = app.secret_key.encode() if isinstance(app.secret_key, str) else app.secret_key
    return hashlib.scrypt(password.encode(), salt=b"glimpse admin" + (key or b""), n=2**14, r=8, p=1)


def _has_accounts(database: Session) -> bool:
    return database.scalar(select(models.Experimenter.name).limit(1)) is not None


def _kept(database: Session, name: str) -> bytes:
    """The hash of an experimenter's password; b"" for one who has none."""
    if name == FIRST:
        kept: bytes = current_app.extensions["glimpse_admin"]
        return kept
    found = database.get(models.Experimenter, name)
    return found.password.encode() if found else b""


def _is_right(name: str, password: str) -> bool:
    if name == FIRST:
        kept: bytes = current_app.extensions["glimpse_admin"]
        return hmac.compare_digest(_hash(current_app, password), kept)
    with app_database().read() as database:
        hashed = _kept(database, name).decode()
    return check_password_hash(hashed or _dummy(), password)


@functools.cache
def _dummy() -> str:
    """The hash of a random password: checking it makes a wrong name take as long as a wrong password."""
    return generate_password_hash(secrets.token_hex())


def _seal(kept: bytes) -> str:
    """The value that marks an admitted session; a new password changes it and ends the experimenter's sessions."""
    return hmac.new(kept, b"session", hashlib.sha256).hexdigest()


def is_admitted() -> bool:
    """Whether this browser's session began with the current password, is not too old, and has not been ended."""
    sealed, since, name = str(session.get("seal", "")), session.get("since", 0), str(session.get("name", ""))
    if not sealed or time.time() - since >= SESSION_HOURS * 3600:
        return False
    with app_database().read() as database:
        kept = _kept(database, name)
        if not kept or not hmac.compare_digest(sealed, _seal(kept)):
            return False
        return database.get(models.AdminSession, _session_key()) is not None


def _session_key() -> str:
    return sha256_bytes(str(session.get("id", "")).encode())


def _known_browser(name: str) -> str:
    """The cookie of a browser with this random name that has logged in.

    A new password of the environment makes it invalid.
    """
    key = derived("dashboard browser") + current_app.extensions["glimpse_admin"]
    return f"{name}.{hmac.new(key, name.encode(), hashlib.sha256).hexdigest()}"


def _may_try() -> bool:
    by_address, by_all = current_app.extensions["glimpse_tries"]
    given = request.cookies.get(BROWSER, "")
    name = given.partition(".")[0]
    if name and hmac.compare_digest(given.encode(), _known_browser(name).encode()):
        return bool(by_address.allows(f"browser {name}"))
    return bool(by_address.allows(address()) and by_all.allows(""))


def guard() -> Response | None:
    """Before each request to the dashboard: require a login, and a valid token in each form."""
    if not is_admitted():
        if request.method != "GET" or request.headers.get("X-Requested-With") == "live":
            abort(401)
        return redirect(url_for("access.login", next=request.script_root + request.full_path.rstrip("?")), 303)
    if request.method == "POST":
        check_token(request)
    return None


def form_token() -> str:
    """The token that the forms of this session carry."""
    if "token" not in session:
        session["token"] = secrets.token_urlsafe(24)
    return str(session["token"])


def check_token(incoming: Request) -> None:
    given, kept = incoming.form.get("token", ""), session.get("token", "")
    if not kept or not hmac.compare_digest(given.encode(), kept.encode()):
        abort(400, "The form is out of date: go back, reload the page and try again.")


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> Any:
    onward = request.values.get("next", "")
    if not onward.startswith(url_for("admin.overview")) or "\\" in onward or set(onward) & {"\r", "\n"}:
        onward = url_for("admin.overview")
    if request.method == "GET":
        if is_admitted():
            return redirect(onward, 303)
        return _ask(onward)
    check_token(request)
    if not _may_try():
        return _ask(onward, "Too many attempts. Wait a minute."), 429, {"Retry-After": "60"}
    name = storable(request.form.get("name", ""), 64) or FIRST
    if not _is_right(name, request.form.get("password", "")[:1000]):
        return _ask(onward, "Wrong name or password." if name != FIRST else "Wrong password."), 403
    session.clear()  # nothing from before the login is kept
    with app_database().write() as database:
        session.update(seal=_seal(_kept(database, name)), since=time.time(), id=secrets.token_urlsafe(24), name=name)
        record(database, "log in")
        old = models.now() - timedelta(hours=SESSION_HOURS)
        database.execute(delete(models.AdminSession).where(models.AdminSession.since < old))
        database.add(models.AdminSession(key=_session_key(), name=name, since=models.now()))
    response = redirect(onward, 303)
    response.set_cookie(
        BROWSER, _known_browser(secrets.token_hex(12)), max_age=BROWSER_DAYS * 86_400, path=url_for("access.login"),
        secure=request.is_secure, httponly=True, samesite="Strict",
    )  # fmt: skip
    return response


def _ask(onward: str, wrong: str = "") -> str:
    with app_database().read() as database:
        named = _has_accounts(database)
    return render_template("admin/login.html", token=form_token(), onward=onward, wrong=wrong, named=named)


@blueprint.post("/logout")
def logout() -> Any:
    check_token(request)
    with app_database().write() as database:
        database.execute(delete(models.AdminSession).where(models.AdminSession.key == _session_key()))
    session.clear()
    return redirect(url_for("access.login"), 303)

"""Access to /admin/: one password, kept as a scrypt hash; sessions of 12 hours; a token in every form.

Tries of the password are limited by address and in all. A browser that has logged in before carries a signed cookie and
has a limit to itself, so that others who guess, even from the same address, do not lock its owner out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, Request, abort, current_app, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import delete
from werkzeug.wrappers import Response

from glimpse.files import sha256_bytes
from study_app import models
from study_app.database import app_database
from study_app.security import Limit, address

SESSION_HOURS = 12
TRIES_PER_MINUTE, ALL_TRIES_PER_MINUTE = 5, 30  # from one address or known browser, and from all addresses together
BROWSER, BROWSER_DAYS = "glimpse-browser", 365
blueprint = Blueprint("access", __name__, url_prefix="/admin")


def sorry(error: Any) -> Any:
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
        pages.register_error_handler(code, sorry)


explain_errors(blueprint)


class AdminSessions(SecureCookieSessionInterface):
    """The cookie is sent to /admin/ only, and over HTTPS only where the dashboard uses it."""

    def get_cookie_name(self, app: Flask) -> str:
        return "glimpse"

    def get_cookie_path(self, app: Flask) -> str:
        return f"{request.script_root}/admin"

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def init_app(app: Flask) -> bool:
    """Open /admin/ if a password is set (ADMIN_PASSWORD in the config, or $GLIMPSE_ADMIN_PASSWORD); returns whether."""
    password = app.config.pop("ADMIN_PASSWORD", None) or os.environ.get("GLIMPSE_ADMIN_PASSWORD")
    if not password:
        return False
    app.extensions["glimpse_admin"] = _hash(app, password)  # the password itself is not stored
    app.extensions["glimpse_tries"] = (Limit(TRIES_PER_MINUTE), Limit(ALL_TRIES_PER_MINUTE))
    app.session_interface = AdminSessions()
    app.register_blueprint(blueprint)
    return True


def _hash(app: Flask, password: str) -> bytes:
    """scrypt with the survey's secret key in the salt: the same hash in all worker processes of this survey only."""
    key = app.secret_key.encode() if isinstance(app.secret_key, str) else app.secret_key
    return hashlib.scrypt(password.encode(), salt=b"glimpse admin" + (key or b""), n=2**14, r=8, p=1)


def _seal() -> str:
    """The value that marks an admitted session; a new password changes it and ends all sessions."""
    return hmac.new(current_app.extensions["glimpse_admin"], b"session", hashlib.sha256).hexdigest()


def is_admitted() -> bool:
    """Whether this browser's session was begun with the present password, is not too old, and has not been ended."""
    sealed, since = str(session.get("seal", "")), session.get("since", 0)
    if not hmac.compare_digest(sealed, _seal()) or time.time() - since >= SESSION_HOURS * 3600:
        return False
    with app_database().read() as database:
        return database.get(models.AdminSession, _session_key()) is not None


def _session_key() -> str:
    return sha256_bytes(str(session.get("id", "")).encode())


def _known_browser(name: str) -> str:
    """The cookie of a browser with this random name that has logged in; a new password makes it worthless."""
    return f"{name}.{hmac.new(current_app.extensions['glimpse_admin'], name.encode(), hashlib.sha256).hexdigest()}"


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
        return render_template("admin/login.html", token=form_token(), onward=onward)
    check_token(request)
    if not _may_try():
        page = render_template(
            "admin/login.html", token=form_token(), onward=onward, wrong="Too many attempts. Wait a minute."
        )
        return page, 429, {"Retry-After": "60"}
    password = request.form.get("password", "")[:1000]
    if not hmac.compare_digest(_hash(current_app, password), current_app.extensions["glimpse_admin"]):
        page = render_template("admin/login.html", token=form_token(), onward=onward, wrong="Wrong password.")
        return page, 403
    session.clear()  # nothing from before the login is kept
    session.update(seal=_seal(), since=time.time(), id=secrets.token_urlsafe(24))
    with app_database().write() as database:
        old = models.now() - timedelta(hours=SESSION_HOURS)
        database.execute(delete(models.AdminSession).where(models.AdminSession.since < old))
        database.add(models.AdminSession(key=_session_key(), since=models.now()))
    response = redirect(onward, 303)
    response.set_cookie(
        BROWSER, _known_browser(secrets.token_hex(12)), max_age=BROWSER_DAYS * 86_400, path=url_for("access.login"),
        secure=request.is_secure, httponly=True, samesite="Strict",
    )  # fmt: skip
    return response


@blueprint.post("/logout")
def logout() -> Any:
    check_token(request)
    with app_database().write() as database:
        database.execute(delete(models.AdminSession).where(models.AdminSession.key == _session_key()))
    session.clear()
    return redirect(url_for("access.login"), 303)

"""Security: response headers, rate limits, and the secret key."""

from __future__ import annotations

import hmac
import logging
import mmap
import os
import re
import secrets
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, abort, current_app, request
from werkzeug.middleware.proxy_fix import ProxyFix

from study_app.database import SurveyError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'{form_action}; frame-ancestors 'none'; base-uri 'none'"
)
KEY_BYTES = 32
YEAR_S = 365 * 24 * 3600  # for which browsers that came by HTTPS use only HTTPS for this host
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")  # the path below which a proxy shows the survey


def init_app(app: Flask) -> None:
    app.secret_key = app.config.get("SECRET_KEY") or secret_key(app.config["WORKSPACE"].root / "secret.key")
    app.config.setdefault("SESSION_COOKIE_NAME", "glimpse")
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Strict")
    if app.config["TRUSTED_PROXIES"]:
        n = app.config["TRUSTED_PROXIES"]
        # No X-Forwarded-Host: a proxy that does not set it passes on what the browser sends. Proxies keep the Host.
        fixed = ProxyFix(Forwarded(app.wsgi_app), x_for=n, x_proto=n, x_host=0, x_prefix=n)
        app.wsgi_app = fixed  # type: ignore[method-assign]
    elif app.config["PREFIX"]:
        app.wsgi_app = Forwarded(app.wsgi_app)  # type: ignore[method-assign]
    if app.config["PREFIX"]:
        app.wsgi_app = _Below(app.wsgi_app, app.config["PREFIX"])  # type: ignore[method-assign]
    app.extensions["glimpse_entries"] = Limit(app.config["ENTER_PER_MINUTE"])
    app.extensions["glimpse_entries_logged"] = Limit(1)
    app.before_request(refuse_null)
    app.before_request(refuse_foreign_forms)
    app.after_request(add_headers)


class Forwarded:
    """Accept only http and https from X-Forwarded-Proto, and a plain path from X-Forwarded-Prefix: addresses are built
    from them. The prefix is taken off the path where the proxy has left it there."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["wsgi.url_scheme"] not in ("http", "https"):
            environ["wsgi.url_scheme"] = "http"
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")
        environ["SCRIPT_NAME"] = prefix = prefix if PREFIX.fullmatch(prefix) else ""
        path = environ.get("PATH_INFO", "")
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        return self.app(environ, start_response)


class _Below:
    """The application below a path (`--prefix`), whatever the proxy says about it."""

    def __init__(self, app: Any, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ["SCRIPT_NAME"] = self.prefix
        environ.pop("HTTP_X_FORWARDED_PREFIX", None)
        return self.app(environ, start_response)


def secret_key(path: Path) -> bytes:
    """The key in `path`, made on first start, always with mode 0600. Two servers that start together use the same one.

    Raises SurveyError for a key that is too short.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        for _ in range(50):  # another process may have just created it and not yet written it
            if key := path.read_bytes():
                break
            time.sleep(0.02)
        else:
            path.unlink()
            return secret_key(path)
        if len(key) < KEY_BYTES:
            raise SurveyError(
                f"The secret key in {path} has {len(key)} bytes, but needs {KEY_BYTES}: remove the file, and the "
                "next start makes a new one."
            ) from None
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return key
    with os.fdopen(descriptor, "wb") as file:
        file.write(key := secrets.token_hex(KEY_BYTES).encode())
    return key


def derived(purpose: str, key: str | bytes | None = None) -> bytes:
    """32 bytes for this purpose that only holders of the secret key (the application's) can compute."""
    key = key or current_app.secret_key or b""
    return hmac.digest(key.encode() if isinstance(key, str) else key, purpose.encode(), "sha256")


def simulation_pass(slug: str, key: str | bytes | None = None) -> str:
    """The value of `?simulated=` that lets simulated participants into this study."""
    return derived(f"simulate {slug}", key).hex()[:32]


def derived_stream(purpose: str) -> np.random.Generator:
    """A stream of random numbers that is the same each time, and independent of those for other purposes."""
    return np.random.default_rng(int.from_bytes(derived(purpose), "big"))


def refuse_null() -> None:
    """Abort with 404 for a null character in an address: PostgreSQL accepts none."""
    if "\0" in request.path or b"%00" in request.query_string:
        abort(404)


def refuse_foreign_forms() -> None:
    """Abort with 403 for a form sent by a page of another site, whose visitors would enter a study without having read
    about it, with a token that the other site knows."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        abort(403)


def add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY.format(form_action=""))
    admin = request.path.startswith("/admin")
    headers.setdefault("Referrer-Policy", "same-origin" if admin else "no-referrer")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_S}")
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response


class Limit:
    """At most `per_minute` events per key in any minute, counted in memory shared by forked worker processes.

    Each key has a row with the moments at which its last events expire, found by a keyed hash: the key itself is not
    stored. Memory that no event has touched is 0, long past, and takes no room.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        shape = (max(1, 2**19 // per_minute), per_minute)  # 4 MB; two keys in one row are rare, and count together
        self._expire = np.frombuffer(mmap.mmap(-1, 8 * shape[0] * shape[1])).reshape(shape)
        self._lock = threading.Lock()  # in each process: two of them at the same instant may take one place

    def allows(self, key: str) -> bool:
        """Whether the key may have an event now, which is then counted.

        >>> limit = Limit(1)
        >>> limit.allows("a"), limit.allows("a"), limit.allows("b")
        (True, False, True)
        """
        moment = time.monotonic()
        with self._lock:
            row = self._expire[hash(key) % len(self._expire)]
            seen = row.copy()  # another process may write into the row at any moment
            oldest = seen.argmin()
            if seen[oldest] > moment:
                return False
            row[oldest] = moment + 60
            return True


def address() -> str:
    """The client's address, without the port that some proxies append. It is never stored."""
    given = request.remote_addr or ""
    with_port = re.fullmatch(r"\[(.*)\](?::\d+)?|([^:]*):\d+", given)
    return (with_port[1] or with_port[2] or "") if with_port else given


def limit_entries() -> None:
    """Abort with 429 if too many people enter from this address, with a line in the log once a minute."""
    limit: Limit = current_app.extensions["glimpse_entries"]
    if limit.allows(address()):
        return
    if current_app.extensions["glimpse_entries_logged"].allows(""):
        logging.getLogger("glimpse").warning(
            "More than %d people a minute enter from one address: the others are asked to wait. If they are "
            "participants, start again with a larger --enter-per-minute, or with --trusted-proxies behind a proxy.",
            limit.per_minute,
        )
    abort(429)

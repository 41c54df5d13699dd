"""What keeps the survey closed to others: headers, limits, and a secret key of its own."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections import defaultdict, deque
from pathlib import Path

from flask import Flask, Response, abort, current_app, request
from werkzeug.middleware.proxy_fix import ProxyFix

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'{form_action}; frame-ancestors 'none'; base-uri 'none'"
)


def init_app(app: Flask) -> None:
    app.secret_key = app.config.get("SECRET_KEY") or secret_key(app.config["WORKSPACE"].root / "secret.key")
    app.config.setdefault("SESSION_COOKIE_NAME", "glimpse")
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Strict")
    if app.config["TRUSTED_PROXIES"]:
        n = app.config["TRUSTED_PROXIES"]
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    app.extensions["glimpse_entries"] = Limit(app.config["ENTER_PER_MINUTE"])
    app.before_request(refuse_null)
    app.after_request(add_headers)


def secret_key(path: Path) -> bytes:
    """The key in `path`, made on first start with mode 0600; two servers that start together agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        for _ in range(50):  # another process may have made it a moment ago, and not yet filled it
            if key := path.read_bytes():
                return key
            time.sleep(0.02)
        path.unlink()
        return secret_key(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key := secrets.token_hex(32).encode())
    return key


def refuse_null() -> None:
    """404 for a null character in an address: PostgreSQL takes none, and nothing here has one in its name."""
    if "\0" in request.path or b"%00" in request.query_string:
        abort(404)


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
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "no-store")
    return response


class Limit:
    """At most `per_minute` events a key in any minute, counted in this process."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._events: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def allows(self, key: str, at: float | None = None) -> bool:
        moment = time.monotonic() if at is None else at
        with self._lock:
            if len(self._events) > 10_000:
                self._events = defaultdict(
                    deque, {k: events for k, events in self._events.items() if events[-1] > moment - 60}
                )
            events = self._events[key]
            while events and events[0] <= moment - 60:
                events.popleft()
            if len(events) >= self.per_minute:
                return False
            events.append(moment)
            return True


def limit_entries() -> None:
    """429 when this address enters too often. The address is used here and stored nowhere."""
    limit: Limit = current_app.extensions["glimpse_entries"]
    if not limit.allows(request.remote_addr or ""):
        abort(429)

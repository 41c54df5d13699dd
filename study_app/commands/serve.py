"""`study_app serve`: the survey on a production server: waitress for SQLite, gunicorn for PostgreSQL.

SQLite has one writer at a time, so one process with threads is fastest; PostgreSQL is used by several processes. On
SIGTERM or Ctrl-C both stop accepting requests, answer those they have, and exit. There is no access log: no IP address
is stored.
"""

from __future__ import annotations

import argparse
import logging
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from glimpse.command_line import Commands, in_range, next_step, pasteable
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from flask import Flask

DRAIN_S = 5.0  # for requests that were read before the server was stopped
MOST_ENTER = 10_000  # far more than one server can handle in a minute
CONNECTIONS = 4000  # open at once in one process


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "serve", help="serve the survey to participants",
        description="Serve the survey, and the dashboard at /admin/ if GLIMPSE_ADMIN_PASSWORD is set. With PostgreSQL "
        "(DATABASE_URL) several worker processes share the load.",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on")
    parser.add_argument("--port", type=int, default=5000, metavar="N", help="port to listen on")
    parser.add_argument("--threads", type=int, default=8, metavar="N", help="concurrent requests per process")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: 4 with PostgreSQL; SQLite is served by one)"
    )
    parser.add_argument(
        "--trusted-proxies", type=int, default=0, metavar="N",
        help="proxies in front of this server that add to X-Forwarded-For and keep the Host header",
    )  # fmt: skip
    parser.add_argument(
        "--prefix", default="", metavar="PATH",
        help="the path below which a proxy shows the survey, such as /glimpse (default: what a trusted proxy says in "
        "X-Forwarded-Prefix)",
    )  # fmt: skip
    parser.add_argument(
        "--enter-per-minute", type=int, default=300, metavar="N", help="participants per minute from one address"
    )
    parser.set_defaults(run=serve)


def serve(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import create_app
    from study_app.database import SurveyError, no_survey, parse_url
    from study_app.security import PREFIX

    many = parse_url(workspace.database_url).get_backend_name() != "sqlite"
    workers = in_range("--workers", args.workers if args.workers is not None else (4 if many else 1), 1)
    in_range("--threads", args.threads, 1)
    in_range("--trusted-proxies", args.trusted_proxies, 0)
    in_range("--enter-per-minute", args.enter_per_minute, 1, MOST_ENTER)
    prefix = "/" + args.prefix.strip("/") if args.prefix.strip("/") else ""
    if not PREFIX.fullmatch(prefix):
        raise SurveyError(f"--prefix {args.prefix} is not a path: give letters, digits, - _ . ~ and /, as in /glimpse.")
    if workers > 1 and not many:
        raise SurveyError("SQLite is served by one process: leave --workers out, or give DATABASE_URL for PostgreSQL.")
    check_port(args.host, args.port)
    if not many and not workspace.root.is_dir():  # else a new, empty one would be made
        raise SurveyError(no_survey(workspace))
    app = create_app(
        {
            "WORKSPACE": workspace, "TRUSTED_PROXIES": args.trusted_proxies, "PREFIX": prefix,
            "ENTER_PER_MINUTE": args.enter_per_minute,
            "WRITERS": max(1, args.threads * 3 // 4),  # the other threads can read while writers wait
        }
    )  # fmt: skip
    print(f"The survey is at http://{args.host}:{args.port}{prefix} - Ctrl-C stops it; no answer is lost.", flush=True)
    for line in _missing(app, workspace):
        print(line, flush=True)
    if many and not args.trusted_proxies:
        print("Put a proxy in front of it (--trusted-proxies 1): slow clients keep worker processes busy.", flush=True)
    if many:
        _gunicorn(app, args, workers)
    else:
        serve_threads(app, args.host, args.port, threads=args.threads, proxied=args.trusted_proxies > 0)


def _missing(app: Flask, workspace: Workspace) -> list[str]:
    """Warnings about what is missing: a study, an open study, the dashboard."""
    from sqlalchemy import select

    from study_app.models import ADMITTING, Study

    lines = []
    with app.extensions["glimpse"].read() as session:
        studies = session.execute(select(Study.slug, Study.state)).all()
    if not studies:
        lines.append(f"No study is loaded yet: load one while this server runs. Next: {next_step(workspace)}")
    elif all(state not in ADMITTING for _, state in studies):
        states = ", ".join(f"{slug} is {state}" for slug, state in studies)
        lines.append(f"Nobody can enter ({states}): open a study on the dashboard.")
    if "glimpse_admin" not in app.extensions:
        lines.append(
            "The dashboard is off: set GLIMPSE_ADMIN_PASSWORD, or make an account with "
            f"`{pasteable(workspace, 'study_app', 'user', 'add', 'NAME')}`, and start the server again."
        )
    return lines


def serve_threads(app: Flask, host: str, port: int, *, threads: int = 8, proxied: bool = False) -> None:
    """Serve in this process until SIGTERM or Ctrl-C."""
    from waitress import create_server
    from waitress.task import ThreadedTaskDispatcher

    from study_app import retention
    from study_app.commands import connections
    from study_app.experimenter.admin import UPLOAD

    class Threads(ThreadedTaskDispatcher):
        """Worker threads that answer queued requests on shutdown, too; waitress's own drop them."""

        def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
            last = time.monotonic() + DRAIN_S
            while self.queue and time.monotonic() < last:
                time.sleep(0.01)
            return bool(super().shutdown(cancel_pending, timeout))

    dispatcher = Threads()
    dispatcher.set_thread_count(threads)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it logs every request that waits
    server = create_server(
        app, host=host, port=port, ident=None, _dispatcher=dispatcher,
        connection_limit=CONNECTIONS,  # browsers keep theirs open
        asyncore_use_poll=hasattr(select, "poll"),  # select() allows 1024; Windows has no poll()
        max_request_body_size=2 * UPLOAD,  # default: 1 GB
        clear_untrusted_proxy_headers=not proxied,  # else ProxyFix judges them
    )  # fmt: skip

    connections.limit(server, proxied=proxied)

    def stop(*_: Any) -> None:
        raise SystemExit  # waitress then stops reading and shuts its threads down

    signal.signal(signal.SIGTERM, stop)
    retention.start(app)
    server.run()
    server.close()


def _gunicorn(app: Flask, args: argparse.Namespace, workers: int) -> None:
    from study_app.database import SurveyError

    try:
        from gunicorn.app.base import BaseApplication
    except ModuleNotFoundError as error:
        if error.name != "fcntl":
            raise
        raise SurveyError("gunicorn does not run on Windows: serve PostgreSQL from Linux or macOS.") from None

    from study_app import retention

    def start(arbiter: Any, worker: Any) -> None:
        app.extensions["glimpse"].engine.dispose(close=False)  # connections are not shared between processes
        retention.start(app)

    class Survey(BaseApplication):
        def load_config(self) -> None:
            address = f"[{args.host}]" if ":" in args.host else args.host
            for name, value in {
                "bind": f"{address}:{args.port}", "workers": workers, "worker_class": "gthread",
                "threads": args.threads, "keepalive": 75, "graceful_timeout": 10, "loglevel": "warning",
                "forwarded_allow_ips": "", "secure_scheme_headers": {},  # ProxyFix judges what proxies say
                "control_socket_disable": True, "preload_app": True, "post_fork": start,
            }.items():  # fmt: skip
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return app

    Survey().run()


def check_port(host: str, port: int) -> None:
    """Raise SurveyError unless the server can listen on this address.

    Binds with SO_REUSEADDR, as the server itself does: a server that was killed can be started again at once, though
    its old connections linger in TIME_WAIT.
    """
    from study_app.database import SurveyError

    if not 0 < port < 65536:
        raise SurveyError(f"Cannot listen on {host}:{port}: give a port from 1 to 65535.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except (OSError, OverflowError) as error:
        raise SurveyError(
            f"Cannot listen on {host}:{port} ({getattr(error, 'strerror', None) or error}): "
            f"is another survey running? Choose another port, for example --port {min(port, 65534) + 1}."
        ) from None

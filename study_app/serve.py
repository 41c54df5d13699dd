"""`study_app serve`: the survey behind waitress, a server for production."""

from __future__ import annotations

import argparse
import socket
from typing import Any

from gan_core.workspace import Workspace


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("serve", parents=[common], help="serve the survey to participants")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=8, help="requests answered at once (default: %(default)s)")
    parser.add_argument(
        "--trusted-proxies", type=int, default=0, metavar="N",
        help="how many proxies before this server add to X-Forwarded-For (default: %(default)s)",
    )  # fmt: skip
    parser.set_defaults(run=serve)


def serve(args: argparse.Namespace, workspace: Workspace) -> None:
    from waitress import create_server

    from study_app import create_app
    from study_app.database import upgrade

    check_port(args.host, args.port)
    upgrade(workspace.database_url)
    app = create_app({"WORKSPACE": workspace, "TRUSTED_PROXIES": args.trusted_proxies})
    server = create_server(app, host=args.host, port=args.port, threads=args.threads)
    print(f"The survey is at http://{args.host}:{args.port} - Ctrl-C stops it; no answer is lost.", flush=True)
    server.run()


def check_port(host: str, port: int) -> None:
    """Raises SurveyError unless the address can be listened on.

    Binds with SO_REUSEADDR, as the server itself does: a server that was killed can be started again at once, though
    connections of its predecessor linger in TIME_WAIT.
    """
    from study_app.database import SurveyError

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

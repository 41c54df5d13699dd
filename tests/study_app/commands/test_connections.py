"""Connections that never finish a request, and many of one client, do not lock others out of the survey."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from waitress import create_server, wasyncore

from study_app.commands import connections


def answer(_: Any, start: Any) -> list[bytes]:
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A waitress server that waits for a header for 0.4 s, and takes five connections of one client and 30 in all."""
    monkeypatch.setattr(connections, "HEADER_S", 0.4)
    monkeypatch.setattr(connections.Channel, "from_one_client", 5)
    made = create_server(answer, host="127.0.0.1", port=0, connection_limit=30, asyncore_use_poll=True, threads=2)
    connections.limit(made, proxied=False)
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            wasyncore.loop(timeout=0.02, use_poll=True, map=made._map, count=1)

    thread = threading.Thread(target=run)
    thread.start()
    yield made
    over.set()
    thread.join()
    made.task_dispatcher.shutdown()
    wasyncore.close_all(made._map)


def half_open(server: Any, count: int) -> list[socket.socket]:
    opened = [socket.create_connection(("127.0.0.1", int(server.effective_port)), timeout=30) for _ in range(count)]
    for one in opened:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    return opened


def was_closed(one: socket.socket) -> bool:
    """Wait for the server to close this connection; with a request unread that arrives as a reset."""
    one.settimeout(30)
    with suppress(ConnectionResetError):
        return one.recv(10) == b""
    return True


def get(server: Any) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.effective_port}/", timeout=30) as response:
        return bytes(response.read())


def test_a_client_with_many_half_open_connections_does_not_stop_the_survey(server: Any) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(one) for one in half_open(server, 60)]
        assert [get(server) for _ in range(5)] == [b"ok"] * 5
        assert [was_closed(one) for one in opened] == [True] * 60  # once they have waited long enough


def test_a_byte_now_and_then_does_not_keep_a_request_open(server: Any) -> None:
    (slow,) = half_open(server, 1)
    started = time.monotonic()
    with suppress(OSError):  # reset
        while time.monotonic() - started < 5:
            slow.sendall(b"X")
            time.sleep(0.05)
    assert time.monotonic() - started < 2
    slow.close()


def test_a_connection_is_kept_open_between_requests(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", int(server.effective_port)), timeout=30) as kept:
        for pause in (0.0, 0.8):  # longer than a header may take
            time.sleep(pause)
            kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            reply = b""
            while not reply.endswith(b"ok"):  # the head and the body may come apart
                reply += (part := kept.recv(1000))
                assert part, reply

"""Limits on connections: on the duration of a request, and on the number of connections of one client.

waitress reads requests in one thread and hands over complete ones only, so a slow client holds no worker. But it closes
a connection only after two minutes of silence: a client that opens thousands and sends a byte now and then would use up
all connections. Connections that are not in the middle of a request time out as before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from waitress.channel import HTTPChannel

HEADER_S = 15.0  # for a request's header, from its first byte, and for the first byte after connecting
BODY_S = 300.0  # for the rest of it: an upload over a slow line
FROM_ONE_CLIENT = 1000  # connections; a lecture hall behind one address needs a few hundred


class Channel(HTTPChannel):
    """A connection that is closed when its request takes too long, or its client opens too many."""

    from_one_client = FROM_ONE_CLIENT

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:
        self.since: float | None = time.time()  # when the unfinished request, or the wait for the first one, began
        super().__init__(server, sock, addr, adj, map=map)
        self._make_room()

    def _make_room(self) -> None:
        """If the client has too many connections open, close the one that has been silent longest."""
        mine = [one for one in self.server.active_channels.values() if one.addr[0] == self.addr[0] and not one.requests]
        if len(mine) > self.from_one_client:
            min(mine, key=lambda one: one.last_activity).will_close = True

    def received(self, data: bytes) -> Any:
        if self.request is None:
            self.since = time.time()
        done = super().received(data)
        if self.request is None:
            self.since = None
        return done

    def readable(self) -> Any:  # asked in every round of the server's loop, at least once a second
        if self.since is not None and not self.requests:
            in_body = self.request is not None and self.request.headers_finished
            if time.time() - self.since > (BODY_S if in_body else HEADER_S):
                self.will_close = True
        return super().readable()


class ProxyChannel(Channel):
    """A connection of a trusted proxy. It carries all clients, so its number is limited only by the server."""

    from_one_client = 10**9


def limit(server: Any, *, proxied: bool) -> None:
    """Make this waitress server limit its connections."""
    for one in _listeners(server):
        one.channel_class = ProxyChannel if proxied else Channel


def _listeners(server: Any) -> Iterator[Any]:
    """The server, or its parts if it listens on several addresses."""
    if hasattr(server, "channel_class"):
        yield server
    else:
        yield from (one for one in server.map.values() if hasattr(one, "channel_class"))

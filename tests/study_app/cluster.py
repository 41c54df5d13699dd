"""A private PostgreSQL cluster from the system's binaries: on a socket of its own, gone when its user is."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest


def binaries() -> Path | None:
    """The folder with initdb and postgres: of the newest version that Debian's packages installed, or of the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = installed[-1] if installed else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def skip_without_postgresql() -> None:
    """Skip a test where the server or its driver is missing, unless GLIMPSE_REQUIRE_POSTGRES is 1: then it fails."""
    if os.environ.get("GLIMPSE_REQUIRE_POSTGRES") != "1":
        pytest.importorskip("psycopg", reason="no psycopg here: pip install 'glimpse-study[postgres]' to run this test")
        if binaries() is None:
            pytest.skip("no PostgreSQL here: install Debian's package postgresql to run this test")


class Cluster:
    """A running cluster; `new_database` gives the URL of an empty database."""

    def __init__(self, psql: Path, socket: Path, user: str) -> None:
        self.psql, self.socket, self.user, self.made = psql, socket, user, 0

    def new_database(self, like: str = "", encoding: str = "UTF8") -> str:
        """An empty database, or a copy of the one with the URL `like`, which must have no connections."""
        self.made += 1
        name, template = f"glimpse{self.made}", self._name(like) if like else "template0"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING '{encoding}'")
        return f"postgresql://{self.user}@/{name}?host={quote(str(self.socket), safe='')}"

    def drop(self, url: str) -> None:
        self.run(f"DROP DATABASE {self._name(url)} WITH (FORCE)")

    def _name(self, url: str) -> str:
        return urlsplit(url).path.lstrip("/")

    def run(self, statement: str) -> None:
        command = [self.psql, "-qX", "-h", self.socket, "-U", self.user, "-d", "postgres", "-c", statement]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def private_cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Start a cluster; `durable` keeps fsync on. PostgreSQL refuses root, so it runs as another user."""
    found = binaries()
    if found is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt install postgresql)")
    import pwd  # which Windows lacks

    as_user = "postgres" if "postgres" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
    runuser = shutil.which("runuser") or "/usr/sbin/runuser"  # Debian's `su` leaves /usr/sbin out of root's PATH
    drop = [runuser, "-u", as_user, "--"] if os.geteuid() == 0 else []
    memory = "/dev/shm" if not durable and os.access("/dev/shm", os.W_OK) else "/tmp"  # a socket's path must be short
    home = Path(tempfile.mkdtemp(prefix="glimpse-postgres-", dir=memory))
    try:
        if drop:
            shutil.chown(home, as_user)
        data, options = home / "data", [] if durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        initdb = [found / "initdb", "-D", data, "-U", "glimpse", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run([*drop, *initdb], check=True, capture_output=True, cwd=home)
        server = subprocess.Popen(
            [*drop, found / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=", "-c", "max_connections=300",
             *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home,
        )  # fmt: skip
        try:
            ready = [found / "pg_isready", "-q", "-h", home, "-t", "30"]
            for _ in range(300):
                if subprocess.run(ready).returncode == 0:
                    break
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(0.1)
                    raise RuntimeError("PostgreSQL did not start")
            yield Cluster(found / "psql", home, "glimpse")
        finally:
            stop = [*drop, found / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
            subprocess.run(stop, capture_output=True, cwd=home)
            server.wait(30)
    finally:
        shutil.rmtree(home, ignore_errors=True)

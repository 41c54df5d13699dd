"""A server that is started again whenever it is killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# The server runs in a process forked from one that has everything imported: so a start takes a moment. Prints the
# process ID of each.
RESTARTER = """
import os, sys
import alembic.command, alembic.script, waitress
from study_app import cli
from study_app.experimenter import admin
from study_app.participant import pages, trials, withdrawal
while True:
    child = os.fork()
    if child == 0:
        os.setsid()  # gunicorn's workers are killed with it
        os.dup2(2, 1)
        os._exit(cli.main(["serve", *sys.argv[1:]]))
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@contextmanager
def restarted(workspace: Path, log: Path, *options: str) -> Iterator[Callable[[], int]]:
    """Runs `study_app serve` with these options; yields a function that returns the current process."""
    command = [sys.executable, "-c", RESTARTER, *options, "--workspace", str(workspace)]
    with log.open("ab") as file:
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline())]
    os.set_blocking(parent.stdout.fileno(), False)

    def latest() -> int:
        while line := parent.stdout.readline():  # type: ignore[union-attr]
            pids.append(int(line))
        return pids[-1]

    try:
        yield latest
    finally:
        parent.kill()
        parent.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(latest(), signal.SIGKILL)
        parent.stdout.close()

"""The workspace: the folders in which image sets, runs, stimulus sets, answers and reports are kept, by name."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from glimpse.files import WorkspaceError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

OPENED = ".opened"  # the workspace within, of folders that were read; hidden: neither listed nor searched for photos

SURVEY_SCHEMA = "0001"  # the newest revision of study.db: the survey migrates to it, the analysis reads up to it

# For each kind of folder: the noun for sentences, the file that marks it as finished, and the command that makes one.
KINDS = {
    "images": ("image set", "manifest.json", "gan_core prepare folder PHOTOS --name {name}"),
    "runs": ("run", "config.json", "gan_core train {name}"),
    "stimuli": ("stimulus set", "manifest.json", "gan_core publish {name}"),
}


@dataclass(frozen=True)
class Workspace:
    """The folder that holds everything: `--workspace DIR`, else `$GLIMPSE_WORKSPACE`, else `./workspace`."""

    root: Path

    @classmethod
    def at(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        return cls(Path(folder or os.environ.get("GLIMPSE_WORKSPACE") or "workspace"))

    @staticmethod
    def origin(folder: str | os.PathLike[str] | None) -> str:
        """The option or the variable that names a folder of `at`, for sentences."""
        return "$GLIMPSE_WORKSPACE" if not folder and os.environ.get("GLIMPSE_WORKSPACE") else "--workspace"

    @classmethod
    def around(cls, folder: Path) -> Workspace:
        """The workspace of the folder of an image set, a run or a stimulus set."""
        return cls(folder.parent.parent)

    @property
    def features(self) -> Path:
        return self.root / "features"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def database_url(self) -> str:
        """`$DATABASE_URL` if set, else the URL of this workspace's SQLite file (its path may have any characters)."""
        return os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str((self.root / 'study.db').resolve()))}"

    @property
    def option(self) -> str:
        """` --workspace DIR` for a command to type, quoted; empty if the command finds this workspace by itself."""
        elsewhere = self.root.resolve() != Workspace.at().root.resolve()
        return f" --workspace {shlex.quote(str(self.root))}" if elsewhere else ""

    def names(self, kind: str) -> list[str]:
        """The names of the finished folders of a kind (`images`, `runs`, `stimuli`), sorted."""
        marker = KINDS[kind][1]
        return sorted(
            p.parent.name for p in (self.root / kind).glob(f"*/{marker}") if not p.parent.name.startswith(".")
        )

    def new(self, kind: str, name: str) -> Path:
        """The folder for `name`, existing or not. Raises WorkspaceError for a name that is not allowed."""
        if not NAME.fullmatch(name):
            raise WorkspaceError(
                f"{name!r} cannot be a name: use lower-case letters, digits, '-' and '_', at most 64 of them."
            )
        return self.root / kind / name

    def existing(self, kind: str, name: str) -> Path:
        """The folder of `name`, which must exist. Raises WorkspaceError with the names that exist and the command."""
        if kind == "images" and not NAME.fullmatch(name) and Path(name).exists():
            raise WorkspaceError(
                f"{name} is not the name of an image set: make one of these files with "
                f"`gan_core prepare folder {shlex.quote(name)}{self.option}`, and give its name."
            )
        folder = self.new(kind, name)
        noun, marker, command = KINDS[kind]
        if not (folder / marker).is_file():
            there = ", ".join(self.names(kind))
            raise WorkspaceError(
                f"There is no {noun} '{name}' in {self.root / kind}"
                + (f" (there are: {there})." if there else " (it is empty).")
                + f" Make it with `{command.format(name=name)}{self.option}`."
            )
        return folder

"""The workspace: the folders in which image sets, runs, stimulus sets, answers and reports are kept, by name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from glimpse.files import WorkspaceError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

SURVEY_SCHEMA = "0001"  # the newest revision of study.db: the survey migrates to it, the analysis reads up to it

# What each kind of folder is called in a sentence, the file that makes it one, and the command that makes it.
KINDS = {
    "images": ("image set", "manifest.json", "gan_core prepare"),
    "runs": ("run", "config.json", "gan_core train"),
    "stimuli": ("stimulus set", "manifest.json", "gan_core publish"),
}


@dataclass(frozen=True)
class Workspace:
    """The folder that holds everything: `--workspace DIR`, else `$GLIMPSE_WORKSPACE`, else `./workspace`."""

    root: Path

    @classmethod
    def at(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        return cls(Path(folder or os.environ.get("GLIMPSE_WORKSPACE") or "workspace"))

    @property
    def features(self) -> Path:
        return self.root / "features"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def database_url(self) -> str:
        """`$DATABASE_URL` if set, else the SQLite file of this workspace, whatever characters its path has."""
        return os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str((self.root / 'study.db').resolve()))}"

    def names(self, kind: str) -> list[str]:
        """The finished things of a kind (`images`, `runs`, `stimuli`), sorted by name."""
        marker = KINDS[kind][1]
        return sorted(
            p.parent.name for p in (self.root / kind).glob(f"*/{marker}") if not p.parent.name.startswith(".")
        )

    def new(self, kind: str, name: str) -> Path:
        """The folder where `name` belongs, there or not. Raises WorkspaceError for a name that cannot be a folder."""
        if not NAME.fullmatch(name):
            raise WorkspaceError(
                f"{name!r} cannot be a name: use lower-case letters, digits, '-' and '_', at most 64 of them."
            )
        return self.root / kind / name

    def existing(self, kind: str, name: str) -> Path:
        """The folder of something that must be there. Raises WorkspaceError naming what there is and how to make it."""
        folder = self.new(kind, name)
        noun, marker, command = KINDS[kind]
        if not (folder / marker).is_file():
            there = ", ".join(self.names(kind))
            raise WorkspaceError(
                f"There is no {noun} '{name}' in {self.root / kind}"
                + (f" (there are: {there})." if there else " (it is empty).")
                + f" Make it with `{command}`."
            )
        return folder

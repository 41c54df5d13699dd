"""The answers as arrays: one entry a scored trial. What every statistic of the survey is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glimpse.observers import Counts, Integers, count

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trials:
    """n answers. Codes are any integers from 0; several sets may share participants and images by sharing codes."""

    said_generated: Bools  # (n,)
    is_generated: Bools  # (n,)
    participant: Integers  # (n,) codes
    image: Integers  # (n,) codes

    def __len__(self) -> int:
        return len(self.said_generated)

    @property
    def correct(self) -> Bools:
        return self.said_generated == self.is_generated

    def where(self, mask: Any) -> Trials:
        """Only the trials where `mask`, (n,) bool, is true."""
        return Trials(self.said_generated[mask], self.is_generated[mask], self.participant[mask], self.image[mask])

    def counts(self) -> Counts:
        """The confusion counts of the participants who have a trial, in the order of their codes."""
        people, codes = np.unique(self.participant, return_inverse=True)
        return count(self.said_generated, self.is_generated, codes, len(people))


def trials(said_generated: Any, is_generated: Any, participant: Any, image: Any) -> Trials:
    """Trials from columns of a table: the first two as truth values, the others as any labels."""
    codes = [np.unique(np.asarray(column), return_inverse=True)[1].astype(np.int64) for column in (participant, image)]
    return Trials(np.asarray(said_generated, bool), np.asarray(is_generated, bool), codes[0], codes[1])


def join(parts: list[Trials]) -> Trials:
    """Several lots of trials after each other."""
    return Trials(
        np.concatenate([p.said_generated for p in parts]),
        np.concatenate([p.is_generated for p in parts]),
        np.concatenate([p.participant for p in parts]),
        np.concatenate([p.image for p in parts]),
    )

"""Answers as arrays with one entry per scored trial: the input of every statistic of the survey."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from glimpse.files import sha256_bytes
from glimpse.observers import Counts, Integers, count

Bools = npt.NDArray[np.bool_]


def codes_of(labels: Any) -> Integers:
    """Any labels, (n,), as codes from 0 on in their order.

    >>> codes_of(["bob", "ann", "bob"])
    array([1, 0, 1])
    """
    from pandas import factorize  # sorts the different labels alone: seconds faster than np.unique with 10^6 texts

    return np.asarray(factorize(np.asarray(labels), sort=True)[0], np.int64)


def renumbered(codes: Integers) -> tuple[Integers, int]:
    """Codes (n,) renumbered from 0 without gaps, in the same order, and the number of different ones.

    The result is that of `np.unique`, but takes linear time if the codes are not much larger than their number.

    >>> renumbered(np.array([5, 2, 5, 9]))
    (array([1, 0, 1, 2]), 3)
    """
    if not len(codes) or codes.max() > 4 * len(codes) + 1000:
        kinds, places = np.unique(codes, return_inverse=True)
        return places, len(kinds)
    place = np.cumsum(np.bincount(codes) > 0)
    return place[codes] - 1, int(place[-1])


@dataclass(frozen=True)
class Trials:
    """n answers.

    Participants and images are coded as integers from 0. Several sets share participants and images by sharing codes.

    >>> answers = Trials.from_labels([1, 0, 1], [1, 1, 0], ["ann", "ann", "bob"], ["a.png", "b.png", "c.png"])
    >>> answers.correct
    array([ True, False, False])
    >>> answers.counts()  # one entry per participant
    Counts(hits=array([1, 0]), misses=array([1, 0]), false_alarms=array([0, 1]), correct_rejections=array([0, 0]))
    """

    said_generated: Bools  # (n,)
    is_generated: Bools  # (n,)
    participant: Integers  # (n,) codes
    image: Integers  # (n,) codes

    @staticmethod
    def from_labels(said_generated: Any, is_generated: Any, participant: Any, image: Any) -> Trials:
        """Trials from four columns, (n,) each: the first two as truth values, the others as any labels."""
        said, generated = np.asarray(said_generated, bool), np.asarray(is_generated, bool)
        return Trials(said, generated, codes_of(participant), codes_of(image))

    @staticmethod
    def from_table(rows: Any) -> Trials:
        """Trials from a table of scored trials (`analysis.answers.responses.Responses.trials`)."""
        return Trials.from_labels(rows["said_generated"], rows["is_generated"], rows["participant"], rows["image"])

    def __len__(self) -> int:
        return len(self.said_generated)

    @cached_property
    def people(self) -> tuple[Integers, int]:
        """Each trial's participant, (n,), numbered from 0 without gaps, and the number of participants.

        >>> Trials(np.ones(3, bool), np.ones(3, bool), np.array([7, 4, 7]), np.zeros(3, int)).people
        (array([1, 0, 1]), 2)
        """
        return renumbered(self.participant)

    @cached_property
    def images(self) -> tuple[Integers, int]:
        """The same of images."""
        return renumbered(self.image)

    @cached_property
    def pairs(self) -> tuple[Integers, int]:
        """The same of pairs of a participant and an image."""
        (person, _), (image, images) = self.people, self.images
        return renumbered(person * images + image)

    @property
    def correct(self) -> Bools:
        """Whether each answer is right, (n,)."""
        return self.said_generated == self.is_generated

    def where(self, mask: Any) -> Trials:
        """Only the trials where `mask`, (n,) bool, is true, or those at its positions; itself if all are meant.

        >>> Trials.from_labels([1, 0], [1, 1], ["ann", "bob"], ["a.png", "a.png"]).where([False, True]).correct
        array([False])
        """
        if isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.all():
            return self  # with what it has counted
        return Trials(self.said_generated[mask], self.is_generated[mask], self.participant[mask], self.image[mask])

    @property
    def sha256(self) -> str:
        """Hash of the answers, in their order."""
        columns = (self.said_generated, self.is_generated, self.participant, self.image)
        return sha256_bytes(b"".join(np.ascontiguousarray(column).tobytes() for column in columns))

    def counts(self) -> Counts:
        """The confusion counts of the participants who have a trial, in the order of their codes."""
        return count(self.said_generated, self.is_generated, *self.people)


def join(blocks: list[Trials]) -> Trials:
    """Several blocks of trials, one after the other; equal codes mean the same participant or image.

    >>> block = Trials.from_labels([1, 0], [1, 1], ["ann", "bob"], ["a.png", "a.png"])
    >>> join([block, block]).participant
    array([0, 1, 0, 1])
    """
    return Trials(
        np.concatenate([b.said_generated for b in blocks]),
        np.concatenate([b.is_generated for b in blocks]),
        np.concatenate([b.participant for b in blocks]),
        np.concatenate([b.image for b in blocks]),
    )

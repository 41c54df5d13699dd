"""The way back to a crowd platform, places that were given up, and personal links. Pure: values in, values out.

A platform's IDs come in the query of the study's address (`entering.identity`). They are kept in a table of their own,
which neither the answers nor the export hold, and serve three ends alone: one entry a person, the way back to the
platform, and freeing the place of somebody who gave up.
"""

from __future__ import annotations

import csv
import io
import secrets
from urllib.parse import quote

from study_app.study import Completion

# No letter or digit that can be taken for another when somebody types a link from paper.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def code_for(outcome: str, completion: Completion) -> str:
    """The study's code for an outcome (a participant's state); "" for none."""
    codes = {
        "finished": completion.code,
        "screened-out": completion.screened_out_code,
        "no-consent": completion.no_consent_code,
    }
    return codes.get(outcome, "")


def way_back(outcome: str, completion: Completion) -> str:
    """Where to send somebody with this outcome: the study's address with `{code}` filled in; "" for nowhere.

    Without a code for it nobody who did not finish is sent anywhere: the platform would take them for finished.
    """
    code = code_for(outcome, completion)
    if not completion.url or (not code and (outcome != "finished" or "{code}" in completion.url)):
        return ""
    return completion.url.replace("{code}", quote(code, safe=""))


# The words of Prolific's export (column Status) and of MTurk's (AssignmentStatus) that mean: this place is free again.
FREED = {
    "RETURNED": "returned",
    "TIMED-OUT": "timed-out",
    "TIMED_OUT": "timed-out",
    "ABANDONED": "timed-out",
    "EXPIRED": "timed-out",
}
PERSON_COLUMNS = ("Participant id", "participant_id", "PROLIFIC_PID", "WorkerId", "workerId", "participant")
LONGEST_LINE = 10_000  # characters
STATUS_COLUMNS = ("Status", "status", "AssignmentStatus")


def freed_places(text: str) -> dict[str, str]:
    """Who gave up, by person: `returned` or `timed-out`, from a platform's CSV export or from a pasted list of IDs.

    A list has one ID a line, and all of them are taken for returned. In an export those who finished are passed over.
    """
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip()]
    if not lines or max(map(len, lines)) > LONGEST_LINE:  # nothing, or no table
        return {}
    header = next(csv.reader(lines[:1]))
    person = next((column for column in PERSON_COLUMNS if column in header), None)
    status = next((column for column in STATUS_COLUMNS if column in header), None)
    if person is None or status is None:
        return {line: "returned" for line in lines if not set(line) & set(' ,;"')}
    found = {}
    for row in csv.DictReader(io.StringIO("\n".join(lines))):
        state = FREED.get((row[status] or "").strip().upper())
        if state is not None and row[person]:
            found[row[person].strip()] = state
    return found


def new_codes(count: int) -> list[str]:
    """`count` codes for personal links: 12 unmistakable characters each (59 bits), in groups of four."""
    drawn = ["".join(secrets.choice(ALPHABET) for _ in range(12)) for _ in range(count)]
    return ["-".join((code[:4], code[4:8], code[8:])) for code in drawn]


def personal_link(base: str, slug: str, code: str) -> str:
    """The address for one person: `base` is the survey's own, such as https://survey.example.org/."""
    return f"{base.rstrip('/')}/study/{slug}/?id={quote(code, safe='')}"

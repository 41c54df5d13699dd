"""The way back to a crowd platform, places that were given up, and personal links. Pure: values in, values out.

A platform's IDs come in the query of the study's address (`entering.identity`). They are kept in a table of their own,
which neither the answers nor the export hold, and serve three ends alone: one entry a person, the way back to the
platform, and freeing the place of somebody who gave up.
"""

from __future__ import annotations

import codecs
import csv
import secrets
from urllib.parse import quote

from study_app.database import SurveyError
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

    Who did not finish is sent nowhere by an address that has no place for a code, or without a code for it: the
    platform would take them for finished.
    """
    code, coded = code_for(outcome, completion), "{code}" in completion.url
    if (coded and not code) or (not coded and outcome != "finished"):
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
STATUS_COLUMNS = ("Status", "status", "AssignmentStatus")
LONGEST_LINE = 10_000  # characters


def text_of(data: bytes) -> str:
    """An uploaded file as text: UTF-16 where its first bytes say so, else UTF-8; never with a null character."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8", "replace").replace("\0", "")


def freed_places(text: str) -> dict[str, str]:
    """Who gave up, by person: `returned` or `timed-out`, from a platform's CSV export or from a pasted list of IDs.

    A list has one ID a line, and all of them are taken for returned. In an export (comma, semicolon or tab) those who
    finished are passed over. Raises SurveyError for what is neither.
    """
    lines = [line.strip() for line in text.replace("\0", "").lstrip("\ufeff").splitlines() if line.strip()]
    if max(map(len, lines), default=0) > LONGEST_LINE:
        raise SurveyError("This is neither a platform's export (CSV) nor a list of IDs: its lines are too long.")
    if not lines or not set(lines[0]) & set(",;\t"):
        return {line: "returned" for line in lines if not set(line) & set(' ,;"\t')}
    for delimiter in ",;\t":
        header = [name.strip() for name in next(csv.reader(lines[:1], delimiter=delimiter))]
        person = next((header.index(column) for column in PERSON_COLUMNS if column in header), None)
        status = next((header.index(column) for column in STATUS_COLUMNS if column in header), None)
        if person is not None and status is not None:
            break
    else:
        raise SurveyError(
            f"The first line names no column of IDs ({', '.join(PERSON_COLUMNS)}) beside one of states "
            f"({', '.join(STATUS_COLUMNS)}): give the platform's export as it is, or one ID a line."
        )
    found = {}
    try:
        for row in csv.reader(lines[1:], delimiter=delimiter):
            state = FREED.get(row[status].strip().upper()) if len(row) > max(person, status) else None
            if state is not None and row[person].strip():
                found[row[person].strip()] = state
    except csv.Error as error:
        raise SurveyError(f"The export cannot be read as a table ({error}): is a quotation mark left open?") from None
    return found


def new_codes(count: int) -> list[str]:
    """`count` codes for personal links: 12 unmistakable characters each (59 bits), in groups of four."""
    drawn = ["".join(secrets.choice(ALPHABET) for _ in range(12)) for _ in range(count)]
    return ["-".join((code[:4], code[4:8], code[8:])) for code in drawn]


def personal_link(base: str, slug: str, code: str) -> str:
    """The address for one person: `base` is the survey's own, such as https://survey.example.org/."""
    return f"{base.rstrip('/')}/study/{slug}/?id={quote(code, safe='')}"

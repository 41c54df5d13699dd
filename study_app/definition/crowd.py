"""Crowd platforms: return addresses, places that were given up, and personal links. Pure: values in, values out.

A platform's IDs come in the query of the study's address (`platform_identity`). They are stored in a separate
table, apart from the answers and the default export, and serve three purposes: one entry per person, the return to the
platform, and freeing the places of people who gave up.
"""

from __future__ import annotations

import codecs
import csv
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from study_app.database import SurveyError
from study_app.definition.study import Completion
from study_app.security import derived

# Without letters and digits that are easily confused when a link is typed from paper.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
PLACEHOLDER = re.compile(r"\{(\w+)\}")  # in the return address
# Query parameters of each crowd platform: the person's ID, and other IDs (stored apart from the answers).
PLATFORMS = {
    "prolific": ("PROLIFIC_PID", ("STUDY_ID", "SESSION_ID")),
    "mturk": ("workerId", ("assignmentId", "hitId")),
    "cloudresearch": ("participantId", ("assignmentId", "projectId")),
    "id": ("id", ()),  # Sona's survey code, say; a personal link's code is one that is signed
}
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"  # MTurk's assignmentId in a preview
UNFILLED = re.compile(r"[{}<>\[\]$]|^%.*%$")  # {{%PROLIFIC_PID%}}, ${workerId}, %SURVEY_CODE%: a placeholder left over


def platform_identity(query: dict[str, str]) -> tuple[str, str, dict[str, str]] | None:
    """(platform, person, other IDs) from a query string; None when it names no person."""
    given = {key: value.strip()[:128] for key, value in query.items() if not UNFILLED.search(value.strip())}
    for platform, (person, others) in PLATFORMS.items():
        if given.get(person):
            return platform, given[person], {key: given[key] for key in others if given.get(key)}
    return None


def prolific_parameters() -> set[str]:
    """The names of the parameters that Prolific fills in."""
    person, others = PLATFORMS["prolific"]
    return {person, *others}


def parameters(platform: str, person: str, details: dict[str, str]) -> dict[str, str]:
    """The query parameters with which a person came: the inverse of `platform_identity`."""
    return {PLATFORMS["id" if platform == "link" else platform][0]: person, **details}


def code_for(outcome: str, completion: Completion) -> str:
    """The study's code for an outcome: a participant's state, `attention`, or why nobody can enter; "" for none."""
    codes = {
        "finished": completion.code,
        "attention": completion.failed_attention_code or completion.code,
        "screened-out": completion.screened_out_code,
        "no-consent": completion.no_consent_code,
        "unsuitable": completion.unsuitable_device_code,
        "full": completion.full_code,
        "over-quota": completion.full_code,
        "paused": completion.paused_code,
        "closed": completion.closed_code,
    }
    return codes.get(outcome, "")


def return_address(outcome: str, completion: Completion, known: Mapping[str, str] | None = None) -> str:
    """The return address for this outcome: the study's with `{code}` and `known` parameters filled in; "" for none.

    It is "" too if the address needs a parameter that this person lacks. Participants who did not finish are not
    redirected unless the address takes a code and their outcome has one: the platform would take them for finished.
    """
    code, coded = code_for(outcome, completion), "{code}" in completion.url
    if (coded and not code) or (not coded and outcome not in ("finished", "attention")):
        return ""
    values = {"code": code, **(known or {})}
    if any(not values.get(name) for name in PLACEHOLDER.findall(completion.url)):
        return ""
    return PLACEHOLDER.sub(lambda found: quote(values[found[1]], safe=""), completion.url)


# States in Prolific's export (column Status) and MTurk's (AssignmentStatus) that free a place, and what they are here.
STATE_BY_STATUS = {
    "REJECTED": "rejected",
    "SCREENED OUT": "screened-out",
    "SCREENED-OUT": "screened-out",
    "SCREENED_OUT": "screened-out",
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
    """The people who gave up or were turned down: ID to state, from a platform's CSV export or a pasted list of IDs.

    A list has one ID per line; all count as returned. In an export (comma, semicolon or tab) all others are skipped.
    Raises SurveyError for any other text.
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
            f"({', '.join(STATUS_COLUMNS)}): give the platform's export as it is, or one ID per line."
        )
    found = {}
    try:
        for row in csv.reader(lines[1:], delimiter=delimiter):
            state = STATE_BY_STATUS.get(row[status].strip().upper()) if len(row) > max(person, status) else None
            if state is not None and row[person].strip():
                found[row[person].strip()] = state
    except csv.Error as error:
        raise SurveyError(f"The export cannot be read as a table ({error}): is a quotation mark left open?") from None
    return found


def new_codes(count: int) -> list[str]:
    """`count` codes for personal links: 12 easily read characters each (59 bits), in groups of four."""
    return [_grouped([secrets.randbelow(len(ALPHABET)) for _ in range(12)]) for _ in range(count)]


def _grouped(drawn: Sequence[int]) -> str:
    letters = "".join(ALPHABET[i % len(ALPHABET)] for i in drawn)
    return "-".join((letters[:4], letters[4:8], letters[8:12]))


def link_key(slug: str, secret_key: str | bytes | None = None) -> bytes:
    """The key that signs the study's personal links, derived from `secret_key` or else from the application's."""
    return derived(f"personal link {slug}", secret_key)


def signed_code(code: str, key: bytes) -> str:
    """The code with its signature by `key`, another 12 characters: only this server can make personal links."""
    return f"{code}-{_grouped(hmac.digest(key, code.encode(), 'sha256'))}"


def is_signed(code: str, key: bytes) -> bool:
    return hmac.compare_digest(signed_code(code[:14], key).encode(), code.encode())


def personal_link(base: str, slug: str, code: str) -> str:
    """The address for one person (`code`: signed): `base` is the survey's own, such as https://survey.example.org/."""
    return f"{base.rstrip('/')}/study/{slug}/?id={quote(code, safe='')}"

"""The exports of other programs: the names of our columns in them, and the rows that are not judgements.

Names are in lower case, as the table's are; `names` chooses among them. Tests cover jsPsych (button, keyboard),
PsychoPy and Pavlovia (trial-by-trial CSV, one file per participant), Qualtrics (CSV with three header rows), Gorilla's
Task Builders (one row per event), OpenSesame, lab.js (one row per component), formr, oTree (a row per participant, or
per round) and Testable.
"""

from __future__ import annotations

import re

import pandas as pd

from analysis.answers.numbers import MISSING

PERSON = (
    "participant",
    "participant_id",
    "subject_id",
    "subject",
    "subject_nr",
    "prolific_pid",
    "pid",
    "workerid",
    "worker_id",
    "user_id",
    "record_id",
    "respondent_id",
    *("participant_code", "participant_number", "person_id", "person", "respondent", "user", "worker"),
    *("rater_id", "rater", "reader_id", "reader", "observer_id", "observer", "annotator_id", "annotator"),
    *("subj_id", "subj", "vp", "vpn", "versuchsperson", "teilnehmer", "proband", "jatosworkerid"),
    *("partecipante", "soggetto", "participante", "sujeto"),
)
PICTURE = (
    "image", "stimulus", "picture", "img", "image_file", "imagefile", "filename", "image_id", "image_name", "image_url",
    "image_path", "img_id", "stimulus_id", "stimulus_name", "stimulus_file", "picture_id", "picture_name", "photo",
    "stim", "stimulusitem1", "input.image_url", "input.image", "bild", "bilddatei",
    "immagine", "imagen",
)  # fmt: skip
CORRECT = ("correct_response", "correctresponse", "corrans", "correctans", "correct_answer")
TRUTH = ("truth", "ground_truth", "true_class", *CORRECT)
NOT_GIVEN = {"gorilla": ("answer",)}  # columns with our names and another meaning: here the correct answer
KEY = re.compile(  # a row of right answers among people's, in English, German, French, Italian and Spanish
    r"(?:(?:(?:answer|correct|right)[ _-]*)?(?:key|answers?|solutions?|truth)|correct"
    r"|(?:muster)?(?:lösung|loesung)(?:en|sschlüssel)?|(?:antwort)?schlüssel|richtige? antwort(?:en)?|wahrheit"
    r"|cl(?:é|e|ef)(?: de(?:s réponses| correction))?|corrig[ée](?:[ -]type)?|bonnes? réponses?|vérité"
    r"|chiave(?: (?:di correzione|delle risposte))?|soluzion[ei]|rispost[ea] (?:corrett|esatt)[ea]|verit(?:à|a)"
    r"|clave(?: de (?:respuestas|corrección))?|soluci(?:ón|on|ones)|respuestas? correctas?|verdad):?"
)
TOTALS = re.compile(  # a row of sums, counts or means below people's
    r"(?:grand )?totals?(?: (?:général|general))?|sum|summe|gesamt(?:summe|ergebnis)?|somme|mean|average|mittelwert"
    r"|durchschnitt|moyenne|totale(?: complessivo)?|somma|suma|media|promedio|count|anzahl|median|sd"
    r"|st(?:an)?d\.?[ _-]?(?:dev(?:iation)?)?\.?|standardabweichung"
)
PICTURE_FILE = r"\.(?:png|jpe?g|gif|webp|bmp|svg|tiff?|avif|heic)(?:\?.*)?$"

LAYOUTS: dict[str, dict[str, tuple[str, ...]]] = {
    "jspsych": {
        "participant": (*PERSON, "run_id"), "image": PICTURE, "truth": TRUTH,
        "answer": ("answer", "response", "button_pressed", "key_press"), "response_time_ms": ("rt",),
        "position": ("trial_index",),
    },
    "psychopy": {
        "participant": PERSON, "image": (*PICTURE, "stim", "stimfile"), "truth": TRUTH,
        "answer": ("answer", "*.keys", "*.clicked_name", "*.response"),
        "response_time_s": ("*.rt", "*.time"), "position": ("trials.thisn", "*.thisn"),
    },
    "qualtrics": {
        "participant": ("participant", "prolific_pid", "responseid", "response id"), "image": PICTURE, "truth": TRUTH,
        "answer": ("answer", "response"),
    },
    "gorilla": {
        "participant": ("participant private id", "participant public id"),
        "image": (*PICTURE, *(f"spreadsheet: {name}" for name in PICTURE)),
        "truth": (*TRUTH, *(f"spreadsheet: {name}" for name in TRUTH), "answer", "spreadsheet: answer"),
        "answer": ("response",), "response_time_ms": ("reaction time",), "position": ("trial number",),
    },
    "opensesame": {
        "participant": PERSON, "image": PICTURE, "truth": TRUTH, "answer": ("answer", "response*"),
        "response_time_ms": ("response_time*",), "position": ("count_trial_sequence",),
    },
    "labjs": {
        "participant": (*PERSON, "observation"), "image": PICTURE, "truth": TRUTH, "answer": ("answer", "response"),
        "response_time_ms": ("duration",),
    },
    "formr": {
        "participant": ("session", *PERSON), "image": (*PICTURE, "item_name"), "truth": TRUTH,
        "answer": ("answer", "response"),
    },
    "otree": {  # a row for each round, with the fields of the player; `rounds` makes them of a row for each participant
        "participant": ("participant.code",), "image": tuple(f"player.{name}" for name in PICTURE),
        "truth": tuple(f"player.{name}" for name in TRUTH),
        "answer": ("player.answer", "player.response", "player.choice"),
        "response_time_ms": ("player.response_time_ms", "player.rt", "player.response_time"),
        "response_time_s": ("player.response_time_s",), "position": ("subsession.round_number",),
        "set": ("player.set",), "source": ("player.source",),
    },
    "testable": {
        "participant": (*PERSON, "subjectid"), "image": ("image", "stim1", "stim"), "truth": TRUTH,
        "answer": ("answer", "response"), "response_time_ms": ("rt", "responsetime"), "position": ("trialno", "rowno"),
    },
    "wide": {"participant": (*PERSON, "id")},
}  # fmt: skip


ONE_FILE_EACH = ("psychopy", "testable")  # a file is a participant
EVENT_LOGS = {  # exports with several rows for each answer, known by columns that they alone have
    "gorilla": {"event index", "participant private id"}, "labjs": {"sender_type", "sender_id"},
}  # fmt: skip
SIGNS = (  # columns that exports of a program have and hardly any other table
    ("otree", {"participant.code"}), ("jspsych", {"trial_type", "trial_index"}), ("psychopy", {"expname", "date"}),
    ("opensesame", {"opensesame_version"}), ("opensesame", {"count_trial_sequence"}),
    ("testable", {"rowno", "trialno"}), ("formr", {"session", "item_name"}), ("qualtrics", {"responseid", "progress"}),
)  # fmt: skip


def routine(frame: pd.DataFrame, layout: str) -> tuple[pd.DataFrame, int]:
    """The rows that may be judgements, and how many were dropped."""
    keep = pd.Series(True, index=frame.index)

    def values(column: str) -> pd.Series:
        return frame[column].fillna("").astype(str).str.strip().str.lower()

    if layout == "gorilla":
        if "event index" in frame:
            keep &= values("event index") != "end of file"
        if "zone type" in frame:
            keep &= values("zone type").str.startswith("response")
        elif "response type" in frame:
            keep &= values("response type") == "response"
        if "attempt" in frame:  # after feedback that the first answer was wrong
            keep &= values("attempt").isin({"", "1", "1.0"})
    if layout == "jspsych" and "trial_type" in frame:
        answered = [c for c in ("answer", "response", "button_pressed", "key_press") if c in frame]
        silent = ~values("trial_type").str.contains("response|survey|slider|choice|button|keyboard")
        if answered:
            keep &= ~(silent & values(answered[0]).isin(MISSING))
    if layout == "labjs" and "sender_type" in frame and "sender_id" in frame:
        keep &= _screens(frame, values("sender_type").str.contains(r"flow\."), ~values("response").isin(MISSING))
    return frame[keep], int((~keep).sum())


def rounds(frame: pd.DataFrame, image: str | None) -> pd.DataFrame:
    """A row for each round of oTree's apps that show images, from a row for each participant.

    `glance.2.player.answer` is `player.answer` in round 2 of the app `glance`; an app that shows images has a field
    that `image` or the layout names.
    """
    fields: dict[tuple[str, str], dict[str, str]] = {}
    for column in frame.columns:
        if found := re.fullmatch(r"(.+)\.(\d+)\.(player\..+)", column):
            fields.setdefault((found[1], found[2]), {})[found[3]] = column
    shown = {image, *LAYOUTS["otree"]["image"]}
    fields = {key: columns for key, columns in fields.items() if shown & set(columns)}
    if not fields:
        return frame
    rest = frame.drop(columns=[column for columns in fields.values() for column in columns.values()])
    return pd.concat(
        [
            rest.assign(
                **{field: frame[column] for field, column in columns.items()},
                **{"subsession.round_number": n, "app": app},
            )
            for (app, n), columns in fields.items()
        ]
    )


def questions(frame: pd.DataFrame) -> dict[str, str]:
    """The questions of a wide table's columns, if its first row holds them, as SoSci Survey and older Qualtrics write.

    Each of its words is found once in its column, none is a number, and one without a digit stands above numbers; or
    all are the same word (SurveyMonkey's `Response`), beside columns that only the other rows fill.
    """
    if len(frame) < 2:
        return {}
    first, rest = frame.iloc[0].dropna(), frame.iloc[1:]
    words = [str(text).strip() for text in first]
    if 2 * len(words) < frame.shape[1] or any(re.fullmatch(r"[\d.,:/ -]+", word) for word in words):
        return {}
    alone = all((rest[column] != text).all() for column, text in first.items())
    if alone and len(set(words)) == 1 and rest[frame.columns.difference(first.index)].notna().all(axis=0).any():
        return {column: column for column in map(str, frame.columns)}
    bare = [c for c, text in first.items() if not re.search(r"\d", str(text)) and rest[c].notna().any()]
    numeric = any(rest[c].dropna().str.fullmatch(r"\s*-?\d+\s*").all() for c in bare)
    return {str(column): str(text) for column, text in first.items()} if alone and numeric else {}


def not_of_participants(frame: pd.DataFrame) -> pd.Series:
    """The rows that Qualtrics' column Status calls a preview, a test or spam, and those of oTree's bots and demos.

    Status is in words, or a number: the sum of 1 for a preview, 2 for a test, 8 for spam, and others that are kept
    (4 imported, 16 offline, 32 employees).
    """
    gone = pd.Series(False, index=frame.index)
    if "status" in frame:
        status = frame["status"].fillna("").astype(str).str.strip().str.lower()
        code = pd.to_numeric(status, errors="coerce").fillna(0).astype(int)
        gone |= status.str.contains(r"\b(?:preview|test|spam)\b") | (code & (1 | 2 | 8) > 0)
    for column in ("participant._is_bot", "session.is_demo"):
        if column in frame:
            gone |= frame[column].astype(str).str.strip().str.lower().isin({"1", "true"})
    return gone


def last_of_lists(frame: pd.DataFrame, layout: str) -> tuple[pd.DataFrame, int]:
    """The table with PsychoPy's lists, such as ['f', 'j'] and [0.4, 0.9], replaced by their last entries.

    Returns the table and the number of rows with several keys, clicks or times.
    """
    several = pd.Series(False, index=frame.index)
    if layout != "psychopy":
        return frame, 0
    for column in ("answer", "response_time_s"):
        if column in frame:
            entries = frame[column].fillna("").str.extract(r"^\s*\[(.*)\]\s*$")[0]
            several |= entries.str.contains(",").fillna(False).astype(bool)
            last = entries.str.replace(r".*,", "", regex=True).str.strip(" '\"")
            frame = frame.assign(**{column: last.where(entries.notna(), frame[column])})
    return frame, int(several.sum())


def _screens(frame: pd.DataFrame, flow: pd.Series, answered: pd.Series) -> pd.Series:
    """The rows of lab.js that may be judgements: one screen of each sequence, the answered one if any is.

    A sequence, its loop and each of its screens (fixation, image, mask) have a row, all with the image's parameters.
    """
    label = frame["sender_id"].fillna("").astype(str)
    if "participant" in frame:
        label = frame["participant"].fillna("").astype(str) + " " + label
    sequence = label.str.rpartition("_")[0]
    inside = sequence.isin(label[flow & frame["sender_type"].str.contains("Sequence")]) & ~flow
    settled = (answered & inside).groupby(sequence).transform("any")
    last = ~sequence.where(inside).duplicated(keep="last")
    return ~flow & (~inside | answered | (~settled & last))


def pictures(images: pd.Series) -> pd.Series:
    """The images; if any is the name of an image file, other stimuli (a fixation cross, a sentence) become missing."""
    file = images.astype(str).str.contains(PICTURE_FILE, case=False)
    return images.where(file) if file.any() else images

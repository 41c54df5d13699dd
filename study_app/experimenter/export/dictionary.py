"""The data dictionary of the export: type, unit, origin and meaning of every column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    name: str
    kind: str  # string | integer | number | boolean | datetime | json
    unit: str  # "" where there is none
    origin: str  # browser | server | study | stimulus set | participant | platform
    description: str


RESPONSES = tuple(
    Column(*row)
    for row in (
        ("participant", "string", "", "server", "Random code of the participant; not a credential."),
        ("set", "string", "", "study", "Name of the participant's stimulus set; of a within design: all."),
        ("set_sha256", "string", "", "stimulus set", "SHA-256 of the manifest of the image's stimulus set."),
        ("stimulus", "string", "", "stimulus set", "ID of the image in the manifest."),
        ("truth", "string", "", "stimulus set", "What the image is: real or generated."),
        ("answer", "string", "", "participant", "The person's answer: real or generated; empty: a missed deadline."),
        ("position", "integer", "", "server", "Place of the trial in the participant's sequence, from 1."),
        ("exposure_ms_planned", "number", "ms", "server", "Planned exposure; empty: shown until answered."),
        ("exposure_ms_actual", "number", "ms", "browser",
         "Exposure as observed: offset minus onset, both timestamps of animation frames that the page saw. "
         "See exposure_uncertain_ms."),
        ("dropped_frames", "integer", "frames", "browser", "Frames that the screen skipped during the exposure."),
        ("focus_lost", "boolean", "", "browser", "1 if the page was hidden or lost the focus during the trial."),
        ("response_time_ms", "number", "ms", "browser",
         "From the onset of the image (its frame's timestamp) to the answer (its input event's timestamp)."),
        ("answered_at", "datetime", "UTC", "server", "When the answer was stored."),
        ("flags", "string", "", "server",
         "Quality flags of the trial, separated by spaces: frame-off, exposure-wrong, exposure-unverified, resized, "
         "dropped-frames, focus-lost, not-fullscreen, implausible-time, missed, shown-again, not-fetched, "
         "not-begun, too-fast. Or empty."),
        ("simulated", "boolean", "", "server", "1 for an answer of a simulated participant, never of a person."),
        ("pilot", "boolean", "", "server", "1 for an answer of a participant who entered while the study was a pilot."),
        ("study", "string", "", "study", "Short name of the study."),
        ("mode", "string", "", "study", "How exposures are chosen: fixed (drawn beforehand), staircase, unlimited."),
        ("state", "string", "", "server", "State of the participant: working, finished, returned, timed-out, ..."),
        ("kind", "string", "", "server", "scored, or spare: a trial that replaces one with a wrong exposure."),
        ("replaced", "boolean", "", "server", "1 if a spare trial was answered instead of this one."),
        ("implausible", "boolean", "", "server",
         "1 if the trial contradicts what the server saw (flags not-fetched, not-begun, too-fast)."),
        ("answered_by", "string", "", "browser", "Input device of the answer: key, mouse, touch, pen or other."),
        ("early_presses", "integer", "", "browser", "Presses before an answer was asked for: recorded, not taken."),
        ("begun", "integer", "", "server", "How often a page announced that it started this trial."),
        ("frame_ms", "number", "ms", "browser", "Frame period of the screen, measured by the page."),
        ("exposure_uncertain_ms", "number", "ms", "browser",
         "Possible error of exposure_ms_actual: no frame shows when the image appeared or disappeared, or frames just "
         "before were late."),
        ("image_width", "number", "CSS pixels", "browser", "Width at which the image was shown."),
        ("image_height", "number", "CSS pixels", "browser", "Height at which the image was shown."),
        ("pixel_ratio", "number", "", "browser", "Pixels of the screen per CSS pixel."),
        ("image_mm", "number", "mm", "server",
         "Width of the image on a screen calibrated with a bank card, else empty."),
        ("image_degrees", "number", "degrees", "server",
         "The visual angle of that width at the study's `viewing_distance_cm`."),
        ("source", "string", "", "stimulus set",
         "Image set of the image, which names the generator of a generated one. Empty for images of a run. In a within "
         "design, the condition of a generated image: its stimulus set, with the generator's name behind it if the set "
         "has several; empty for the real images, which all sets share."),
        ("task", "string", "", "study",
         "What was asked: yes-no (real or generated), rating (six steps), or pair (which one is real)."),
        ("rating", "integer", "", "participant",
         "With the task rating: from 1, definitely real, to 6, definitely generated; up to 3 the answer is real."),
        ("second_stimulus", "string", "", "stimulus set",
         "With the task pair: the right or second image. stimulus, truth and answer are of the left or first one."),
        ("second_exposure_ms", "number", "ms", "browser",
         "Exposure of a second image that came after the first, as observed; exposure_ms_actual is of the first."),
        ("why", "string", "", "participant", "What decided the answer, in words."),
        ("why_x", "number", "pixels", "participant",
         "Position of what decided it, from the left edge of the image; of a pair, in the image taken for generated."),
        ("why_y", "number", "pixels", "participant", "The same from its top edge."),
        ("confidence", "integer", "", "participant", "How sure of the answer the person was: from 1, guessed, to 4."),
    )
)  # fmt: skip

PARTICIPANTS = tuple(
    Column(*row)
    for row in (
        ("participant", "string", "", "server", "Random code of the participant; not a credential."),
        ("study", "string", "", "study", "Short name of the study."),
        ("study_sha256", "string", "", "study",
         "SHA-256 of the study file in force when the participant entered: materials/study-HASH.toml."),
        ("mode", "string", "", "study", "How exposures are chosen: fixed (drawn beforehand), staircase, unlimited."),
        ("set", "string", "", "study", "Name of the participant's stimulus set; of a within design: all."),
        ("set_sha256", "string", "", "stimulus set",
         "SHA-256 of that stimulus set's manifest; of a within design, of the set that the real images are from."),
        ("state", "string", "", "server",
         "working, finished, returned, timed-out, rejected, screened-out, over-quota (enough people gave the same "
         "answer to a question), no-consent or withdrawn (no data left)."),
        ("simulated", "boolean", "", "server", "1 for a simulated participant, never for a person."),
        ("pilot", "boolean", "", "server", "1 for a participant who entered while the study was a pilot."),
        ("language", "string", "", "browser", "Language in which the study was read."),
        ("consent_version", "string", "", "server",
         "Hash of the text that the participant agreed to: its key in materials/consents.json."),
        ("entered_at", "datetime", "UTC", "server", "When the participant agreed to take part."),
        ("last_seen_at", "datetime", "UTC", "server", "When the participant's last request was received."),
        ("finished_at", "datetime", "UTC", "server", "When the last answer was stored."),
        ("trials", "integer", "", "server", "Trials planned, attention trials not counted."),
        ("answered", "integer", "", "server", "Trials answered, attention trials not counted."),
        ("missed", "integer", "", "server", "Trials with a missed deadline, attention trials not counted."),
        ("catch_trials", "integer", "", "server", "Attention trials answered."),
        ("catch_correct", "integer", "", "server", "Attention trials answered correctly."),
        ("implausible", "integer", "", "server", "Answered trials that are implausible, attention trials included."),
        ("excluded_for", "string", "", "server",
         "Why the answers are not scored: rejected, returned (after finishing), attention (more attention trials wrong "
         "than `trials.catch_wrong`), implausible (more implausible trials than `trials.implausible`, or more than "
         "half of the images never fetched), pilot. Empty: they are scored."),
        ("excluded", "boolean", "", "server", "1 if there is such a reason."),
        ("questionnaire", "json", "", "participant", "Answers by question key; skipped questions are absent."),
        ("device", "json", "", "browser", "Measured before the trials: frame period (ms), window and shorter side of "
         "the screen (CSS pixels), touch, CSS pixels per mm by the bank card (`px_per_mm`)."),
        ("comment", "string", "", "participant", "The participant's comment."),
        ("mirrored", "boolean", "", "server", "1 if the answer 'generated' was on the left, 0 if 'real' was."),
    )
)  # fmt: skip

EVENTS = tuple(
    Column(*row)
    for row in (
        ("participant", "string", "", "server", "Random code of the participant."),
        ("position", "integer", "", "server", "Place of the trial in the participant's sequence, from 1."),
        ("at_ms", "number", "ms", "browser", "When, from the onset of the image; negative: before it."),
        ("event", "string", "", "browser",
         "keydown, pointerdown, blur, focus, resize, visibilitychange, fullscreenchange, or phase: a step of a trial."),
        ("detail", "string", "", "browser", "Place of the key, kind of pointer, window (CSS pixels), state, or phase."),
    )
)  # fmt: skip

EXTERNAL_IDS = tuple(
    Column(*row)
    for row in (
        ("participant", "string", "", "server", "Random code of the participant."),
        (
            "platform",
            "string",
            "",
            "platform",
            "prolific, mturk, cloudresearch, link (a signed personal link), or id (an ID in the address).",
        ),
        ("person", "string", "", "platform", "The platform's ID of the person: personal data."),
        ("details", "json", "", "platform", "The platform's other IDs."),
    )
)

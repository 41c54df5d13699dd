"""A study: its stimulus sets, trials, questions and texts, with the defaults of everything the file leaves out.

A text is a string, or a table of strings by language (`{en = "...", de = "..."}`). Built-in texts are translated; texts
of the study file are shown as written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

LANGUAGES = ("en", "de", "fr")
DEVICES = ("desktop", "tablet", "phone")
LARGEST_QUOTA = 999_999
TASKS = ("yes-no", "pair", "rating")
PAIRS = ("side-by-side", "in-sequence")
WHEN = ("before", "after")
REASONS = ("none", "text", "click")
DESIGNS = ("between", "within")
SIDES = ("fixed", "counterbalanced")
Text = str | dict[str, str]


@dataclass(frozen=True)
class SetEntry:
    name: str
    label: Text = ""  # none: the stimulus set's own
    quota: int | None = None
    sha256: str = ""  # filled in when the study is loaded


@dataclass(frozen=True)
class Question:
    key: str
    text: Text
    options: tuple[Text, ...] = ()  # none: a line of free text
    screen_out: tuple[int, ...] = ()  # indices of the options that end the study for this person
    quotas: tuple[int, ...] = ()  # for each option the most participants who chose it; none: no such limit
    required: bool = False
    scale: int | None = None  # steps of a scale from 1 (Likert), in place of options
    ends: tuple[Text, ...] = ()  # the meaning of its first and last step
    when: str = "before"  # or after the trials

    @property
    def after(self) -> bool:
        return self.when == "after"

    @property
    def choices(self) -> tuple[Text, ...]:
        """The answers to choose from: the options, or the steps of the scale."""
        return tuple(map(str, range(1, self.scale + 1))) if self.scale else self.options


@dataclass(frozen=True)
class TrialPlan:
    count: int = 20
    real_share: float = 0.5
    catch: int = 0  # attention trials with an unmistakable image
    catch_wrong: int = 0  # participants with more of them wrong are excluded: fixed before the study starts
    implausible: int | None = None  # participants with more implausible trials are excluded; none: no such rule
    spare: int = 0  # at most this many trials with a wrong exposure are replaced at the end
    block: int = 0  # trials between two pauses; 0: no pauses

    @property
    def total(self) -> int:
        """The number of images that a participant sees, without practice and spare trials."""
        return self.count + self.catch


@dataclass(frozen=True)
class Completion:
    """A crowd platform's completion codes, and the address participants return to.

    `{code}` and the platform's parameters, such as `{PROLIFIC_PID}`, are filled into `url`. `redirect_s`: the seconds
    after which a page with this address goes there by itself; none: it waits for a click.
    """

    url: str = ""
    code: str = ""
    screened_out_code: str = ""
    no_consent_code: str = ""
    failed_attention_code: str = ""
    unsuitable_device_code: str = ""
    full_code: str = ""
    paused_code: str = ""
    closed_code: str = ""
    redirect_s: int | None = None


@dataclass(frozen=True)
class Prolific:
    """The verification of Prolific's secured external URLs; none without a `domain`."""

    domain: str = ""  # of this survey, which the tokens are for
    workspace: str = ""  # the ID of the Prolific workspace that holds the study
    keys: str = "https://api.prolific.com/.well-known/study/jwks.json"  # or a file
    parameter: str = "prolific_token"  # of the address: it holds the token


def _(text: str) -> str:  # marks a text for translation; it is translated where it is shown
    return text


TITLE = _("Real or generated?")
RATINGS = (  # the steps of the task "rating"
    _("Definitely real"), _("Probably real"), _("Possibly real"),
    _("Possibly generated"), _("Probably generated"), _("Definitely generated"),
)  # fmt: skip
SURENESS = (_("Guessed"), _("Not very sure"), _("Fairly sure"), _("Sure"))  # the steps of confidence
YES_NO = (_("No"), _("Yes"))
QUESTIONS = (
    Question(
        "age",
        _("How old are you?"),
        (_("Under 18"), "18–29", "30–44", "45–59", "60–74", _("75 or older")),
        screen_out=(0,),
    ),
    Question(
        "medicine",
        _("Do you have medical training?"),
        (_("No"), _("Medical student or nurse"), _("Physician"), _("Dermatologist")),
    ),
    Question("machine_learning", _("Have you worked with machine learning or computer-generated images?"), YES_NO),
    Question(
        "vision",
        _("How well can you see the screen right now (with glasses or contact lenses, if you wear them)?"),
        (_("Well"), _("Not so well"), _("I have difficulty telling some colours apart")),
    ),
)


@dataclass(frozen=True)
class StudyFile:
    """A complete study: the study file's values, and the defaults for the others."""

    slug: str
    sets: tuple[SetEntry, ...]
    title: Text = TITLE
    about: Text = ""  # the information for participants, in Markdown; none: the built-in text
    facts: tuple[Text, ...] | None = None  # the list below it; none: the built-in one
    consent: Text = ""  # the sentence agreed to; none: the built-in one
    contact: str = ""  # an address for participants' questions
    debrief: Text = ""  # in Markdown; none: the built-in text
    texts: dict[str, Text] = field(default_factory=dict)  # replaces built-in sentences; "" removes one
    languages: tuple[str, ...] = LANGUAGES
    catalogs: dict[str, str] = field(default_factory=dict)  # PO files of the languages that are not built in; filled in
    design: str = "between"  # a participant sees one set; within: all, which share their real images
    task: str = "yes-no"
    pair: str = "side-by-side"  # or one after the other, with the task "pair"
    confidence: bool = False  # ask after each answer how sure the person is
    why: str = "none"  # ask after each answer what decided it: in words, or by a click on the image
    sides: str = "fixed"  # 'real' on the left; counterbalanced: on the right for half of the people
    answer_ms: int | None = None  # the time to answer, from the end of the exposure; none: no deadline
    mode: str = "fixed"
    exposure_ms: tuple[int, int] = (2000, 3000)
    fixation_ms: int = 500
    mask: bool = False
    mask_ms: int = 300
    practice: int = 2
    feedback: bool = False  # say after each practice trial whether the answer was right
    comment: bool = True
    devices: tuple[str, ...] = DEVICES
    min_window: tuple[int, int] | None = None  # width and height, CSS pixels
    min_frame_rate: int = 0  # images per second
    calibration: bool = False  # measure the size of the screen with a bank card
    viewing_distance_cm: int | None = None  # from the eyes to the screen, as participants are told
    fullscreen: bool = False
    invited_only: bool = False  # whether a signed personal link is needed to enter
    retention_days: int = 180  # after this, links and IDs are erased: answers can no longer be traced to a person
    trials: TrialPlan = field(default_factory=TrialPlan)
    questions: tuple[Question, ...] = QUESTIONS
    completion: Completion = field(default_factory=Completion)
    prolific: Prolific = field(default_factory=Prolific)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def pairs(self) -> bool:
        return self.task == "pair"

    @property
    def in_sequence(self) -> bool:
        """Whether the two images of a pair come one after the other."""
        return self.pairs and self.pair == "in-sequence"

    @property
    def within(self) -> bool:
        return self.design == "within"

    @property
    def screens(self) -> bool:
        return any(question.screen_out for question in self.questions)

    @property
    def questions_first(self) -> bool:
        """Whether trials wait for the questions: one is required, or one of the study's own screens people out."""
        limited = any(question.quotas for question in self.questions)
        required = any(question.required for question in self.asked(after=False))
        return required or ((self.screens or limited) and self.questions != QUESTIONS)

    def asked(self, *, after: bool) -> tuple[Question, ...]:
        """The questions before the trials, or those after them."""
        return tuple(question for question in self.questions if question.after == after)

    @property
    def needs_device(self) -> bool:
        """Whether the device is checked before any trial."""
        return set(self.devices) != set(DEVICES) or self.min_window is not None or self.min_frame_rate > 0

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> StudyFile:
        """The inverse of `as_dict`, also after a round trip through JSON."""
        return cls(
            **{
                **value,
                "sets": tuple(SetEntry(**entry) for entry in value["sets"]),
                "languages": tuple(value["languages"]),
                "facts": None if value.get("facts") is None else tuple(value["facts"]),
                "devices": tuple(value.get("devices", DEVICES)),
                "min_window": tuple(value["min_window"]) if value.get("min_window") else None,
                "exposure_ms": tuple(value["exposure_ms"]),
                "trials": TrialPlan(**value["trials"]),
                "questions": tuple(
                    Question(**{**q, **{n: tuple(q.get(n, ())) for n in ("options", "screen_out", "quotas", "ends")}})
                    for q in value["questions"]
                ),
                "completion": Completion(**value["completion"]),
                "prolific": Prolific(**value.get("prolific", {})),
            }
        )


def say(text: Text, language: str, translate: Callable[[str], str] = str) -> str:
    """A text in a language: its own version, else its first one; a plain string through `translate`."""
    if isinstance(text, dict):
        return text.get(language) or next(iter(text.values()))
    return translate(text) if text else ""


def source_of(study: StudyFile) -> bytes:
    """A study file that describes a `default_study`."""
    sets = [f'[[sets]]\nname = "{entry.name}"\n' for entry in study.sets]
    return f'slug = "{study.slug}"\n{"".join(sets)}'.encode()


def default_study(names: Sequence[str], slug: str | None = None) -> StudyFile:
    """The paper's study with these stimulus sets: 20 trials of 2-3 s, 10 real and 10 generated."""
    joined = "-".join(names)
    return StudyFile(
        slug=slug or (joined if len(joined) <= 40 else f"{names[0][:32]}-and-{len(names) - 1}-more"),
        sets=tuple(SetEntry(name) for name in names),
    )

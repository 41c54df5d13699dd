"""The parts of the page around its sections: verdicts, methods, limits, citation and provenance."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from analysis import inventory
from analysis.answers.responses import RULES, RULES_IF, Responses
from analysis.images import BLIND
from analysis.numbers import LEVEL, listed, number, p_value, percent
from analysis.report import manuscript
from analysis.report.page import Page
from analysis.section import Context, Section
from glimpse import DISTRIBUTION
from glimpse.command_line import counted
from glimpse.files import sha256_file

PACKAGES = (
    DISTRIBUTION,
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "statsmodels",
    "matplotlib",
    "seaborn",
    "torch",
    "torch-fidelity",
)
FEW_IMAGES = 30  # of a class; with fewer, the interval for new images depends mostly on the images
MOST_FEW = 8  # classes with few images that are named

LEFT = "Left out"  # how notes on omitted rows begin
LEFT_OUT = {  # counts of omitted rows, in words
    "blank_rows": ("blank row", "blank rows"),
    "doubled_rows": ("row that repeats another in every column", "rows that repeat others in every column"),
    "filtered_out": ("row excluded by --where", "rows excluded by --where"),
    "simulated_participants_left_out": ("simulated participant", "simulated participants"),
    "excluded_participants": (
        "participant excluded by the study's own rule",
        "participants excluded by the study's own rule",
    ),
    "screened_out_participants": ("participant screened out", "participants screened out"),
    "catch_trials": ("attention trial", "attention trials"),
    "replaced_trials": ("trial replaced by a spare trial", "trials replaced by spare trials"),
    "unsure_answers": ("answer 'unsure'", "answers 'unsure'"),
    "missing_answers": ("trial without an answer", "trials without an answer"),
    "negative_response_times": ("negative response time", "negative response times"),
}


def page(
    context: Context,
    answers: Responses | None,
    sections: Sequence[Section],
    left_out: Sequence[str],
    options: Mapping[str, Any],
) -> Page:
    """The text and facts of the page, without its sections."""
    scores = {section.name: section.scores for section in sections}
    survey, made_by = scores.get("survey", {}), _version(DISTRIBUTION) or "unknown"
    return Page(
        title="Can people tell which images are real?" if answers is not None else "How good are the generated images?",
        subtitle=_subtitle(answers),
        verdicts=[{"set": name, **one["verdict"]} for name, one in survey.items() if "verdict" in one]
        or of_generators(scores),
        asked=bool(survey),
        warnings=[warning] if answers is not None and (warning := manuscript.simulated(answers)) else [],
        notices=context.notices,
        methods=_methods(context, answers),
        rules=() if answers is None else (*RULES, *(rule for key, rule in RULES_IF.items() if answers.counts.get(key))),
        limits=_limits(context, answers),
        citation=CITATION,
        bibtex=manuscript.BIBTEX.format(version=made_by),
        texts=None if answers is None else manuscript.texts(context, answers, scores, _left_out(answers), made_by),
        provenance=_provenance(context, answers, options),
        left_out=left_out,
    )


def of_generators(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One card per run, with its main metrics, for a report without answers."""
    cards = []
    for name, found in scores.get("quality", {}).items():
        copies = scores.get("memorisation", {}).get(name)
        kid = found["kernel_distance"]
        detected = found["kid_p"] is not None and found["kid_p"] < LEVEL
        held_out = "test images" if found["against"] == "test" else "training images"
        if found["kid_p"] is None:
            sentence = f"Too few groups of {held_out} for a test."
        else:
            verb = "differ" if detected else "do not measurably differ"
            sentence = f"The images {verb} from {found['n']} {held_out} ({kid}, p {p_value(found['kid_p'])})."
        if found["extractor"] == "random":
            sentence += f" {BLIND[0].upper()}{BLIND[1:]}."
        labels = {"kid": kid, "frechet": found["distance"]}
        facts = [(label, number(found[key])) for key, label in labels.items()]
        facts += [
            (f"{label}, real against real", number(found[f"real_{key}"]))
            for key, label in labels.items()
            if f"real_{key}" in found
        ]
        if copies:
            often = "more than expected by chance" if copies["alarm"] else "within chance"
            facts.append(("near one training image", f"{percent(copies['share'])}, {often}"))
        head = "Measurably different" if detected else "Undecided"
        kind = "detectable" if detected else "undecided"
        cards.append({"set": name, "verdict": head, "kind": kind, "sentence": sentence, "facts": facts})
    return cards


def _subtitle(answers: Responses | None) -> str:
    if answers is None:
        return "No answers yet: this report covers the images alone."
    people, sets = answers.participants, answers.shown["set"].nunique()
    judged = counted(answers.counts["trials"], "answer")
    return f"{counted(people, 'participant')}, {judged}, {counted(sets, 'set')} of images."


# ------------------------------------------------------------------------------------------------ methods


def _methods(context: Context, answers: Responses | None) -> list[str]:
    made = (
        f"Computed by Glimpse {_version(DISTRIBUTION)} (Python {platform.python_version()}, NumPy {_version('numpy')}, "
        f"SciPy {_version('scipy')}) with seed {context.seed} for all resampling"
    )
    if answers is None:
        return [f"{made}; versions and hashes are under Provenance."]
    trials, counts = answers.trials, answers.counts
    said = [
        f"{counted(counts['rows'], 'row')} of {answers.source} {'was' if counts['rows'] == 1 else 'were'} read"
        + (f", filtered by {' and '.join(answers.filters)}" if answers.filters else "")
        + f"; {counted(counts['trials'], 'scored trial')} remained, of "
        f"{counted(answers.participants, 'participant')} and {counted(answers.shown['image'].nunique(), 'image')}."
    ]
    said.append(_left_out(answers))
    kept = [
        counted(counts.get(key, 0), *words)
        for key, words in {
            "flagged_trials": ("flagged trial", "flagged trials"),
            "unfinished_participants_scored": ("participant who stopped early", "participants who stopped early"),
            "repeated_judgements": (
                "repeated judgement of an image by a person",
                "repeated judgements of an image by a person",
            ),
        }.items()
        if counts.get(key)
    ]
    if kept:
        said.append(f"Kept: {listed(kept)}.")
    notes = " ".join(note for note in answers.notes if not note.startswith(LEFT))
    said += [notes] if notes else []
    exposure = trials["exposure_ms_actual"].dropna()
    if len(exposure):
        planned = (trials["exposure_ms_actual"] - trials["exposure_ms_planned"]).dropna()
        error = f"; the median error of exposure was {planned.abs().median():.1f} ms" if len(planned) else ""
        said.append(
            f"Images were shown for {exposure.quantile(0.05):.0f} to {exposure.quantile(0.95):.0f} ms (5 % to 95 % of "
            f"the exposures measured){error}."
        )
    said.append(f"{made}, from answers with the SHA-256 {answers.sha256[:12]}…; the rest is under Provenance.")
    return said


def on_screen(answers: Responses) -> list[str]:
    """Sentences on the rows that are left out, if any, and on how the others were read."""
    gone = _left_out(answers)
    return [gone] * gone.startswith(LEFT) + [note for note in answers.notes if not note.startswith(LEFT)]


def _left_out(answers: Responses) -> str:
    """A sentence on what the rules left out, and what the reading of the file did, which its notes tell."""
    gone = [counted(answers.counts[k], *words) for k, words in LEFT_OUT.items() if answers.counts.get(k)]
    gone += [note.removeprefix(LEFT).strip(": .") for note in answers.notes if note.startswith(LEFT)]
    return f"{LEFT}: {listed(gone)}." if gone else "Nothing was left out."


# ------------------------------------------------------------------------------------------------ limits


def _limits(context: Context, answers: Responses | None) -> list[str]:
    said = []
    if answers is not None:
        trials = answers.trials
        if answers.simulated:
            who = "All" if answers.simulated == answers.participants else "Some"
            said.append(f"{who} participants are simulated: nothing here may be quoted as a result about people.")
        images = answers.shown.drop_duplicates(["set", "image"]).groupby(["set", "truth"]).size()
        table = images.reset_index(name="n").to_dict("records")
        few = [f"{row['set']}: {row['n']} {row['truth']}" for row in table if row["n"] < FEW_IMAGES]
        if few:
            more = f"; and {len(few) - MOST_FEW} more" if len(few) > MOST_FEW else ""
            said.append(
                f"Few images ({'; '.join(few[:MOST_FEW])}{more}): their number limits what can be said about other "
                "images from the same sources, however many people answer."
            )
        one_class = answers.shown.groupby("set")["truth"].nunique() == 1
        if one_class.any():
            said.append(
                f"Only images of one class were shown ({listed(sorted(one_class.index[one_class]))}): right answers "
                "may come from a preference for one answer, and say nothing about whether people can tell."
            )
        if not one_class.all():
            share = (trials["truth"] == context.positive).groupby(trials["set"]).mean()[~one_class]
            ends = dict.fromkeys(number(float(f1)) for f1 in (2 * share / (1 + share)).agg(["min", "max"]))
            said.append(
                f"F1 rewards a habit: with these numbers of answers to real and generated images, always answering "
                f"'{context.positive}' gives {' to '.join(ends)}. Read it beside its chance level, and read d' or "
                "balanced accuracy to compare sets."
            )
        repeated = answers.counts.get("repeated_judgements", 0)
        if repeated:
            said.append(
                f"{counted(repeated, 'answer')} repeat{'s' * (repeated == 1)} a person's judgement of an image. The "
                "intervals count a person and an image once; F1, d' and p-values of single participants treat each "
                "answer as a new one. If rows were duplicated by mistake, remove them."
            )
        if trials["exposure_ms_actual"].isna().all():
            said.append("The answers do not say how long the images were shown, so no claim about a glimpse follows.")
        pooled = [name for name, versions in answers.set_versions.items() if len(versions) > 1]
        if pooled:
            said.append(
                f"Answers to several versions of {listed(pooled)} are pooled; --where set_sha256=... selects one."
            )
        said.append(
            "The intervals are for new participants and images like these; they do not apply to people with other "
            "training, more time or other screens."
        )
    demo = [n for n in context.workspace.names("runs") if inventory.preset(context, n) == "demo"]
    if demo:
        said.append(
            f"Trained at demo scale (narrow networks, minutes on a CPU): {listed(demo)}. These show that the pipeline "
            "works, not how good such generators can be."
        )
    return said


# ------------------------------------------------------------------------------------------------ citation


CITATION = (
    "State which version made the report and publish scores.json with it: it holds every number with its n, interval "
    "and method, and the hashes of the answers and images.",
    "Glimpse follows and extends the study of F. Furger, L. Amruthalingam, A. A. Navarini and M. Pouly: Applications "
    "of Generative Adversarial Networks to Dermatologic Imaging. Technical Report 5/2020, Lucerne University of "
    "Applied Sciences and Arts, doi:10.5281/zenodo.3873159.",
)


# ------------------------------------------------------------------------------------------------ provenance


def _provenance(context: Context, answers: Responses | None, options: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        key: " ".join(getattr(v, "name", str(v)) for v in value)
        if isinstance(value, list)
        else getattr(value, "name", str(value))
        for key, value in options.items()
        if value is not False and value not in (None, []) and key not in ("workspace", "out")
    }
    found: dict[str, Any] = {
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": {name: v for name in PACKAGES if (v := _version(name))},
        "options": given,
    }
    if answers is not None:
        found["simulated_participants"] = answers.simulated
        found["answers"] = {"source": answers.source, "sha256": answers.sha256, **answers.counts}
        if answers.set_versions:
            found["stimulus_sets_answered"] = {k: ", ".join(v) for k, v in answers.set_versions.items()}
    for kind, marker in (("images", "manifest.json"), ("runs", "config.json"), ("stimuli", "manifest.json")):
        names = context.workspace.names(kind)
        if names:
            found[kind] = {name: sha256_file(context.workspace.root / kind / name / marker) for name in names}
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

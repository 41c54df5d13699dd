"""Texts for a manuscript, filled with the report's numbers: a methods paragraph, a checklist and citations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis import inventory
from analysis.answers.responses import Responses
from analysis.numbers import decimal, listed, p_value, percent, telling_digits
from analysis.preregistration.kept import sentence
from analysis.section import Context
from glimpse.command_line import counted

FILL_IN = "[to be filled in]"
VERDICTS = {
    "cannot tell": "they could not tell the images apart within the bounds",
    "detectable": "they told the images apart",
}


@dataclass(frozen=True)
class Texts:
    """The texts, for the page and for the folder texts/ of the report."""

    methods: str
    checklist: list[tuple[str, str]]  # item, text
    bibtex: str
    ris: str

    def files(self) -> dict[str, str]:
        """The content of each file by its name."""
        rows = "\n".join(f"| {item} | {text.replace('|', '/')} |" for item, text in self.checklist)
        return {
            "methods.md": f"{self.methods}\n",
            "checklist.md": f"| item | reported |\n| --- | --- |\n{rows}\n",
            "references.bib": f"{self.bibtex}\n",
            "references.ris": self.ris.replace("ER  -\n", "ER  - \n"),  # the format requires the space
        }


def texts(context: Context, answers: Responses, scores: Mapping[str, Any], left_out: str, version: str) -> Texts:
    """The texts on these answers; `scores`: by section; `left_out`: the sentence on what was left out."""
    return Texts(
        " ".join(_methods(context, answers, scores, left_out, version)),
        _checklist(context, answers, scores, left_out, version), BIBTEX.format(version=version),
        RIS.format(version=version),
    )  # fmt: skip


def _methods(context: Context, answers: Responses, scores: Mapping[str, Any], left_out: str, version: str) -> list[str]:
    people, survey = answers.participants, scores.get("survey", {})
    said = [
        simulated(answers),
        f"{counted(people, 'participant')} judged {_images(answers)} in "
        f"{counted(answers.counts['trials'], 'scored trial')}{_per_person(answers)}, saying of each image"
        f"{', with a rating,' if answers.trials['rating'].notna().any() else ''} whether it was real or generated.",
        _unfinished(context, answers), _exposure(answers), left_out, *_measured(context, answers, survey),
        *_optional(context, scores),
    ]  # fmt: skip
    for name, one in survey.items():
        who = "the one participant was" if one["participants"] == 1 else "participants were"
        found = f"In {name} {who}" if len(survey) > 1 else who[0].upper() + who[1:]
        said.append(f"{found} right about {result(one)}")
    said.append(f"All statistics were computed by Glimpse {version} with seed {context.seed}.")
    return [one for one in said if one]


def _one_class(answers: Responses) -> bool:
    """Whether no set has images of both classes, so that nothing can be tested."""
    return bool(answers.shown.groupby("set")["truth"].nunique().max() == 1)


def _measured(context: Context, answers: Responses, survey: Mapping[str, Any]) -> list[str]:
    """Sentences that define accuracy, its intervals and its tests, as far as any set has a test or a d'."""
    intervals = (
        "intervals are for new participants and new images, from a two-way clustered variance (participants + images - "
        "trials; Cameron, Gelbach & Miller, 2011)."
    )
    if _one_class(answers):
        return [
            "Accuracy is the mean of the participants' shares of right answers"
            f"{'; ' + intervals if _has_intervals(survey) else '.'}",
            "With one class of images a preference may be right by chance: accuracy was not tested.",
        ]
    low, high = percent(0.5 - context.bound), percent(0.5 + context.bound)
    said = [
        "Accuracy is balanced accuracy, the mean of the shares of right answers to real and to generated images, each "
        f"participant weighted equally{'; ' + intervals if _has_intervals(survey) else '.'}"
    ]
    if not _untested(survey):
        said.append(
            "Accuracy was tested against 50 % with a two-sided test at 5 %, and for equivalence to 50 % with two "
            f"one-sided tests at 5 % against {low} and {high}."
        )
    if any(one["d_prime"]["population"] is not None for one in survey.values()):
        said.append(
            "d' is that of a probit model with participants and images crossed, in which answers given without looking "
            "count as inability."
        )
    return said


def _untested(survey: Mapping[str, Any]) -> str:
    """Why no set could be tested; "" if one was."""
    tests = [one["equivalence"] for one in survey.values()]
    if not tests or any(test["p"] is not None or test["verdict"] != "undecided" for test in tests):
        return ""
    return "; ".join(dict.fromkeys(test["note"] for test in tests))


def _has_intervals(survey: Mapping[str, Any]) -> bool:
    return not survey or any(one["accuracy"]["ci95"] for one in survey.values())


def _multiplicity(context: Context, scores: Mapping[str, Any]) -> str:
    """The corrections that this report made."""
    sets = list(scores.get("survey", {}).values())
    families = {
        "pairs": _tested(sets, "compared_with") | _tested_in(scores, "conditions", "pairs"),
        "trends": sum(len(one["trends"]) for one in sets) > 1 and _tested(sets, "trends"),
        "groups": _tested_in(scores, "participants", "pairs"),
        "questions": _tested_in(scores, "participants", "questions"),
    }  # fmt: skip
    made = [f"Bonferroni over {len(sets)} sets"] * (len(sets) > 1 and any(_has_p(one) for one in sets))
    made += [f"Holm over {listed([name for name, some in families.items() if some])}"] * any(families.values())
    if made:
        return f"{'; '.join(made)}."
    return "One verdict, without correction." if len(sets) == 1 else "No p-value to correct." if sets else FILL_IN


def _has_p(one: Mapping[str, Any]) -> bool:
    return one["equivalence"]["p"] is not None or one["equivalence"]["p_chance"] is not None


def _tested(found: Iterable[Mapping[str, Any]], table: str) -> set[str]:
    """The corrected p-values, such as adjusted_p_holm, that any row of the tables has."""
    rows = (row for one in found for row in one.get(table, ()))
    return {key for row in rows for key, value in row.items() if key.endswith("p_holm") and value is not None}


def _tested_in(scores: Mapping[str, Any], section: str, table: str) -> set[str]:
    return _tested((scores.get(section) or {}).values(), table)


def _images(answers: Responses) -> str:
    shown = answers.shown.drop_duplicates(["image", "truth"])["truth"].value_counts()
    sets, kinds = answers.shown["set"].nunique(), [kind for kind in ("real", "generated") if kind in shown]
    beside = f" of {sets} sets" if sets > 1 else ""
    numbers = listed([f"{shown[kind]} {kind}" for kind in kinds])
    return f"{numbers} image{'' if shown[kinds[-1]] == 1 else 's'}{beside}"


def simulated(answers: Responses) -> str:
    """The sentence that must stand before all others if not everybody was a person."""
    found, of = answers.simulated, answers.participants
    return f"Not people's answers: {found} of the {of} participants are simulated." if found else ""


def _unfinished(context: Context, answers: Responses) -> str:
    """A sentence on the sets whose generated images are from a run that had not finished."""
    judged, sets = set(answers.trials["set"]), inventory.shown_sets(context)
    runs = {name: one.made_from.get("unfinished") for name, one in sets.items() if name in judged}
    found = listed([f"{name} ({so_far} of training)" for name, so_far in runs.items() if so_far])
    return f"Generated by an unfinished run: {found}." if found else ""


def _per_person(answers: Responses) -> str:
    each = answers.trials_each
    if each.min() == each.max():
        return f" ({each.min()} each)"
    return f" ({each.min()} to {each.max()} each, median {each.median():g})"


def _exposure(answers: Responses) -> str:
    planned, actual = (answers.trials[f"exposure_ms_{kind}"].dropna() for kind in ("planned", "actual"))
    if planned.empty and actual.empty:
        return f"Each image was shown for {FILL_IN}."
    said = "Each image was shown for"
    if len(planned):
        said += f" {planned.min():.0f} to {planned.max():.0f} ms as planned"
    if len(actual):
        ends = f"{actual.quantile(0.05):.0f} to {actual.quantile(0.95):.0f} ms"
        said += f"{' and' if len(planned) else ''} {ends} as measured (5 % to 95 %)"
    return f"{said}."


def _optional(context: Context, scores: Mapping[str, Any]) -> list[str]:
    said = []
    if scores.get("conditions"):
        made = "were compared in pairs, with Holm's correction" if _tested_in(scores, "conditions", "pairs") else (
            "could not be compared")  # fmt: skip
        said.append(f"Generators judged by the same people {made}.")
    if context.group:
        tested, equal = _tested_in(scores, "participants", "pairs"), listed(list(context.covariates))
        adjusted = f", adjusted for {equal}," if "adjusted_p_holm" in tested else ""
        made = f"were compared{adjusted} with Holm's correction over all pairs" if tested else "could not be compared"
        neither = f"; they could not be adjusted for {equal}" if equal and tested and not adjusted else ""
        said.append(f"Groups ({context.group}) {made}{neither}.")
    if any(one["auc"]["ci95"] for one in (scores.get("ratings") or {}).values()):
        said.append("Areas under the ROC curve are those of multi-reader multi-case analysis (Obuchowski-Rockette).")
    if scores.get("preregistration"):
        said.append(sentence(scores["preregistration"]["parts"]))
    return said


def result(one: Mapping[str, Any]) -> str:
    """The end of a sentence that begins with 'Right about': the result, its interval and the verdict."""
    balanced, tests, d_prime = one["balanced_accuracy"], one["equivalence"], one["d_prime"]
    if balanced["mean"] is None:
        right, ends = percent(one["accuracy"]["mean"]), one["accuracy"]["ci95"]
        interval = f" (95 % interval {percent(ends[0])} to {percent(ends[1])})" if ends else ""
        return f"{right} of the images, all of one class{interval}: not tested ({tests['note']})."
    level, ends = (90, tests["ci90"]) if tests["verdict"] == "cannot tell" else (95, balanced["ci95"])
    limits = (0.5 - tests["bound"], 0.5 + tests["bound"]) if tests["verdict"] == "cannot tell" else (0.5,)
    digits = telling_digits(ends or (), limits, 3) - 2
    interval = f" ({level} % interval {percent(ends[0], digits)} to {percent(ends[1], digits)})" if ends else ""
    p = tests["p"] if tests["verdict"] == "cannot tell" else tests["p_chance"]
    tested = f", p {p_value(p)}" if p is not None else f" ({tests['note']})" if tests["verdict"] in VERDICTS else ""
    if p is not None and tests["verdict"] not in VERDICTS:
        tested += f" against 50\u202f% and p {p_value(tests['p'])} of equivalence"
    of = "" if d_prime["population"] is None else f"; d' {decimal(d_prime['population'])}"
    untested = f"no test is possible ({tests['note']})" if p is None else "neither test decided"
    found = VERDICTS.get(tests["verdict"], untested)
    if tests["verdict"] == "detectable" and balanced["mean"] < 0.5:
        found += ", but reversed"
    if tests["verdict_over_sets"] != tests["verdict"]:
        found = f"undecided over all {tests['sets']} sets"
        tested = f", p {p_value(p)} alone and p {p_value(tests['p_over_sets'])} with Bonferroni's correction"
    right = f"{percent(balanced['mean'])} of the images, real and generated ones weighted equally"
    return f"{right}{interval}: {found}{tested}{of}."


def _checklist(
    context: Context, answers: Responses, scores: Mapping[str, Any], left_out: str, version: str
) -> list[tuple[str, str]]:
    trials, survey = answers.trials, scores.get("survey", {})
    registered = scores.get("preregistration")
    failed = trials.loc[trials["failed_catch"], "participant"].nunique()
    attention = f"{failed} scored participants failed one." if failed or answers.counts.get("catch_trials") else ""
    asked, group = list(context.asked), context.group.strip().lower()
    tables = listed(
        [f"table of {of}" for of, some in (("groups", group in asked), ("questions", {*asked} - {group})) if some]
    )
    one_class, why_not = _one_class(answers), _untested(survey)
    untested = "None: images of one class only." if one_class else f"None: {why_not}." if why_not else ""
    within = f"0.5 ± {context.bound:g}"
    return [
        ("Hypothesis", untested if one_class else
                       f"Balanced accuracy within {within} ('cannot tell'), or different from 0.5."),
        ("Preregistration", f"SHA-256 {registered['sha256']}. {sentence(registered['parts'])}"
                            if registered else f"None given to this report. {FILL_IN}"),
        ("Participants", f"{answers.participants}, of whom "
                         f"{answers.counts.get('unfinished_participants_scored', FILL_IN)} stopped early. "
                         f"{simulated(answers)}".strip()),
        ("Recruitment, payment, ethics, consent", FILL_IN),
        ("Who they were", f"Asked: {listed(asked)}; the counts are in the {tables}." if asked else FILL_IN),
        ("Sample size", "See Preregistration." if registered else f"Reason: {FILL_IN}"),
        ("Images", f"{_images(answers)}. Origin and selection: " + (
            f"stimulus sets {listed(sorted(answers.set_versions))} (hashes under Provenance)." if answers.set_versions
            else FILL_IN) + f" {_unfinished(context, answers)}".rstrip()),
        ("Trials", f"{answers.counts['trials']:,} scored{_per_person(answers)}."),
        ("Exposure", _exposure(answers)),
        ("Order, sides, practice, instructions", FILL_IN),
        ("Attention checks", attention or f"None recorded. {FILL_IN}"),
        ("Exclusions and missing answers", left_out),
        ("Outcome", "Accuracy, of one class of images." if one_class else
                    "Balanced accuracy (primary); d', criterion, F1, hit and false-alarm rate beside it."),
        ("Intervals", "For new participants and new images, two-way clustered." if _has_intervals(survey) else
                      f"None: {why_not}."),
        ("Tests", untested or f"Two-sided at 5 % against chance; two one-sided tests at 5 % against {within}."),
        ("Multiplicity", untested or _multiplicity(context, scores)),
        *[(f"Result{', ' + name if len(survey) > 1 else ''}", f"Right about {result(one)}")
          for name, one in survey.items()],
        *[(f"Reliability{', ' + name if len(survey) > 1 else ''}", _reliability(one))
          for name, one in scores.get("reliability", {}).items()],
        ("Sensitivity", "The table of exclusions has the verdict without doubtful trials and participants."
                        if any(len(one["exclusions"]) > 1 for one in survey.values())
                        else "Nothing recorded with the answers gives a reason to exclude a trial or a participant."),
        ("Software", f"Glimpse {version}, seed {context.seed}; versions under Provenance."),
        ("Data", f"Answers with SHA-256 {answers.sha256[:12]}…. Published at: {FILL_IN}"),
    ]  # fmt: skip


def _reliability(one: Mapping[str, Any]) -> str:
    said = [
        f"{kind} {decimal(max(0.0, found['icc_mean']['value']))} ({found['icc_mean']['method'].split(', ')[0]})"
        for kind, found in one["reliability"].items() if found["icc_mean"]["value"] is not None
    ]  # fmt: skip
    agreed = one["agreement"].get("all", {}).get("alpha")
    said += [] if agreed is None else [f"Krippendorff's α {decimal(agreed)}"]
    return f"{'; '.join(said)}." if said else "Too few answers."


BIBTEX = """@software{{glimpse,
  title   = {{Glimpse: can people tell, in a glimpse, which medical images are real?}},
  author  = {{{{The Glimpse authors}}}},
  version = {{{version}}},
  license = {{MIT}}
}}
@techreport{{furger2020,
  title       = {{Applications of Generative Adversarial Networks to Dermatologic Imaging}},
  author      = {{Furger, Fabian and Amruthalingam, Ludovic and Navarini, Alexander A. and Pouly, Marc}},
  institution = {{Lucerne University of Applied Sciences and Arts}},
  number      = {{5/2020}},
  year        = {{2020}},
  doi         = {{10.5281/zenodo.3873159}}
}}"""
RIS = """TY  - COMP
TI  - Glimpse: can people tell, in a glimpse, which medical images are real?
AU  - The Glimpse authors
ET  - {version}
ER  -
TY  - RPRT
TI  - Applications of Generative Adversarial Networks to Dermatologic Imaging
AU  - Furger, Fabian
AU  - Amruthalingam, Ludovic
AU  - Navarini, Alexander A.
AU  - Pouly, Marc
PB  - Lucerne University of Applied Sciences and Arts
SN  - 5/2020
PY  - 2020
DO  - 10.5281/zenodo.3873159
ER  -
"""

"""`python -m analysis.power`: the number of participants that a claim needs, by simulating the whole survey.

Each simulated survey draws new people and new images and is judged by the report's own estimator, so the answer holds
for new participants and new images. A pilot gives the variation of people and images, and the accuracy unless
`--accuracy` is given; its own uncertainty is averaged over (assurance). `--difference` plans for two sets.

PYTHON_ARGCOMPLETE_OK
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.answers.form import Form, add_form_options
from glimpse.command_line import Parser, aligned, counted, in_range, program, run_command
from glimpse.files import atomic_file
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from analysis.people.population.mixed import MixedModel
    from analysis.people.population.simulation import Truth
    from analysis.planning import Plan

PARTICIPANTS = (25, 50, 75, 100, 150, 200, 300, 400)


def build_parser() -> Parser:
    parser = program(
        "python -m analysis.power",
        "Estimate how many participants a claim takes, by simulating the survey and its verdict.",
    )
    add = parser.add_argument
    add("--accuracy", type=float, metavar="A", help="the true accuracy to plan for (default: 0.5, or the pilot's)")
    add("--difference", type=float, metavar="D",
        help="plan for finding a difference of D between the accuracies of two sets without shared images, both "
        "answered by all")  # fmt: skip
    add("--bound", type=float, default=0.05, metavar="D", help="'cannot tell' means an accuracy within 0.5 ± D")
    add("--images", type=int, default=100, metavar="N", help="images of each class in the stimulus set")
    add("--trials", type=int, default=10, metavar="N", help="images of each class that a participant sees")
    add("--real-images", type=int, metavar="N", help="real images, if there are more or fewer than --images")
    add("--real-trials", type=int, metavar="N", help="real images that a participant sees, if not --trials")
    add("--participants", type=int, nargs="+", default=PARTICIPANTS, metavar="N",
        help=f"numbers of participants to try (default: {' '.join(map(str, PARTICIPANTS))})")  # fmt: skip
    add("--target", type=float, default=0.8, metavar="P", help="power to reach, 0 to 1")
    add("--simulations", type=int, default=400, metavar="N", help="simulated surveys for each number of participants")
    add("--pilot", nargs="?", const="workspace", metavar="FILE.csv",
        help="take the differences between people and between images from these answers (without FILE.csv: from the "
        "workspace's; default: from published values)")  # fmt: skip
    add("--set", metavar="NAME", help="the pilot's stimulus set, if it has several")
    add("--where", metavar="COLUMN=VALUE", action="append", default=[], help="keep these rows of the pilot; repeatable")
    add_form_options(parser)
    add("--out", metavar="DIR", type=Path, help="write the table (power.csv) and the curve (power.svg, .png) to DIR")
    add(
        "--preregister",
        metavar="FILE.md",
        type=Path,
        help="write a preregistration: design, number of participants, bound, exclusions, stopping rule and tests",
    )
    add("--study", metavar="STUDY.toml", type=Path, help="study file whose rules the preregistration states")
    add(
        "--positive",
        choices=("generated", "real"),
        default="generated",
        help="positive class of its F1",
    )
    parser.add_seed("the simulations")
    parser.add_json()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    return run_command(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    from analysis import planning
    from analysis.people.population.simulation import Design
    from analysis.section import AnalysisError

    _check(args)
    study = _study(args)
    truth, pilot, source = _truth(args)
    if args.difference is not None and not 0.01 <= (other := round(truth.accuracy + args.difference, 12)) <= 0.99:
        raise AnalysisError(
            f"--difference {args.difference}: the other set's accuracy would be {other:.3g}, from "
            f"{truth.accuracy:.3g}; it must be from 0.01 to 0.99."
        )
    design = Design(100, args.images, args.trials, args.real_images, args.real_trials)
    wanted = planning.claim(truth, args.bound) if args.difference is None else "different"
    draw = planning.uncertain(pilot, args.accuracy) if pilot else planning.always(truth)
    plan = planning.Plan(draw, design, wanted, args.bound, args.difference)
    table = planning.power_table(plan, args.participants, args.simulations, args.seed, args.target)
    enough = planning.needed(table, wanted, args.target)
    if args.json:
        found = {"claim": wanted, "bound": args.bound, "difference": args.difference, "target": args.target}
        survey = {"images": args.images, "trials": args.trials, "simulations": args.simulations}
        survey |= {"real_images": design.by_class[0][0], "real_trials": design.by_class[0][1], "assurance": bool(pilot)}
        rows = table.to_dict("records")
        print(
            json.dumps(
                {**found, "participants_needed": enough, **survey, "truth": asdict(truth), "rows": rows}, indent=1
            )
        )
    else:
        _print(table, truth, source, plan, enough, study, args)
    if args.preregister:
        number = args.participants[0] if enough is None and len(args.participants) == 1 else enough
        reached = None if number is None else (number, planning.reached(table, plan.claim, number))
        _preregister(args, study, truth, source, plan, reached)
    if args.out:
        _write(args.out, table, wanted, args)
        if not args.json:
            print(f"Written: {args.out / 'power.csv'}, {args.out / 'power.svg'} and .png.")
    return 0


def _print(
    table: pd.DataFrame, truth: Truth, source: str, plan: Plan, enough: int | None, study: Mapping[str, Any] | None,
    args: argparse.Namespace,
) -> None:  # fmt: skip
    from analysis.planning import REFINEMENT

    (real_images, real_trials), (images, trials) = plan.design.by_class
    print(
        f"True accuracy {truth.accuracy:.3f}, {real_images} real and {images} generated images, {real_trials} + "
        f"{trials} trials each; spreads {source}: SD of d' {truth.sd_d_prime:.2f}, of the criterion "
        f"{truth.sd_criterion:.2f}, of the images {truth.sd_image:.2f}. {args.simulations} simulated surveys per row"
        f"{'' if enough is None else f', {REFINEMENT * args.simulations} at the number found'}."
    )
    rows = [("participants", *plan.codes)]
    for row in table.to_dict("records"):
        rows.append((f"{row['participants']:.0f}", *(f"{row[code.replace(' ', '_')]:.3f}" for code in plan.codes)))
    print("", *aligned(rows, left=()), sep="\n")
    words = {"cannot tell": f"'cannot tell within ±{plan.bound:g}'", "different": f"a difference of {plan.difference}"}
    said = words.get(plan.claim, f"'{plan.claim}'")
    kind = "assurance (power averaged over what the pilot leaves open)" if args.pilot else "power"
    if enough is None:
        print(
            f"\nNone of these sizes finds {said} with {args.target:.0%} {kind}: try more participants; if they no "
            "longer help, use more images or more trials each."
        )
        return
    about = "At most" if enough == min(args.participants) else "About"
    print(f"\n{about} {enough} participants find {said} with {args.target:.0%} {kind}.")
    print(_assumptions(plan, truth, enough, study, args))


def _assumptions(
    plan: Plan, truth: Truth, enough: int, study: Mapping[str, Any] | None, args: argparse.Namespace
) -> str:
    """The assumptions, and the power of the number found if people and images vary less or more."""
    import numpy as np

    from analysis import planning
    from analysis.preregistration.text import simulated

    said = (
        "Assumed: a true accuracy as above, d' and criterion normal over people, images normal within each class, "
        "every participant sees a new random sample of the images, all answers are kept, and there are no lapses."
    )
    said += f" {simulated(plan.difference, study)}"
    if args.pilot:
        return said
    shares = []
    for other in (planning.MILD, planning.STRONG):
        spread = replace(other, criterion=truth.criterion).with_accuracy(truth.accuracy)
        found = planning.power(
            replace(plan, draw=planning.always(spread)), enough, args.simulations, np.random.default_rng(args.seed)
        )
        shares.append(f"{found[plan.claim]:.0%}")
    return (
        f"{said} With the smallest spreads of published surveys (SD of d' {planning.MILD.sd_d_prime:g}, criterion "
        f"{planning.MILD.sd_criterion:g}, images {planning.MILD.sd_image:g}) {enough} participants have {shares[0]} "
        f"power, with the largest ({planning.STRONG.sd_d_prime:g}, {planning.STRONG.sd_criterion:g}, "
        f"{planning.STRONG.sd_image:g}) {shares[1]}: run a pilot and give it with --pilot."
    )


def _check(args: argparse.Namespace) -> None:
    from analysis.numbers import LEAST_BOUND
    from analysis.people.population.simulation import Design
    from analysis.section import AnalysisError

    for name, value, ends, good in (
        ("--accuracy", args.accuracy, "from 0.01 to 0.99", args.accuracy is None or 0.01 <= args.accuracy <= 0.99),
        ("--bound", args.bound, f"at least {LEAST_BOUND} and below 0.5", LEAST_BOUND <= args.bound < 0.5),
        ("--target", args.target, "above 0 and below 1", 0 < args.target < 1),
        ("--difference", args.difference, "between -0.5 and 0.5, but not 0",
         args.difference is None or 0 < abs(args.difference) < 0.5),
    ):  # fmt: skip
        if not good:
            raise AnalysisError(f"{name} {value} is out of range: it must be {ends}.")
    for name in ("images", "trials", "real_images", "real_trials", "simulations"):
        if getattr(args, name) is not None:
            in_range(f"--{name.replace('_', '-')}", getattr(args, name), 1)
    design = Design(0, args.images, args.trials, args.real_images, args.real_trials)
    for truth, (images, trials) in zip(("real", "generated"), design.by_class, strict=True):
        if trials > images:
            many, few = (
                f"--real-{name}" if truth == "real" and getattr(args, f"real_{name}") is not None else f"--{name}"
                for name in ("images", "trials")
            )
            there = f"there {'is' if images == 1 else 'are'} only {counted(images, f'{truth} image')}"
            raise AnalysisError(f"{few} {trials}: {there} to draw from; raise {many} or lower {few}.")
    in_range("--participants", min(args.participants), 2)
    _refuse_idle(args)


def _refuse_idle(args: argparse.Namespace) -> None:
    """Raise AnalysisError for an option that has no effect without another: its user expects one."""
    from analysis.section import AnalysisError

    form = [entry.name for entry in fields(Form) if entry.name != "unsure"]
    file, plan = args.pilot not in (None, "workspace"), args.preregister is not None
    for names, used, what in (
        (("set", "where"), args.pilot is not None, "a pilot; add --pilot FILE.csv"),
        (form, file, "the file of a pilot; name it with --pilot FILE.csv"),
        (("unsure",), file or plan, "the file of a pilot or a preregistration; add --pilot FILE.csv or --preregister"),
        (("study", "positive"), plan, "a preregistration; name the file to write with --preregister FILE.md"),
    ):
        for name in names:
            if not used and getattr(args, name) not in (None, [], "out", "generated"):
                raise AnalysisError(f"--{name}: used only for {what}.")


def _truth(args: argparse.Namespace) -> tuple[Truth, MixedModel | None, str]:
    """The population to simulate, the model of the pilot if there is one, and the source of the spreads."""
    from analysis.planning import PUBLISHED

    if args.pilot is None:
        assumed = PUBLISHED.with_accuracy(0.5 if args.accuracy is None else args.accuracy)
        return assumed, None, "as in Stein et al. 2023"
    from analysis.answers.read import read_csv, read_database
    from analysis.answers.responses import NobodyScoredError
    from analysis.people.population import mixed
    from analysis.people.trials import Trials
    from analysis.section import AnalysisError

    try:
        if args.pilot == "workspace":
            answers = read_database(Workspace.at(args.workspace), args.where, include_pilot=True)
        else:
            answers = read_csv(Path(args.pilot), args.where, Form.of(args), include_pilot=True)
    except NobodyScoredError as error:
        raise AnalysisError(
            f"--pilot: {error.reason}, so that the answers say nothing about how people vary: leave --pilot out."
        ) from None
    if answers is None:
        raise AnalysisError("--pilot: the workspace holds no answers yet; name a file, or leave --pilot out.")
    frame = answers.trials
    sets = sorted(frame["set"].unique())
    if (len(sets) > 1) if args.set is None else (args.set not in sets):
        raise AnalysisError(f"--set: choose one of the pilot's sets: {', '.join(sets)}.")
    frame = frame if args.set is None else frame[frame["set"] == args.set]
    model = mixed.fit(Trials.from_table(frame))
    truth = model.truth()
    if truth is None:
        raise AnalysisError(f"The pilot cannot be modelled ({model.d_prime.note}): leave --pilot out.")
    if args.accuracy is not None:
        truth = truth.with_accuracy(args.accuracy)
    return truth, model, f"from {frame['participant'].nunique()} participants of the pilot"


def _study(args: argparse.Namespace) -> dict[str, Any] | None:
    """The facts of --study. Raises AnalysisError if its trials differ from the plan."""
    from analysis.people.population.simulation import Design
    from analysis.preregistration.facts import study_facts
    from analysis.section import AnalysisError

    if args.study is None:
        return None
    study = study_facts(args.study)
    (_, real), (_, generated) = Design(0, args.images, args.trials, args.real_images, args.real_trials).by_class
    if args.difference is not None and (not study["within"] or len(study["sets"]) < 2):
        raise AnalysisError(
            f'--study {args.study}: --difference plans for two sets that all people answer; set `design = "within"` '
            "with two sets, or leave out --difference."
        )
    shown = study["trials"]
    if (shown["real"], shown["generated"]) != (real, generated):
        raise AnalysisError(
            f"--study {args.study}: it shows {shown['real']} real and {shown['generated']} generated images, but "
            f"{real} and {generated} are planned; add --real-trials {shown['real']} --trials {shown['generated']}."
        )
    return study


def _preregister(
    args: argparse.Namespace, study: dict[str, Any] | None, truth: Truth, source: str, plan: Plan,
    number: tuple[int, float] | None,
) -> None:  # fmt: skip
    """Write the preregistration of a number of participants with its power. Raises AnalysisError without a number."""
    from analysis.numbers import percent
    from analysis.preregistration.facts import SCHEMA, now
    from analysis.preregistration.text import doubt, markdown
    from analysis.section import AnalysisError

    if number is None:
        raise AnalysisError(
            "--preregister: no size of --participants reaches --target; nothing is written. A single size is "
            "registered with its own power."
        )
    (real_images, real_trials), (images, trials) = plan.design.by_class
    facts = {
        "schema": SCHEMA, "written": now(), "claim": plan.claim, "bound": plan.bound,
        "difference": plan.difference, "accuracy": round(truth.accuracy, 12), "participants": number[0],
        "power": number[1],
        "images": {"real": real_images, "generated": images}, "trials": {"real": real_trials, "generated": trials},
        "spreads": {"d_prime": truth.sd_d_prime, "criterion": truth.sd_criterion, "images": truth.sd_image,
                    "source": source},
        "positive": args.positive, "unsure": args.unsure, "study": study,
    }  # fmt: skip
    with atomic_file(args.preregister) as temporary:
        temporary.write_text(markdown(facts), "utf-8")
    if unlikely := doubt(number[1]):
        found = f"{number[0]} participants find '{plan.claim}' with a probability of {percent(number[1], 0)}"
        print(f"Warning: {found}. {unlikely}", file=sys.stderr)
    if not args.json:
        print(f"Written: {args.preregister}. Register it unchanged before the first participant answers.")


def _write(out: Path, table: pd.DataFrame, wanted: str, args: argparse.Namespace) -> None:
    from analysis.figures.power import power_curve

    with atomic_file(out / "power.csv") as temporary:
        table.to_csv(temporary, index=False)
    figure = power_curve(table, wanted, args.target)
    for suffix in ("svg", "png"):
        with atomic_file(out / f"power.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, dpi=200, metadata={"Date": None} if suffix == "svg" else None)


if __name__ == "__main__":
    sys.exit(main())

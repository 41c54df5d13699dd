"""`python -m analysis.power`: the number of participants that a claim needs, by simulating the whole survey.

Each simulated survey draws new people and new images and is judged by the report's own estimator, so the answer holds
for new participants and new images. A pilot gives the variation of people and images, and the accuracy unless
`--accuracy` is given.

PYTHON_ARGCOMPLETE_OK
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.answers.form import Form, add_form_options
from glimpse.command_line import Parser, program, run_command
from glimpse.files import atomic_file
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from analysis.people.simulation import Design, Truth

PARTICIPANTS = (25, 50, 75, 100, 150, 200, 300, 400)
CODES = ("cannot tell", "detectable", "undecided")


def power(truth: Truth, design: Design, simulations: int, bound: float, rng: np.random.Generator) -> dict[str, float]:
    """The share of simulated surveys with each verdict."""
    from analysis.people import equivalence, inference
    from analysis.people.simulation import simulate

    found = dict.fromkeys(CODES, 0)
    for _ in range(simulations):
        accuracy = inference.balanced_accuracy(simulate(truth, design, rng))
        found[equivalence.verdict(accuracy, design.participants, bound).code] += 1
    return {code: n / simulations for code, n in found.items()}


def power_table(
    truth: Truth, design: Design, participants: Sequence[int], simulations: int, bound: float, seed: int = 0
) -> pd.DataFrame:
    """One row for each number of participants: how often each verdict falls, with 95 % Wilson intervals of the claim.

    The claim is 'cannot tell' where the true accuracy lies within the bounds, else 'detectable'.
    """
    import numpy as np
    import pandas as pd
    from statsmodels.stats.proportion import proportion_confint

    from glimpse.progress import progress

    rows = []
    for n in progress(sorted(set(participants)), title="simulating", unit="sizes"):
        shares = power(truth, replace(design, participants=n), simulations, bound, np.random.default_rng([seed, n]))
        hits = round(shares[claim(truth, bound)] * simulations)
        low, high = proportion_confint(hits, simulations, method="wilson")
        rows.append({"participants": n, **{c.replace(" ", "_"): shares[c] for c in CODES}, "low": low, "high": high})
    return pd.DataFrame(rows)


def claim(truth: Truth, bound: float) -> str:
    """The verdict to hope for: 'cannot tell' if the true accuracy lies within the bounds, else 'detectable'."""
    return "cannot tell" if abs(truth.accuracy - 0.5) < bound else "detectable"


def needed(table: pd.DataFrame, column: str, target: float) -> int | None:
    """The number of participants at which the curve first reaches the target, interpolated; None if it does not.

    >>> import pandas as pd
    >>> needed(pd.DataFrame({"participants": [50, 100], "cannot_tell": [0.7, 0.9]}), "cannot_tell", 0.8)
    75
    """
    import numpy as np

    curve = np.maximum.accumulate(table[column].to_numpy(float))
    n = table["participants"].to_numpy(float)
    if curve[-1] < target:
        return None
    if curve[0] >= target:
        return int(n[0])
    after = int(np.argmax(curve >= target))
    share = (target - curve[after - 1]) / (curve[after] - curve[after - 1])
    return int(np.ceil(n[after - 1] + share * (n[after] - n[after - 1]) - 1e-9))


# ------------------------------------------------------------------------------------------------ command


def build_parser() -> Parser:
    parser = program(
        "python -m analysis.power",
        "Estimate how many participants a claim takes, by simulating the survey and its verdict.",
    )
    add = parser.add_argument
    add("--accuracy", type=float, metavar="A", help="the true accuracy to plan for (default: 0.5, or the pilot's)")
    add("--bound", type=float, default=0.05, metavar="D", help="'cannot tell' means an accuracy within 0.5 ± D")
    add("--images", type=int, default=100, metavar="N", help="images of each class in the stimulus set")
    add("--trials", type=int, default=10, metavar="N", help="images of each class that a participant sees")
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
    parser.add_seed("the simulations")
    parser.add_json()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    return run_command(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    from analysis.people.simulation import Design

    _check(args)
    truth, source = _truth(args)
    design = Design(images=args.images, trials=args.trials)
    table = power_table(truth, design, args.participants, args.simulations, args.bound, args.seed)
    wanted = claim(truth, args.bound)
    enough = needed(table, wanted.replace(" ", "_"), args.target)
    if args.json:
        found = {"claim": wanted, "bound": args.bound, "target": args.target, "participants_needed": enough}
        rows = table.to_dict("records")
        survey = {"images": args.images, "trials": args.trials, "simulations": args.simulations}
        print(json.dumps({**found, **survey, "truth": asdict(truth), "rows": rows}, indent=1))
    else:
        _print(table, truth, source, wanted, enough, args)
    if args.out:
        _write(args.out, table, wanted, args)
        if not args.json:
            print(f"Written: {args.out / 'power.csv'}, {args.out / 'power.svg'} and .png.")
    return 0


def _print(
    table: pd.DataFrame, truth: Truth, source: str, wanted: str, enough: int | None, args: argparse.Namespace
) -> None:
    print(
        f"True accuracy {truth.accuracy:.3f}, {args.images} images a class, {args.trials} + {args.trials} trials each; "
        f"spreads {source}: SD of d' {truth.sd_d_prime:.2f}, of the criterion {truth.sd_criterion:.2f}, "
        f"of the images {truth.sd_image:.2f}. {args.simulations} simulated surveys a row."
    )
    print("\nparticipants  cannot tell  detectable  undecided")
    for row in table.itertuples():
        print(f"{row.participants:>12}  {row.cannot_tell:>11.3f}  {row.detectable:>10.3f}  {row.undecided:>9.3f}")
    words = f"'cannot tell within ±{args.bound:g}'" if wanted == "cannot tell" else "'detectable'"
    if enough is None:
        print(f"\nNone of these sizes says {words} with {args.target:.0%} power: use more images or more trials each.")
    else:
        about = "At most" if enough == min(args.participants) else "About"
        print(f"\n{about} {enough} participants say {words} with {args.target:.0%} power.")


def _check(args: argparse.Namespace) -> None:
    from analysis.section import AnalysisError

    for name, value, good in (
        ("--accuracy", args.accuracy, args.accuracy is None or 0.01 <= args.accuracy <= 0.99),
        ("--bound", args.bound, 0 < args.bound < 0.5),
        ("--target", args.target, 0 < args.target < 1),
    ):
        if not good:
            raise AnalysisError(f"{name} {value} is no share between 0 and 1 that makes sense here: see --help.")
    for name, value in (("--images", args.images), ("--trials", args.trials), ("--simulations", args.simulations)):
        if value < 1:
            raise AnalysisError(f"{name} {value}: at least 1 is needed.")
    if args.trials > args.images:
        raise AnalysisError(f"--trials {args.trials}: a class has only {args.images} images; raise --images.")
    if min(args.participants) < 2:
        raise AnalysisError("--participants: at least 2 are needed to speak of new ones.")


def _truth(args: argparse.Namespace) -> tuple[Truth, str]:
    """The population to simulate, and where its spreads come from."""
    from analysis.people.simulation import Truth

    if args.pilot is None:
        assumed = Truth().with_accuracy(0.5 if args.accuracy is None else args.accuracy)
        return assumed, "as in Stein et al. 2023"
    from analysis.answers.read import read_csv, read_database
    from analysis.people import mixed
    from analysis.people.trials import Trials
    from analysis.section import AnalysisError

    if args.pilot == "workspace":
        answers = read_database(Workspace.at(args.workspace), args.where)
        if answers is None:
            raise AnalysisError("--pilot: the workspace holds no answers yet; name a file, or leave --pilot out.")
    else:
        answers = read_csv(Path(args.pilot), args.where, Form.of(args))
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
    return truth, f"from {frame['participant'].nunique()} participants of the pilot"


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

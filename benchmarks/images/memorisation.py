"""`python -m benchmarks.images.memorisation --images mel df nv`: the shares of copies found and of false alarms.

Copies: training images are copied in each way of `analysis.images.copying.kinds.KINDS`; the table gives the share
below the threshold and the share whose source, or another photo of the same group, is named first. Honest sets:
each round leaves a random third of the groups out of training and takes half of these images for generated ones: as
they are, blurred, paler, or a few drawn many times with noise. The table gives the share of rounds with an alarm.
Finished rows are kept in `--rows FILE` and not computed again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.images.copying.assess import assess, plant
from analysis.images.copying.kinds import KINDS, noisy, out_of_focus, paler
from glimpse.command_line import program
from glimpse.images import evenly, shrink
from glimpse.imageset import ImageSet
from glimpse.progress import progress as progress_bar
from glimpse.workspace import Workspace

Pictures = NDArray[np.uint8]


def collapsed(images: Pictures) -> Pictures:
    """Eight of the images, drawn again and again with noise."""
    return noisy(np.resize(images[:8], images.shape))


HONEST = {
    "honest": lambda images: images,
    "honest, blurred": out_of_focus,
    "honest, 60 % contrast": lambda images: paler(images, 0.6),
    "honest, 40 % contrast": lambda images: paler(images, 0.4),
    "honest, collapsed": collapsed,
}


def copies(images: Pictures, groups: NDArray[np.str_], split: NDArray[np.bool_], count: int) -> dict[str, list[float]]:
    """The shares of copies found and of sources named first, by kind; test images stand for generated ones."""
    train, test = images[split], images[~split]
    threshold = assess(train, groups[split], test, groups[~split], test).verdict.threshold
    found = plant(train, groups[split], count)
    recognised = found.recognised(threshold)
    return {kind: [recognised[kind], found.named[kind]] for kind in KINDS}


def alarms(images: Pictures, groups: NDArray[np.str_], kind: str, seed: int) -> bool:
    """Whether honest images of groups that were left out raise an alarm."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.unique(groups))
    out = np.isin(groups, names[: len(names) // 3])
    generated = np.isin(groups, names[: len(names) // 6])
    test = out & ~generated
    new = HONEST[kind](images[generated])
    return bool(assess(images[~out], groups[~out], images[test], groups[test], new).verdict.alarm)


def main() -> None:
    parser = program("python -m benchmarks.images.memorisation", __doc__ or "")
    parser.add_argument("--images", nargs="+", required=True, metavar="SET")
    parser.add_argument("--side", type=int, default=64, metavar="N", help="side of the images (default: 64)")
    parser.add_argument("--most", type=int, default=900, metavar="N", help="images of a set (default: 900)")
    parser.add_argument("--copies", type=int, default=100, metavar="N", help="of each kind (default: 100)")
    parser.add_argument("--rounds", type=int, default=40, metavar="N", help="of each honest set (default: 40)")
    parser.add_argument("--rows", type=Path, default=Path("memorisation.json"), metavar="FILE")
    args = parser.parse_args()
    rows = json.loads(args.rows.read_text()) if args.rows.exists() else {}
    wanted = [(name, "copies", 0) for name in args.images]
    wanted += [(name, kind, i) for i in range(args.rounds) for name in args.images for kind in HONEST]
    sets = {name: ImageSet.load(Workspace.at(args.workspace).existing("images", name)) for name in args.images}
    with progress_bar(title="rows", unit="rows", total=len(wanted), shown=True) as bar:
        for name, kind, i in wanted:
            key = f"{name}|{kind}|{i}|{args.side}|{args.most}|{args.copies if kind == 'copies' else ''}"
            if key not in rows:
                some = evenly(np.arange(len(sets[name])), args.most)
                images = np.stack([shrink(sets[name].images[row], args.side, args.side) for row in some])
                groups, training = sets[name].groups[some], np.isin(some, sets[name].where("train"))
                if kind == "copies":
                    rows[key] = copies(images, groups, training, args.copies)
                else:
                    rows[key] = alarms(images, groups, kind, i)
                args.rows.write_text(json.dumps(rows, indent=0))
            bar.update(1)
    print(table(rows, args.images))


def table(rows: dict[str, Any], names: list[str]) -> str:
    """The tables in Markdown: copies found and sources named first in percent, then alarms with 95 % intervals."""
    lines = [f"| copies: found, source named first | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    of = {(name, what): [v for k, v in rows.items() if k.split("|")[:2] == [name, what]]
          for name in names for what in ("copies", *HONEST)}  # fmt: skip
    for kind in KINDS:
        cells = [", ".join(f"{share:.0%}" for share in of[name, "copies"][0][kind]) for name in names]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines += ["", f"| alarms | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for kind in HONEST:
        cells = [_share(of[name, kind]) for name in names]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _share(alarms: list[bool]) -> str:
    if not alarms:
        return "-"
    interval = stats.binomtest(sum(alarms), len(alarms)).proportion_ci(0.95, "exact")
    return f"{np.mean(alarms):.1%} ({interval.low:.1%} to {interval.high:.1%})"


if __name__ == "__main__":
    main()

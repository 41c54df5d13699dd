"""The command `gan_core runs`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from glimpse.command_line import Commands, aligned, next_step
from glimpse.files import read_json
from glimpse.runs.confidence import best_scored, chosen_when_saturated, confidence
from glimpse.runs.log import read_log, so_far
from glimpse.workspace import Workspace


def add_command(commands: Commands) -> None:
    runs = commands.add_parser(
        "runs", help="list the trained runs", description="List the runs of the workspace, finished and unfinished."
    )
    runs.add_json()
    runs.set_defaults(run=runs_command)


def runs_command(args: argparse.Namespace, workspace: Workspace) -> int:
    """The runs as a table, or with --json as a list of objects; `score` names the key of the lowest score."""
    runs = [_facts_of(workspace.existing("runs", name)) for name in workspace.names("runs")]
    if args.json:
        print(json.dumps(runs, indent=1))
        return 0
    if not runs:
        print(f"There are no runs yet in {workspace.root / 'runs'}. Next: {next_step(workspace)}")
        return 0
    rows = [("run", "experiment", "preset", "height x width", "images", "time", "best score", "discriminator", "state")]
    rows += [
        (
            run["run"], run["experiment"], run["preset"], f"{run['height']}x{run['width']}",
            f"{run['images']:,}/{run['images_wanted']:,}", f"{run['seconds']:.0f} s",
            "-" if run["score"] is None else f"{run['score']} {run[run['score']]:.4g}",
            run["discriminator"] or "-", "finished" if run["finished"] else "unfinished",
        )
        for run in runs
    ]  # fmt: skip
    print(*aligned(rows, left=range(len(rows[0]))), sep="\n")
    return 0


def _facts_of(folder: Path) -> dict[str, Any]:

    config, lines = read_json(folder / "config.json"), read_log(folder / "log.jsonl")
    images, seconds = so_far(folder)
    found, best = confidence(lines), best_scored(lines) or {"score": None}
    score = {} if best["score"] is None else {best["score"]: best[best["score"]]}
    return {
        "run": folder.name, "experiment": config["experiment"], "preset": config["preset"], "height": config["height"],
        "width": config["width"], "images": images, "images_wanted": config["settings"]["images"],
        "seconds": seconds, "score": best["score"], **score,
        "discriminator": found.state if found else None, "saturated_at_best": chosen_when_saturated(lines),
        "finished": bool(config.get("finished")),
    }  # fmt: skip

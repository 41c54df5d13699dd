"""`python -m benchmarks.gpu_check`: does training work on this GPU, and how fast? Under ten minutes.

Each of the eight experiments, at the paper's size and widths, on images of noise:

- the first steps in fp32, in fp32 compiled and in bf16: their losses and gradient norms must agree;
- a few hundred steps as `gan_core train` takes them: every mean is finite; peak memory and seconds;
- images/s beside the same networks trained as PyTorch's tutorials advise, and the share of the compute roof.

Then one run is killed by SIGKILL and resumed. If the workspace holds the image sets df and mel, each is trained for
half of the time that is left, and scored. The results go to `--out`: gpu_check.json and gpu_check.md. Parts for which
the time is too short are listed; nothing is estimated.

    python -m benchmarks.gpu_check --out results

`--device cpu --tiny` runs the same code with tiny networks on a CPU, which shows only that the script works.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import training
from gan_core.device import fast_device
from gan_core.experiments import EXPERIMENTS, TrainingError
from gan_core.training.engine import Engine
from gan_core.training.ranks import Ranks
from gan_core.training.request import Request, describe_run, into_memory, open_domains
from gan_core.training.schemes import SCHEMES
from glimpse.command_line import program, run_command
from glimpse.files import read_json
from glimpse.imageset import ImageSet
from glimpse.runs.confidence import best_scored
from glimpse.runs.log import read_log
from glimpse.workspace import Workspace

TOLERANCE = {"fp32, compiled": 0.01, "bf16": 0.05}  # relative, of each loss and gradient norm, after `FEW` steps
FEW = 4
TINY = {"g_features": 8, "d_features": 4, "batch": 4}
COLUMNS = {
    "experiment": "experiment", "size": "size", "batch": "batch", "finite": "finite", "compiled": "compiled = eager",
    "bf16": "bf16 = fp32", "peak_memory_mb": "peak MiB", "images_per_second": "images/s",
    "times_the_peer": "× tutorial", "share_of_roof": "of roof",
}  # fmt: skip


class Check:
    """The checks of one machine, until a deadline."""

    def __init__(self, device: str, tiny: bool, steps: int, seconds: float, minutes: float, peak_tflops: float) -> None:
        self.device, self.tiny, self.steps, self.seconds = torch.device(device), tiny, steps, seconds
        self.peak_tflops = peak_tflops
        self.deadline = time.perf_counter() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.perf_counter()

    def chosen(self, **more: Any) -> dict[str, Any]:
        return {**(TINY if self.tiny else {}), **more}

    def size(self, experiment: str) -> tuple[int, int]:
        return (32, 32) if self.tiny else training.PAPER_SIZES.get(experiment, (128, 128))

    def engine(self, experiment: str, images: Mapping[str, ImageSet], bf16: bool, compiled: bool) -> Engine:
        chosen = self.chosen(bf16=bf16, compile=compiled)
        run = describe_run(experiment, experiment, images, Request("paper", chosen))
        scheme = SCHEMES[run.experiment.scheme](run, into_memory(run, images, self.device), self.device, Ranks())
        engine = Engine(scheme)
        if self.device.type == "cpu":  # the switches are for CUDA
            engine.bf16 = bf16
            if compiled:
                engine.compile("eager")
        return engine

    def experiment(self, name: str) -> dict[str, Any]:
        """One row of the table."""
        with tempfile.TemporaryDirectory() as folder:
            return self._experiment(Workspace(Path(folder)), name)

    def _experiment(self, workspace: Workspace, name: str) -> dict[str, Any]:
        for domain in EXPERIMENTS[name].domains:
            training.make_images(workspace, domain, self.size(name))
        images = open_domains(workspace, name, Request())
        losses, notes, compiles = {}, [], True
        for kind, bf16, compiled in (
            ("fp32", False, False), ("fp32, compiled", False, True), ("bf16", True, False),
        ):  # fmt: skip
            engine = self.engine(name, images, bf16, compiled)
            engine.warm_up(FEW)
            losses[kind] = engine.gathered()
            compiles = compiles and engine.compiled is compiled
            notes += engine.notes
            del engine
        deviations = {kind: deviation(losses[kind], losses["fp32"]) for kind in TOLERANCE}
        engine = self.engine(name, images, bf16=True, compiled=True)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        engine.warm_up(3)
        began = time.perf_counter()
        for _ in range(self.steps):
            engine.step()
        means = engine.gathered()  # waits for the device
        rate = self.steps * engine.settings.batch / (time.perf_counter() - began)
        peak = torch.cuda.max_memory_allocated() / 2**20 if self.device.type == "cuda" else None
        row = {
            "experiment": name, "size": list(self.size(name)), "batch": engine.settings.batch, "steps": self.steps,
            "finite": all(map(math.isfinite, means.values())), "means": means, "losses": losses,
            "deviations": deviations,
            "compiled": compiles and deviations["fp32, compiled"] <= TOLERANCE["fp32, compiled"],
            "bf16": deviations["bf16"] <= TOLERANCE["bf16"], "peak_memory_mb": peak, "images_per_second": rate,
            "notes": [*notes, *engine.notes],
        }  # fmt: skip
        del engine
        if not self.tiny:
            row |= self.beside_the_tutorial(workspace, name)
        return row

    def beside_the_tutorial(self, workspace: Workspace, name: str) -> dict[str, Any]:
        """Images/s of both in alternating rounds, and the share of the compute roof."""
        found = training.measure(workspace, name, "paper", self.device, self.seconds)
        roof = self.peak_tflops * 1e12 / found["flops_an_image"]
        kept = ("images_per_second", "peer_images_per_second", "times_the_peer", "rounds", "flops_an_image")
        return {**{key: found[key] for key in kept}, "share_of_roof": found["images_per_second"] / roof}

    def killed(self, name: str) -> dict[str, Any]:
        """A run of `gan_core train` that is killed after its first checkpoint, and resumed to its end."""
        with tempfile.TemporaryDirectory() as folder:
            return self._killed(Workspace(Path(folder)), name)

    def _killed(self, workspace: Workspace, name: str) -> dict[str, Any]:
        training.make_images(workspace, name, self.size(name))
        batch = self.chosen().get("batch", 32)
        words = [f"{key}={value}" for key, value in self.chosen(
            images=60 * batch, tick_images=10 * batch, score_images=0, observe_batches=1).items()]  # fmt: skip
        settings = [part for word in words for part in ("--set", word)]
        command = [sys.executable, "-m", "gan_core", "--workspace", str(workspace.root), "train", name]
        folder = workspace.root / "runs" / name
        first = subprocess.Popen([*command, "--device", self.device.type, *settings], stdout=subprocess.DEVNULL)
        while first.poll() is None and not (folder / "checkpoint.pt").is_file():
            time.sleep(0.01)
        first.kill()
        first.wait()
        kept = [line["images"] for line in read_log(folder / "log.jsonl")]
        again = [*command, "--device", self.device.type, "--resume"]
        code = subprocess.run(again, stdout=subprocess.DEVNULL).returncode
        lines = [line["images"] for line in read_log(folder / "log.jsonl")]
        whole = lines == [10 * batch * tick for tick in range(1, 7)]
        return {
            "experiment": name,
            "killed_at": kept[-1] if kept else 0,
            "resumed": code == 0 and whole,
            "exit_code": code,
        }

    def trained(self, workspace: Workspace, waiting: int, name: str) -> dict[str, Any]:
        """A run of `gan_core train` on an image set of the workspace, for its share of the time that is left."""
        seconds = self.left / waiting
        command = [sys.executable, "-m", "gan_core", "--workspace", str(workspace.root), "train", name]
        run = f"gpu-check-{name}"
        words = ["--name", run, "--overwrite", "--device", self.device.type]
        done = subprocess.Popen([*command, *words])
        try:
            done.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            done.send_signal(signal.SIGINT)  # it finishes the step and saves
            done.wait()
        folder = workspace.root / "runs" / run
        lines = read_log(folder / "log.jsonl")
        best = best_scored(lines)
        facts = read_json(folder / "config.json") if lines else {}
        return {
            "experiment": name, "size": [facts.get("height"), facts.get("width")], "seconds": seconds,
            "images": lines[-1]["images"] if lines else 0, "score": best["score"] if best else None,
            "best": best[best["score"]] if best else None,
        }  # fmt: skip


def deviation(found: Mapping[str, float], expected: Mapping[str, float]) -> float:
    """The largest relative difference, of values below 0.01 relative to that; infinite if a value is not finite.

    >>> deviation({"loss": 1.1, "none": 0.0}, {"loss": 1.0, "none": 0.0})
    0.1
    """
    if not all(map(math.isfinite, (*found.values(), *expected.values()))):
        return math.inf
    return round(max(abs(found[name] - value) / max(abs(value), 0.01) for name, value in expected.items()), 6)


def table(result: Mapping[str, Any]) -> str:
    """Markdown: a row for each experiment, then one sentence for each other check."""

    def cell(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "**no**"
        if isinstance(value, list):
            return "x".join(map(str, value))
        if isinstance(value, float):
            return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
        return "-" if value is None else str(value)

    lines = [
        f"{result['device']}, torch {result['torch']}, {result['steps']} steps an experiment.", "",
        "| " + " | ".join(COLUMNS.values()) + " |", "| --- | --- |" + " ---: |" * (len(COLUMNS) - 2),
    ]  # fmt: skip
    lines += ["| " + " | ".join(cell(row.get(key)) for key in COLUMNS) + " |" for row in result["rows"]]
    lines.append("")
    for killed in result["killed"]:
        end = "resumed to its end" if killed["resumed"] else f"**not** resumed (exit code {killed['exit_code']})"
        lines.append(f"A run of {killed['experiment']} killed by SIGKILL at image {killed['killed_at']:,}: {end}.")
    for run in result["trained"]:
        best = "no score" if run["best"] is None else f"best {run['score']} {run['best']:.4g}"
        reached = f"{run['images']:,} images in {run['seconds']:.0f} s"
        lines.append(f"{run['experiment']}, {cell(run['size'])}: {reached}, {best}.")
    if result["not_reached"]:
        lines.append(f"Not reached: {', '.join(result['not_reached'])}.")
    lines += [f"Note: {note}" for note in dict.fromkeys(note for row in result["rows"] for note in row["notes"])]
    return "\n".join(lines) + "\n"


def passed(result: Mapping[str, Any]) -> bool:
    rows = [row["finite"] and row["compiled"] and row["bf16"] for row in result["rows"]]
    return all(rows) and all(killed["resumed"] for killed in result["killed"])


def run(args: Any, workspace: Workspace) -> int:
    """Run all parts in turn and write each result at once; returns 1 if a check fails."""
    if args.device == "cpu" and not args.tiny:
        raise TrainingError("A CPU takes days for the paper's networks: add --tiny, which only tries this script.")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("This PyTorch finds no CUDA device: run the check on a machine that has one.")
    device = fast_device(args.device)
    check = Check(device, args.tiny, args.steps, args.seconds, args.minutes, args.peak_tflops)
    real = [name for name in ("df", "mel") if name in workspace.names("images")]
    parts: list[tuple[str, str, Callable[[str], dict[str, Any]]]] = [
        *(("rows", name, check.experiment) for name in args.experiments),
        ("killed", "df", check.killed),
        *(("trained", name, partial(check.trained, workspace, len(real) - i)) for i, name in enumerate(real)),
    ]
    result: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU, tiny networks (a trial of the script)",
        "torch": torch.__version__, "steps": args.steps, "rows": [], "killed": [], "trained": [],
        "not_reached": [f"training {name} (no image set)" for name in ("df", "mel") if name not in real],
    }  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    for key, name, part in parts:
        if check.left > 0:
            result[key].append(part(name))
        else:
            result["not_reached"].append(name if key == "rows" else f"{name} ({key})")
        (args.out / "gpu_check.json").write_text(json.dumps(result, indent=1) + "\n")
        (args.out / "gpu_check.md").write_text(table(result))
    print(table(result), end="")
    return 0 if passed(result) else 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m benchmarks.gpu_check", __doc__ or "")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="tiny networks and images, to try the script on a CPU")
    parser.add_argument("--experiments", nargs="*", default=list(EXPERIMENTS), choices=list(EXPERIMENTS))
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="of each experiment")
    parser.add_argument(
        "--seconds", type=float, default=2.0, metavar="S", help="of each round of a comparison of speed"
    )
    parser.add_argument("--minutes", type=float, default=9.0, metavar="N", help="no part starts later than this")
    parser.add_argument("--peak-tflops", type=float, default=790.0, help="of bf16 (790: what an H100 or H200 reaches)")
    parser.add_argument("--out", type=Path, default=Path("."), metavar="DIR", help="folder of the results")
    args = parser.parse_args(argv)
    workspace = Workspace.at(args.workspace)
    return run_command(lambda: run(args, workspace), workspace=workspace)


if __name__ == "__main__":
    sys.exit(main())

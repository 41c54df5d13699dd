"""`python -m benchmarks` (`make bench`): every comparison with a named peer, in one run on one machine.

Runs each benchmark of speed or timing as a command, and writes docs/benchmarks.md: the machine, the date, the versions
of the peers, and what each command printed (medians and ratios of the same run). A peer that is not installed gets a
row that says so. Times of `make` targets are measured by hand and given: `--measured "make study" "11 min 20 s"`.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from glimpse import DISTRIBUTION
from glimpse.command_line import program
from glimpse.files import atomic_file

ROOT = Path(__file__).parents[1]
JSPSYCH = ROOT / "benchmarks" / "exposure" / "node_modules" / "jspsych" / "package.json"


@dataclass(frozen=True)
class Benchmark:
    """One command; `peers` are the packages that it compares with, `tiny` its options for a trial run."""

    name: str
    question: str
    command: Sequence[str]
    peers: Sequence[str] = ()
    tiny: Sequence[str] = ()


BENCHMARKS = (
    Benchmark("patches", "Cutting patches and shrinking photos", ("-m", "benchmarks.patches"), ("pillow",),
              ("--photos", "2", "--repeats", "1")),
    Benchmark("compare", "Comparing folders of images", ("-m", "benchmarks.compare"), ("torch-fidelity", "clean-fid"),
              ("--real", "8", "--generated", "4")),
    Benchmark("distances", "FID and KID again and again", ("-m", "benchmarks.distances", "--rounds", "1"),
              ("torch-fidelity",), ("--real", "8", "--generated", "4")),
    Benchmark("neighbours", "Nearest neighbours by SSIM", ("-m", "benchmarks.neighbours"),
              ("scikit-image", "pytorch-msssim"), ("--queries", "4", "--targets", "16")),
    Benchmark("training", "Training steps beside the tutorials' loop", ("-m", "benchmarks.training", "--device", "cpu"),
              ("torch",), ("--experiments", "df", "--seconds", "0.1")),
    Benchmark("exposure", "Errors of the exposure in Chromium", ("benchmarks/exposure/run.py",), ("jspsych",),
              ("--exposures", "2", "--only", "idle")),
    Benchmark("load", "Two hundred participants at once", ("-m", "benchmarks.survey_load"), (),
              ("--participants", "2")),
    Benchmark("dashboard", "The dashboard at ten thousand participants", ("-m", "benchmarks.scale.dashboard"), (),
              ("--participants", "20")),
    Benchmark("report", "A report on 100,000 answers", ("-m", "benchmarks.scale.report"), (), ("--answers", "2000")),
)  # fmt: skip


def installed(peer: str) -> str | None:
    """The version of a peer, None where it is not installed."""
    if peer == "jspsych":
        return str(json.loads(JSPSYCH.read_text("utf-8"))["version"]) if JSPSYCH.is_file() else None
    try:
        return version(peer)
    except PackageNotFoundError:
        return None


def run(benchmark: Benchmark, tiny: bool) -> tuple[str, str]:
    """The output, and the state of its row."""
    command = [sys.executable, *benchmark.command, *(benchmark.tiny if tiny else ())]
    if "jspsych" in benchmark.peers and installed("jspsych") is None:
        command += ["--page", "glimpse"]
    began = time.monotonic()
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False, env={**os.environ, "PYTHONPATH": path}
    )
    minutes = f"{(time.monotonic() - began) / 60:.1f} min"
    if done.returncode and not done.stdout.strip():
        why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return why[0], f"did not run, {minutes}"
    return done.stdout.strip(), f"claim missed, {minutes}" if done.returncode else minutes


def page(results: Sequence[tuple[Benchmark, str, str]], measured: Sequence[Sequence[str]], tiny: bool) -> str:
    """docs/benchmarks.md."""
    system = f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    peers = {
        peer: f"{peer} {installed(peer) or '(not installed: not measured)'}" for one in BENCHMARKS for peer in one.peers
    }
    lines = [
        "# Benchmarks", "",
        f"Written by `make bench` on {datetime.date.today()}: {processor()}, {os.cpu_count()} cores, "
        f"{system}, Glimpse {installed(DISTRIBUTION)}. Load average at the end: {_load()}.",
        *(["", "**A trial run of the commands at their smallest sizes: not a measurement.**"] if tiny else []), "",
        "| benchmark | peers | took |", "| --- | --- | --- |",
        *(f"| {one.question} | {', '.join(peers[p] for p in one.peers) or 'none'} | {state} |"
          for one, _, state in results),
        *(f"| `{command}` | none | {taken} |" for command, taken in measured),
    ]  # fmt: skip
    for one, printed, _ in results:
        command = " ".join(["python", *one.command])
        lines += ["", f"## {one.question}", "", f"`{command}`", "", "```text", printed, "```"]
    return "\n".join(lines) + "\n"


def processor() -> str:
    """The processor's name as its maker gives it, where the system says."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line] if info.is_file() else []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not measured"


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m benchmarks", __doc__ or "", workspace=False)
    names = [one.name for one in BENCHMARKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--tiny", action="store_true", help="smallest sizes, to try the commands: not a measurement")
    parser.add_argument(
        "--measured", nargs=2, action="append", default=[], metavar=("COMMAND", "TIME"), help="add a row; repeatable"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md", metavar="FILE", help="the page")
    args = parser.parse_args(argv)
    results = []
    for one in BENCHMARKS:
        if one.name in args.only:
            print(f"{one.name}: {one.question} ...", flush=True)
            printed, state = run(one, args.tiny)
            print(f"{one.name}: {state}", flush=True)
            results.append((one, printed, state))
    with atomic_file(args.out) as temporary:
        temporary.write_text(page(results, args.measured, args.tiny), "utf-8")
    print(f"Wrote {args.out}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Time to write a report of many answers, all resampling included: target 30 s for 100,000.

    python -m benchmarks.scale.report [--answers 100000] [--sets 4]

Simulated answers to several sets (10 + 10 trials, 100 images per class, positions, times and exposures) are written as
a Windows-1252 CSV and reported by the command itself, in a separate process and with nothing cached.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.people.population.simulation import Design, Truth, simulate
from glimpse.command_line import program

LEAST, MOST = 0.1, 1.6  # d' of the first and the last set
TRIALS = 10  # of each class and person


def write(path: Path, answers: int, sets: int, rng: np.random.Generator) -> None:
    """Write simulated answers as a CSV file of another survey program."""
    words, frames = np.array(["real", "generated"]), []
    for number, d_prime in enumerate(np.linspace(LEAST, MOST, sets)):
        name = f"set{number}"
        t = simulate(Truth(float(d_prime)), Design(answers // (sets * 2 * TRIALS), trials=TRIALS), rng)
        planned = rng.uniform(2_000, 3_000, len(t)).round()
        frames.append(
            pd.DataFrame(
                {
                    "participant": [f"{name}-pé{p}" for p in t.participant],
                    "image": [f"{name}-{i}" for i in t.image],
                    "set": name,
                    "truth": words[t.is_generated.astype(int)],
                    "answer": words[t.said_generated.astype(int)],
                    "position": np.tile(np.arange(2 * TRIALS) + 1, len(t) // (2 * TRIALS)),
                    "response_time_s": rng.lognormal(0.9, 0.4, len(t)).round(3),
                    "exposure_ms_planned": planned,
                    "exposure_ms_actual": planned + rng.normal(0, 2, len(t)).round(1),
                }
            )
        )
    pd.concat(frames).to_csv(path, index=False, encoding="cp1252")


def main() -> int:
    parser = program("python -m benchmarks.scale.report", __doc__ or "", workspace=False)
    parser.add_argument("--answers", type=int, default=100_000, metavar="N", help="answers in the report")
    parser.add_argument("--sets", type=int, default=4, metavar="N", help="sets of images (default: 4)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.csv"
        write(path, args.answers, args.sets, np.random.default_rng(0))
        started = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "analysis.report",
            "--responses",
            str(path),
            "--out",
            str(Path(folder) / "out"),
        ]
        subprocess.run(command, check=True, capture_output=True)
        wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{args.answers:,} answers, sets: {args.sets}; {wall:.1f} s, {used.ru_utime + used.ru_stime:.1f} s of "
        f"processor time, {used.ru_maxrss / 1e6:.2f} GB of memory"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

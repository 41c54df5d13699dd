"""False alarms of KID between two samples of one distribution, permuting groups and permuting images.

    python -m benchmarks.images.false_alarms [--runs 400]

The real images come in groups that resemble each other, the generated ones do not; the two have the same distribution,
so a test at 5 % should raise an alarm in 5 % of the runs.
"""

from __future__ import annotations

import numpy as np

from analysis.images.kid import Units, permutation_p
from glimpse.command_line import program

CASES = {
    "20 photos of 10 patches": [10] * 20,
    "57 photos of 1, 5 or 20 patches": [1] * 40 + [5] * 12 + [20] * 5,
    "10 photos of 20 patches": [20] * 10,
    "5 photos of 40 patches": [40] * 5,
}


def alarms(sizes: list[int], runs: int) -> tuple[float, float]:
    """The share of runs with p <= 0.05, by group and by image."""
    groups, n = np.repeat(np.arange(len(sizes)), sizes), sum(sizes)
    found = np.zeros(2)
    for seed in range(runs):
        rng = np.random.default_rng(seed + 5000)
        photos = rng.normal(size=(len(sizes), 8)).repeat(sizes, axis=0)
        real = (photos + 0.3 * rng.normal(size=(n, 8))).astype(np.float32)
        generated = (rng.normal(size=(n, 8)) * np.sqrt(1.09)).astype(np.float32)
        for i, given in enumerate((groups, None)):
            found[i] += permutation_p(Units.of(real, generated, given, None), rng, 99) <= 0.05
    return found[0] / runs, found[1] / runs


def main() -> None:
    parser = program("python -m benchmarks.images.false_alarms", __doc__ or "", workspace=False)
    parser.add_argument("--runs", type=int, default=400, metavar="N", help="simulated data sets per case")
    args = parser.parse_args()
    print(f"{'':<36}{'by group':>10}{'by image':>10}")
    for name, sizes in CASES.items():
        by_group, by_image = alarms(sizes, args.runs)
        print(f"{name:<36}{by_group:>10.1%}{by_image:>10.1%}")


if __name__ == "__main__":
    main()

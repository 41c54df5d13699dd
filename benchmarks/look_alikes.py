"""`python -m benchmarks.look_alikes --images df mel`: copies that `prepare` and `publish` find, and false alarms.

Each image is copied by a random crop, turned or mirrored at random, and saved as JPEG of quality 85; a copy counts as
found if it is reported beside its photo. False alarms are pairs of different groups on two random halves of a set.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.command_line import program
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.duplicates import Fingerprint, Lookalikes, fingerprint
from glimpse.workspace import Workspace

SHARES = (1.0, 0.98, 0.95, 0.9)  # of the sides that a copy shows
HALVES = 4


def copied(photo: NDArray[np.uint8], share: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) to a crop, in one of eight orientations, saved again."""
    height, width = (round(side * share) for side in photo.shape[:2])
    top, left = rng.integers(0, photo.shape[0] - height + 1), rng.integers(0, photo.shape[1] - width + 1)
    turned = np.rot90(photo[top : top + height, left : left + width], rng.integers(4))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(turned[:, :: rng.choice([1, -1])])).save(buffer, "JPEG", quality=85)
    return np.asarray(Image.open(buffer))


def pairs(training: dict[str, Fingerprint], testing: dict[str, Fingerprint]) -> list[tuple[str, str]]:
    seen = Lookalikes()
    for split, marks in (("train", training), ("test", testing)):
        for name, mark in marks.items():
            seen.is_duplicate(name, split, mark)
    return seen.across_the_split()


def main() -> None:
    parser = program("python -m benchmarks.look_alikes", __doc__ or "")
    parser.add_argument("--images", nargs="+", required=True, metavar="SET")
    args = parser.parse_args()
    workspace = Workspace.at(args.workspace)
    for name in args.images:
        images = ImageSet.load(workspace.existing("images", name))
        rng = np.random.default_rng(0)
        marks = {str(i): fingerprint(photo) for i, photo in enumerate(images.images)}
        found = []
        for share in SHARES:
            copies = {i: fingerprint(copied(images.images[int(i)], share, rng)) for i in marks}
            reported = sum(bool(pairs({i: mark}, {f"copy {i}": copies[i]})) for i, mark in marks.items())
            found.append(f"{share:.0%} {reported / len(marks):.0%}")
        alarms = 0
        for _ in range(HALVES):
            order = rng.permutation(len(marks)).astype(str).tolist()
            halves = ({i: marks[i] for i in half} for half in (order[::2], order[1::2]))
            alarms += sum(images.groups[int(a)] != images.groups[int(b)] for a, b in pairs(*halves))
        compared = HALVES * (len(marks) // 2) * (len(marks) - len(marks) // 2)
        print(f"{name}: of {len(marks)} copies {', '.join(found)} found; {alarms} false alarms in {compared:,} pairs")


if __name__ == "__main__":
    main()

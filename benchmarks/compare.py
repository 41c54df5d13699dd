"""Time of comparing folders of images end to end, beside torch-fidelity and clean-fid.

    python -m benchmarks.compare [--real 600] [--generated 100] [--peers PYTHON]

Each program compares a folder of generated images with a folder of real ones, then a second generated folder with the
same real one. All take Inception's network with the same weights (random ones, which cost the same) on one thread;
Glimpse also with its extractor `imagenet`. Each comparison is a process that starts from PNG files; seconds are
processor time, so that other programs hardly count. Glimpse computes everything that `analysis.compare` prints, the
others FID and KID (torch-fidelity precision and recall too). clean-fid needs `pip install clean-fid`; `--peers` names a
Python that has it, and without one it is left out.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.distances import make_weights
from glimpse.command_line import program
from tests.analysis.pictures import textures

TORCH_FIDELITY = """
import sys, warnings
import torch
from benchmarks.distances import import_torch_fidelity
warnings.simplefilter("ignore")
torch.set_num_threads(1)
folder, real, generated, named, count = sys.argv[1:]
import_torch_fidelity().calculate_metrics(
    input1=f"{folder}/{generated}", input2=f"{folder}/{real}", fid=True, kid=True, prc=True, cuda=False, verbose=False,
    kid_subset_size=int(count), feature_extractor="inception-v3-compat", save_cpu_ram=True,
    feature_extractor_weights_path=f"{folder}/weights.pth", cache=named == "named", cache_root=f"{folder}/cache",
    input2_cache_name="real" if named == "named" else None,
)
"""
CLEAN_FID = """
import sys
import torch
from analysis.images.networks.inception import network_code
from benchmarks.distances import import_torch_fidelity
import_torch_fidelity()  # imports torchvision, as clean-fid does
from cleanfid import fid
torch.set_num_threads(1)
folder, real, generated = sys.argv[1:]
network = network_code().FeatureExtractorInceptionV3(
    "inception-v3-compat", ["2048"], feature_extractor_weights_path=f"{folder}/weights.pth"
).eval()
def features(images):
    with torch.no_grad():
        return network(images.to(torch.uint8))[0]
sides = [
    fid.get_folder_features(
        f"{folder}/{side}", features, num_workers=0, mode="clean", device=torch.device("cpu"), verbose=False
    )
    for side in (generated, real)
]
fid.fid_from_feats(*sides)
fid.kernel_distance(*sides)
"""


def write_folder(folder: Path, count: int, seed: int, grain: float) -> None:
    folder.mkdir()
    for i, image in enumerate(textures(count, seed=seed, grain=grain, size=128)):
        Image.fromarray(image).save(folder / f"{i:05}.png")


def seconds(command: list[str], folder: Path) -> float:
    """Processor time of a command and its children, which must succeed."""
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "kept"), "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd(),
    }  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = subprocess.run(command, capture_output=True, text=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if found.returncode:
        sys.exit(f"{' '.join(command[:4])} ...: {found.stderr.strip()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(folder: Path, generated: str, count: int, peers: str | None) -> dict[str, list[str]]:
    """The command of each program that compares the folder `generated` with the folder `real`."""
    ours = [sys.executable, "-m", "analysis.compare", str(folder / "real"), str(folder / generated), "--json"]
    theirs = [sys.executable, "-c", TORCH_FIDELITY, str(folder), "real", generated]
    found = {
        "Glimpse": [*ours, "--extractor", "inception", "--weights", str(folder / "weights.pth")],
        "torch-fidelity": [*theirs, "unnamed", str(count)],
        "torch-fidelity, its cache used": [*theirs, "named", str(count)],
    }
    if peers:
        found["clean-fid"] = [peers, "-c", CLEAN_FID, str(folder), "real", generated]
    return found | {"Glimpse, `imagenet`": [*ours, "--extractor", "imagenet"]}


def main() -> None:
    parser = program("python -m benchmarks.compare", __doc__ or "", workspace=False)
    parser.add_argument("--real", type=int, default=600, metavar="N", help="real images")
    parser.add_argument("--generated", type=int, default=100, metavar="N", help="generated images of each comparison")
    parser.add_argument("--peers", metavar="PYTHON", help="a Python with clean-fid (default: this one, if it has it)")
    args: argparse.Namespace = parser.parse_args()
    peers = args.peers or (sys.executable if find_spec("cleanfid") else None)
    measured: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_weights(folder / "weights.pth")
        write_folder(folder / "real", args.real, 0, 0.8)
        for seed, generated in enumerate(("first", "second"), 1):
            write_folder(folder / generated, args.generated, seed, 1.2)
            for program_name, command in commands(folder, generated, args.generated, peers).items():
                measured.setdefault(program_name, []).append(seconds(command, folder))
    print(f"| {args.generated} generated against {args.real} real images, 128 x 128 | first, s | second, s |")
    print("| --- | --- | --- |")
    for program_name, (first, second) in measured.items():
        print(f"| {program_name} | {first:.1f} | {second:.1f} |")
    sys.exit(_verdict(measured))


def _verdict(measured: dict[str, list[float]]) -> Any:
    """A sentence if Glimpse is slower than a peer, or its second comparison less than 3 times faster."""
    ours = measured["Glimpse"]
    for name in ("torch-fidelity", "clean-fid"):
        first, second = measured.get(name, (float("inf"), float("inf")))
        if ours[0] > first or 3 * ours[1] > second:
            return f"Glimpse is slower than {name}, or its second comparison is less than 3 times faster."
    return None


if __name__ == "__main__":
    main()

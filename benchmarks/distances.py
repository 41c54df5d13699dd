"""Time and memory of repeated evaluations of generated images against one real set, compared with torch-fidelity.

    python -m benchmarks.distances [--real 96] [--generated 32] [--rounds 2]

End to end on the same images with the same network (Inception's shape; its weights are random, which costs the same):
FID and KID from pixels. torch-fidelity computes the real set's features each time unless it is given a name for them,
so it is measured both ways; the key of its cache is the name alone, without the weights. One thread, a process each,
seconds of processor time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from analysis.images import extractors
from analysis.images.features import batches, extract, pixels_sha256
from analysis.images.networks import inception
from analysis.images.training_score import Reference
from glimpse.command_line import program
from tests.analysis.pictures import textures

TOOLS = ("Glimpse", "torch-fidelity", "torch-fidelity, named set")


_declared: list[Any] = []  # keeps the operator declarations below alive


def import_torch_fidelity() -> ModuleType:
    """Import the whole of torch-fidelity, even with a CPU-only torch.

    It imports torchvision, which then fails with "operator torchvision::nms does not exist", because its compiled part
    belongs to the CUDA build (pytorch/vision#9085). Declaring the missing operators is enough, as nothing here calls
    them; that is done only after the import has failed.
    """
    for operator in ("nms", "qnms", None):
        try:
            import_module("torchvision")

            break
        except RuntimeError as error:
            if operator is None or f"torchvision::{operator} " not in str(error):
                raise
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _declared.append(library)
    return import_module("torch_fidelity")


def make_weights(path: Path) -> None:
    """He-initialised weights of Inception's shape."""
    code = inception.network_code()
    kind = code.FeatureExtractorInceptionV3
    with patch.object(code, "load_state_dict_from_url"), patch.object(kind, "load_state_dict"):
        torch.manual_seed(0)
        network = kind(inception.NETWORK, ["2048"])
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    torch.save(network.state_dict(), path)


class Pictures(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, images: Any) -> None:
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


def glimpse(folder: Path, real: Any) -> Callable[[Any], dict[str, float]]:
    extractor = extractors.load("inception", weights=folder / "weights.pth")
    features = extract(extractor, batches(real), len(real), source=pixels_sha256(real), folder=folder / "features")
    reference = Reference.of(features)

    def evaluate(images: Any) -> dict[str, float]:
        return reference.distances(extract(extractor, batches(images), len(images)))

    return evaluate


def torch_fidelity(folder: Path, real: Any, named: bool) -> Callable[[Any], dict[str, float]]:
    library = import_torch_fidelity()

    def evaluate(images: Any) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = library.calculate_metrics(
                input1=Pictures(images), input2=Pictures(real), fid=True, kid=True, cuda=False, save_cpu_ram=True,
                verbose=False, kid_subsets=1, kid_subset_size=len(images), feature_extractor="inception-v3-compat",
                feature_extractor_weights_path=str(folder / "weights.pth"), cache=named,
                cache_root=str(folder / "cache"), input2_cache_name="real" if named else None,
            )  # fmt: skip
        return {"frechet": found["frechet_inception_distance"], "kid": found["kernel_inception_distance_mean"]}

    return evaluate


def one(tool: str, folder: Path, real_count: int, count: int, rounds: int) -> None:
    """Print the seconds of each round, the results and the peak memory of one program, in this process alone."""
    torch.set_num_threads(1)
    real = textures(real_count, seed=0, size=128)
    begin = time.process_time()
    evaluate = glimpse(folder, real) if tool == "Glimpse" else torch_fidelity(folder, real, tool.endswith("named set"))
    setup, seconds, found = time.process_time() - begin, [], {}
    for i in range(rounds + 1):
        images = textures(count, seed=i + 1, size=128, grain=1.2)
        begin = time.process_time()
        found = evaluate(images)
        seconds.append(time.process_time() - begin)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    first = setup + seconds[0]
    print(json.dumps({"first": first, "again": float(np.median(seconds[1:])), "memory": memory, **found}))


def main() -> None:
    parser = program("python -m benchmarks.distances", __doc__ or "", workspace=False)
    parser.add_argument("--real", type=int, default=96, metavar="N", help="real images")
    parser.add_argument("--generated", type=int, default=32, metavar="N", help="generated images")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="evaluations of each kind")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], Path(args.one[1]), args.real, args.generated, args.rounds)
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        make_weights(Path(folder) / "weights.pth")
        for tool in TOOLS:
            command = [
                sys.executable, "-m", "benchmarks.distances", "--one", tool, folder, "--real", str(args.real),
                "--generated", str(args.generated), "--rounds", str(args.rounds),
            ]  # fmt: skip
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results[tool] = json.loads(output.splitlines()[-1])
    print(f"{args.generated} generated against {args.real} real images of 128 x 128, one thread")
    print(f"{'':<28}{'first, s':>10}{'again, s':>10}{'memory, MiB':>13}{'FID':>14}{'again, times':>14}")
    for tool, found in results.items():
        ratio = found["again"] / results["Glimpse"]["again"]
        print(f"{tool:<28}{found['first']:>10.1f}{found['again']:>10.1f}{found['memory']:>13.0f}{found['frechet']:>14.6f}"
              f"{ratio:>14.2f}")  # fmt: skip
    if results["torch-fidelity"]["again"] < 2 * results["Glimpse"]["again"]:
        sys.exit("repeated evaluation is not twice as fast as torch-fidelity")


if __name__ == "__main__":
    main()

"""Images per second of each experiment's training step, beside the same networks trained as PyTorch's tutorials advise.

The peer, in the same run: the same networks, losses, batch and images, in eager PyTorch after the official DCGAN and
performance-tuning tutorials: a DataLoader over PNG files one worker per core, pinned memory, TF32 and cudnn.benchmark
on CUDA, the generated images reused for both steps, default layout and optimiser, losses read at each step. On CUDA
also the share of the compute roof: 3 G + 8 D forward passes' FLOPs per image (12 G + 16 D for a cyclic pair) at the
peak of bf16.

    python benchmarks/training.py [--device cpu|cuda] [--preset demo|paper] [--experiments ...] [--seconds 4]

On a CPU the demo preset at 64 x 64 is measured, on CUDA the paper's at its sizes. Rounds of both alternate; the medians
of their rates are compared. Where there is no CUDA device its rows say so and stay empty.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from gan_core.experiments import EXPERIMENTS
from gan_core.losses import cycle_loss, relevancy_loss
from gan_core.training.engine import Engine
from gan_core.training.ranks import Ranks
from gan_core.training.request import Request, describe_run, into_memory, open_domains
from gan_core.training.run import Run
from gan_core.training.schemes import SCHEMES, build_discriminators, build_generators
from glimpse.command_line import program
from glimpse.files import atomic_folder
from glimpse.imageset import ImageSetWriter
from glimpse.workspace import Workspace

PAPER_SIZES = {"hands": (480, 640), "df": (256, 256), "mel": (256, 256)}  # else 128 x 128
DEMO_SIZES = {"hands": (72, 96)}  # else 64 x 64
IMAGES = 256
TARGETS = {"cpu": 1.2, "cuda": 3.0}


def make_images(workspace: Workspace, domain: str, size: tuple[int, int]) -> None:
    """Skin-like noise of no particular kind; every set has masks, so that any experiment can use it."""
    rng = np.random.default_rng(0)
    with atomic_folder(workspace.new("images", domain)) as folder:
        writer = ImageSetWriter(folder, *size, masks=True)
        for i in range(IMAGES):
            tone = np.array([200, 150, 130]) + rng.normal(0, 20, 3)
            image = (tone + rng.normal(0, 8, (*size, 3))).clip(0, 255).astype(np.uint8)
            mask = np.zeros(size, np.uint8)
            mask[: size[0] // 2] = 1
            row = {"image_id": i, "source": "noise", "group": i, "split": "train", "label": domain}
            writer.add(image, row, mask)
        writer.finish(domain)


class PngFiles(Dataset[Any]):
    """A folder of PNG files as the tutorials read one: opened, scaled, normalised for each use."""

    def __init__(self, folder: Path, masks: bool) -> None:
        self.files = sorted(folder.glob("image-*.png"))
        self.masks = sorted(folder.glob("mask-*.png")) if masks else []

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Any:
        image = torch.from_numpy(np.array(Image.open(self.files[i]).convert("RGB"))).permute(2, 0, 1).float()
        image = (image / 255 - 0.5) / 0.5
        if not self.masks:
            return image
        return torch.cat([image, torch.from_numpy(np.array(Image.open(self.masks[i])))[None].float()])


def endless(folder: Path, batch: int, masks: bool, device: torch.device) -> Iterator[Tensor]:
    loader = DataLoader(
        PngFiles(folder, masks), batch, shuffle=True, drop_last=True, num_workers=os.cpu_count() or 1,
        pin_memory=device.type == "cuda", persistent_workers=True,
    )  # fmt: skip
    while True:
        for images in loader:
            yield images.to(device, non_blocking=True)


def peer_step(run: Run, files: dict[str, Path], device: torch.device) -> Callable[[], None]:
    """One step of the same experiment as the tutorials write it."""
    experiment, s = run.experiment, run.settings
    generators, discriminators = build_generators(run).to(device), build_discriminators(run).to(device)
    betas = (s.beta1, s.beta2)
    g_optimiser = torch.optim.Adam(generators.parameters(), lr=s.lr, betas=betas)
    d_optimiser = torch.optim.Adam(discriminators.parameters(), lr=s.lr, betas=betas)
    criterion = nn.BCEWithLogitsLoss()
    reals = {name: endless(files[name], s.batch, False, device) for name in generators}
    masked = experiment.scheme == "targeted"
    others = {name: next((d for d in experiment.domains if d != name), name) for name in generators}
    sources = {name: endless(files[other], s.batch, masked, device) for name, other in others.items()}
    ones, zeros = torch.ones(s.batch, device=device), torch.zeros(s.batch, device=device)

    def step() -> None:
        if experiment.scheme == "unconditional":
            given = {name: torch.randn(s.batch, s.z_dim, device=device) for name in generators}
        else:
            given = {name: next(loader) for name, loader in sources.items()}
        generated = {name: generators[name](given[name]) for name in generators}
        d_optimiser.zero_grad()
        losses = []
        for name, discriminator in discriminators.items():
            on_real = criterion(discriminator(next(reals[name])), ones)
            on_real.backward()
            on_fake = criterion(discriminator(generated[name].detach()), zeros)
            on_fake.backward()
            losses.append(on_real.item() + on_fake.item())
        d_optimiser.step()
        g_optimiser.zero_grad()
        loss = sum(criterion(discriminators[name](generated[name]), ones) for name in generators)
        if experiment.scheme == "targeted":
            (name,) = generators
            loss = loss + s.relevancy * relevancy_loss(given[name][:, :3], generated[name], given[name][:, 3:])
        elif experiment.scheme == "cyclic":
            for name, other in others.items():
                loss = loss + s.cycle * cycle_loss(given[name], generators[other](generated[name]))
        loss.backward()
        g_optimiser.step()
        losses.append(loss.item())

    return step


def rate(step: Callable[[], None], batch: int, seconds: float, finish: Callable[[], None]) -> float:
    """Images a second over about `seconds`, waiting for the device at the end only."""
    steps, began = 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - began < seconds:
        step()
        steps += 1
        if steps % 8 == 0:
            finish()  # else the clock runs ahead of a CUDA device
    finish()
    return steps * batch / (time.perf_counter() - began)


def flops_an_image(run: Run) -> float:
    """The FLOPs of a step per image, counted on the networks: 3 G + 8 D, or 12 G + 16 D for a cyclic pair."""
    with torch.device("meta"):
        target = run.experiment.target
        generator, discriminator = build_generators(run)[target], build_discriminators(run)[target]
        if run.experiment.scheme == "unconditional":
            given = torch.empty(2, run.settings.z_dim)
        else:
            given = torch.empty(2, 4 if run.experiment.scheme == "targeted" else 3, run.height, run.width)
        with FlopCounterMode(display=False) as g_flops:
            images = generator(given)
        with FlopCounterMode(display=False) as d_flops:
            discriminator(images)
    g, d = g_flops.get_total_flops() / 2, d_flops.get_total_flops() / 2
    return 12 * g + 16 * d if run.experiment.scheme == "cyclic" else 3 * g + 8 * d


def measure(workspace: Workspace, name: str, preset: str, device: torch.device, seconds: float) -> dict[str, Any]:
    sizes = PAPER_SIZES if preset == "paper" else DEMO_SIZES
    size = sizes.get(name, (128, 128) if preset == "paper" else (64, 64))
    files = {}
    for domain in EXPERIMENTS[name].domains:
        make_images(workspace, domain, size)
        files[domain] = workspace.root / "png" / f"{domain}-{size[0]}"
    images = open_domains(workspace, name, Request())
    for domain, folder in files.items():
        folder.mkdir(parents=True, exist_ok=True)
        masks = images[domain].masks
        assert masks is not None
        for i in range(IMAGES):
            Image.fromarray(images[domain].images[i]).save(folder / f"image-{i:04d}.png")
            Image.fromarray(masks[i]).save(folder / f"mask-{i:04d}.png")
    run = describe_run(name, name, images, Request(preset, {"ema_images": 0}))  # the peer keeps no average either
    engine = Engine(SCHEMES[run.experiment.scheme](run, into_memory(run, images, device), device, Ranks()))
    peer = peer_step(run, files, device)
    finish = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for step in (engine.step, peer):
        for _ in range(5 if device.type == "cuda" else 1):
            step()
    rounds = [
        (rate(engine.step, run.settings.batch, seconds, finish), rate(peer, run.settings.batch, seconds, finish))
        for _ in range(3)
    ]
    ours, theirs = (statistics.median(r[i] for r in rounds) for i in (0, 1))
    return {
        "experiment": name, "device": device.type, "preset": preset, "size": list(size), "batch": run.settings.batch,
        "images_per_second": ours, "peer_images_per_second": theirs, "times_the_peer": ours / theirs,
        "rounds": rounds, "flops_an_image": flops_an_image(run),
    }  # fmt: skip


def main() -> None:
    parser = program("python -m benchmarks.training", __doc__ or "", workspace=False)
    parser.add_argument("--device", choices=("cpu", "cuda"), action="append", help="default: both")
    parser.add_argument("--preset", choices=("demo", "paper"), help="default: demo on a CPU, paper on CUDA")
    parser.add_argument("--experiments", nargs="+", default=list(EXPERIMENTS), choices=list(EXPERIMENTS))
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--peak-tflops", type=float, default=790.0, help="of bf16 (790: what an H100 or H200 reaches)")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    args = parser.parse_args()
    found = []
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'':16}{'device':8}{'size':>9}{'batch':>7}{'Glimpse':>11}{'tutorial':>11}{'times':>8}{'of roof':>10}")
    for kind in args.device or ["cpu", "cuda"]:
        if kind == "cuda" and not torch.cuda.is_available():
            print("cuda: no device on this machine; its rows are open")
            continue
        torch.backends.cudnn.benchmark = torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        for name in args.experiments:
            with tempfile.TemporaryDirectory() as folder:
                preset = args.preset or ("paper" if kind == "cuda" else "demo")
                row = measure(Workspace(Path(folder)), name, preset, torch.device(kind), args.seconds)
            if kind == "cuda":
                roof = args.peak_tflops * 1e12 / row["flops_an_image"]
                row |= {"roof_images_per_second": roof, "share_of_roof": row["images_per_second"] / roof}
            found.append(row)
            share = f"{row['share_of_roof']:10.0%}" if "share_of_roof" in row else f"{'-':>10}"
            print(
                f"{name:16}{kind:8}{row['size'][0]:>4}x{row['size'][1]:<4}{row['batch']:>7}"
                f"{row['images_per_second']:>9.1f}/s{row['peer_images_per_second']:>9.1f}/s"
                f"{row['times_the_peer']:>8.2f}{share}",
                flush=True,
            )
        slow = [r["experiment"] for r in found if r["device"] == kind and r["times_the_peer"] < TARGETS[kind]]
        print(f"{kind}: target {TARGETS[kind]} times the tutorial: {'missed by ' + ', '.join(slow) if slow else 'met'}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

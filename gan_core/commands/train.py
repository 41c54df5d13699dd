"""`gan_core train` and `gan_core runs`: options, and what they tell."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gan_core.experiments import EXPERIMENTS, PRESETS, TrainingError, describe_settings, parse_settings
from glimpse.command_line import Commands, pasteable
from glimpse.files import read_json
from glimpse.workspace import Workspace

# Given training images, a seed, where features are cached, the device, Inception's weights: what scores a generator.
ScorerFactory = Callable[[Any, int, Workspace, str, Path | None], Any]


def add_commands(commands: Commands, make_scorer: ScorerFactory | None) -> None:
    train = commands.add_parser(
        "train", help="train generators",
        description="Train experiments; without a name, every experiment whose image sets exist. Running it again "
        "resumes unfinished runs and skips finished ones.",
        epilog="presets:\n" + "\n".join(f"  {k:<16}{p.meaning}" for k, p in PRESETS.items())
        + "\n\nsettings (--set NAME=VALUE):\n" + describe_settings(),
    )  # fmt: skip
    train.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT", names=list(EXPERIMENTS), help=", ".join(EXPERIMENTS)
    )
    train.add_argument("--preset", choices=list(PRESETS), help="see the presets below (default: paper)")
    train.add_argument(
        "--resolution", type=int, metavar="N", help="height in pixels to shrink to (default: the image set's)"
    )
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="settings",
        help="change one of the settings below; repeatable",
    )  # fmt: skip
    train.add_argument(
        "--images", action="append", default=[], metavar="[DOMAIN=]SET", names="images",
        help="train on this image set (default: the one named after the experiment); for translation name the domain, "
        "as in --images healthy=SET; repeatable",
    )  # fmt: skip
    train.add_argument("--name", metavar="RUN", help="name of the run (default: the experiment's)")
    train.add_argument(
        "--resume", action="store_true", help="resume runs with their own settings; --set may change images and lr"
    )
    train.add_argument("--overwrite", action="store_true", help="train again from the start, replacing the run")
    train.add_device()
    train.add_argument(
        "--weights", type=Path, metavar="FILE",
        help="Inception's weights, to score by during training (default: as in the report)",
    )  # fmt: skip
    train.set_defaults(run=lambda args, workspace: train_command(args, workspace, make_scorer))

    runs = commands.add_parser(
        "runs", help="list the trained runs", description="List the runs of the workspace, finished and unfinished."
    )
    runs.add_json()
    runs.set_defaults(run=runs_command)


def train_command(args: argparse.Namespace, workspace: Workspace, make_scorer: ScorerFactory | None) -> int:
    from gan_core.training.begin import Wish, check_name, experiments_with_images
    from gan_core.training.ranks import Ranks
    from gan_core.training.run import Run

    chosen = parse_settings(args.settings)
    if args.name:
        workspace.new("runs", args.name)
    image_sets = _image_sets(args.images, args.experiments)
    wish = Wish(args.preset, chosen, args.resolution, image_sets, args.resume, args.overwrite)
    if args.name and len(args.experiments) != 1:
        raise TrainingError("--name is for one experiment: name that one.")
    if args.resume:  # by the names of runs, which may not be those of their experiments
        chosen_runs = [args.name] if args.name else args.experiments or workspace.names("runs")
        pairs = [(Run.of(workspace.existing("runs", name)).experiment_name, name) for name in chosen_runs]
    else:
        names = [check_name(n) for n in args.experiments] or experiments_with_images(workspace, image_sets)
        pairs = [(name, args.name or name) for name in names]
    device = pick_device(args.device)
    ranks = Ranks.join(device)
    scorer = None
    if make_scorer is not None:
        scorer = lambda real, seed: make_scorer(real, seed, workspace, device, args.weights)  # noqa: E731
    trained = []
    try:
        for experiment, run_name in pairs:
            if not _train_one(experiment, run_name, workspace, wish, device, ranks, scorer):
                return 130
            trained.append(run_name)
    finally:
        ranks.leave()
    if ranks.first:
        print(f"Next: {pasteable(workspace, 'gan_core', 'publish', *trained)}")
    return 0


def _train_one(
    experiment: str, name: str, workspace: Workspace, wish: Any, device: str, ranks: Any,
    make_scorer: Callable[[Any, int], Any] | None,
) -> bool:  # fmt: skip
    """True when it is trained to the end; False when it was interrupted. However it ends, one whole run is there."""
    from gan_core.training.begin import give_way
    from gan_core.training.loop import out_of_memory

    folder = workspace.new("runs", name)
    if ranks.first:
        give_way(folder)
    ranks.wait()
    try:
        return _train(experiment, name, folder, workspace, wish, device, ranks, make_scorer)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    finally:
        if ranks.first:
            give_way(folder)
    resume = pasteable(workspace, "gan_core", "train", name, "--resume")
    again = f"resume with `{resume}`, or " if (folder / "checkpoint.pt").is_file() else ""
    raise TrainingError(
        f"{name}: the memory of the {device.upper()} device ran out; what was saved is kept. Free some, {again}"
        "begin with a smaller batch, narrower networks (--set g_features=..., z_dim=...) or a lower --resolution."
    )


def _train(
    experiment: str, name: str, folder: Path, workspace: Workspace, wish: Any, device: str, ranks: Any,
    make_scorer: Callable[[Any, int], Any] | None,
) -> bool:  # fmt: skip
    import torch

    from gan_core.training.begin import as_begun, begin, describe_run, into_memory, open_images, settle
    from gan_core.training.log import duration
    from gan_core.training.loop import Training, longer_than_an_hour

    def say(sentence: str) -> None:
        if ranks.first:
            print(sentence, flush=True)

    if wish.resume:
        wish = as_begun(folder, name, wish)
    images = open_images(workspace, experiment, wish)
    run = describe_run(name, experiment, images, wish, ranks.world)
    state = settle(folder, run, wish)
    if state == "finished":
        say(f"{name}: already trained ({run.settings.images:,} images); --overwrite would begin again.")
        return True
    place = torch.device(f"cuda:{ranks.local}" if device == "cuda" else device)
    domains = into_memory(run, images, place)
    scorer = None if make_scorer is None else lambda real: make_scorer(real, run.settings.seed)
    training = Training(run, domains, folder, place, ranks, scorer)
    if state == "unfinished":
        training.resume()
    done = training.engine.images
    say(
        f"{name}: {'going on at image ' + format(done, ',') if done else 'training'} "
        f"({run.preset}, {run.height} x {run.width}, {run.settings.images:,} images, {device})"
    )
    seconds = training.estimate()
    say(f"{name}: about {duration(seconds)} to go")
    if warning := longer_than_an_hour(seconds, run, place):
        say(warning)
    if ranks.first:
        _ = training.scorer  # it too may be refused; what could not start leaves no trace
        begin(folder, run, training.engine.way.drawn_subsets(), state == "new", device, ranks.world)
    again = pasteable(workspace, "gan_core", "train", name, "--resume")
    try:
        finished = training.go()
    except KeyboardInterrupt:
        kept = f"It is kept as it was at image {training.kept:,}. Next: {again}" if training.kept else ""
        say(f"{name}: stopped at once. {kept or 'Nothing of it had been saved yet.'}")
        return False
    if not finished:
        say(f"{name}: stopped at image {training.engine.images:,}, all saved. Next: {again}")
        return False
    if ranks.first:
        facts = {"images": training.engine.images, "seconds": round(training.seconds, 1), "best": training.best}
        config = read_json(folder / "config.json")
        run.write(folder, subsets=config["subsets"], made_with=config["made_with"], finished=facts)
    say(f"{name}: trained {training.engine.images:,} images in {duration(training.seconds)}: {folder}")
    return True


def _image_sets(words: list[str], experiments: list[str]) -> dict[str, str]:
    """`--images SET` or `--images DOMAIN=SET` to sets by domain."""
    sets = {}
    for word in words:
        domain, equals, name = word.rpartition("=")
        if not equals:
            if len(experiments) != 1 or EXPERIMENTS[experiments[0]].source:
                raise TrainingError(f"--images {word}: say which domain it is for, such as --images healthy={word}.")
            domain = EXPERIMENTS[experiments[0]].target
        sets[domain] = name
    return sets


def pick_device(wanted: str) -> str:
    import torch

    cuda = torch.cuda.is_available()
    if wanted == "cuda" and not cuda:
        raise TrainingError(
            "There is no CUDA device that this PyTorch can use: leave out --device, or take --device cpu."
        )
    if cuda and wanted != "cpu":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
        return "cuda"
    return "cpu"


def runs_command(args: argparse.Namespace, workspace: Workspace) -> int:
    """A table of what was trained."""
    rows = [("run", "experiment", "preset", "size", "images", "time", "best KID", "state")]
    for name in workspace.names("runs"):
        folder = workspace.existing("runs", name)
        config = read_json(folder / "config.json")
        log = folder / "log.jsonl"
        written = log.read_text("utf-8", "replace").splitlines(keepends=True) if log.is_file() else []
        lines = [line for line in written if line.endswith("\n")]  # the last may be half written: now, or by a kill
        last = json.loads(lines[-1]) if lines else {"images": 0, "seconds": 0.0}
        kids = [
            (line["kid"], line.get("extractor", "?")) for line in map(json.loads, lines) if line.get("kid") is not None
        ]
        kids = [found for found in kids if found[1] == kids[-1][1]]  # of the extractor that scored last
        rows.append(
            (
                name, config["experiment"], config["preset"], f"{config['height']}x{config['width']}",
                f"{last['images']:,}/{config['settings']['images']:,}", f"{last['seconds']:.0f} s",
                "{:.4g} ({})".format(*min(kids)) if kids else "-",
                "finished" if config.get("finished") else "unfinished",
            )
        )  # fmt: skip
    if len(rows) == 1:
        following = pasteable(workspace, "gan_core", "train")
        print(f"There are no runs yet in {workspace.root / 'runs'}. Next: {following}")
        return 0
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0

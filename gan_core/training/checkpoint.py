"""Files of a run: `checkpoint.pt` to resume from, `generator*.safetensors` to use; no pickled code is run.

Writing happens in one background thread, from copies, into a temporary name that is renamed into place.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gan_core.experiments import TrainingError
from gan_core.training.engine import copied
from gan_core.training.run import CHANGEABLE, Run
from gan_core.training.schemes import build_discriminator, build_generators
from glimpse.files import SCHEMA, atomic_file

CHECKPOINT, BEST, LAST = "checkpoint.pt", "generator.safetensors", "generator-last.safetensors"


class Saver:
    """Writes one thing at a time in the background; what went wrong there is raised at the next call."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1, "saver")
        self.under_way: Future[None] | None = None

    @property
    def busy(self) -> bool:
        return self.under_way is not None and not self.under_way.done()

    def save(self, path: Path, state: dict[str, Any], generators: dict[str, Tensor], run: Run, **facts: Any) -> None:
        """The checkpoint, and the generators as `facts['files']` names them, from copies taken now."""
        self.wait()
        state, generators = copied({"schema": SCHEMA, **state}), copied(generators)
        self.under_way = self.thread.submit(_write, path, state, generators, run, facts)

    def wait(self) -> None:
        if self.under_way is not None:
            self.under_way.result()
            self.under_way = None

    def close(self) -> None:
        self.wait()
        self.thread.shutdown()


def _write(path: Path, state: dict[str, Any], generators: dict[str, Tensor], run: Run, facts: dict[str, Any]) -> None:
    first, *others = facts.pop("files")
    save_generators(path.parent / first, generators, run, **facts)
    for other in others:
        with atomic_file(path.parent / other) as temporary:
            shutil.copyfile(path.parent / first, temporary)
    with atomic_file(path) as temporary:
        torch.save(state, temporary)


def save_generators(path: Path, generators: dict[str, Tensor], run: Run, **facts: Any) -> None:
    """Weights with the run's whole configuration in the metadata, so that the file alone is enough to use it."""
    metadata = {"glimpse": json.dumps({"schema": SCHEMA, **run.to_json(), **facts})}
    with atomic_file(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in generators.items()}, temporary, metadata)


def load_generators(path: Path) -> tuple[nn.ModuleDict, dict[str, Any]]:
    """The generators in a file by the domain that they make, in `eval` mode, and the metadata.

    Raises TrainingError for a file that is not one of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})["glimpse"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        schema = metadata.get("schema") if isinstance(metadata, dict) else None
        if schema != SCHEMA:
            raise TrainingError(
                f"{path} has schema {schema!r}, this version of Glimpse reads schema {SCHEMA}: "
                "use the version that wrote it, or train it again."
            )
        generators = nn.ModuleDict(build_generators(Run.from_json(metadata, str(path))))
        generators.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = "it is not there" if not path.exists() else str(error).splitlines()[0]
        raise TrainingError(
            f"{path} cannot be read as a generator of Glimpse ({reason}): train the run again."
        ) from None
    return generators.eval().requires_grad_(False), metadata


def load_checkpoint(path: Path, run: Run) -> dict[str, Any]:
    """Raises TrainingError for a damaged file, another schema, or a checkpoint of another experiment or networks."""
    try:
        with zipfile.ZipFile(path) as archive:  # torch writes a checksum of each tensor, and never compares it
            if damaged := archive.testzip():
                raise TrainingError(f"its part {damaged} has another checksum than when it was written")
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = (state["schema"], state["experiment"], state["size"])
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"{path} cannot be read as a checkpoint ({reason}): begin the run again with --overwrite."
        ) from None
    wanted = (SCHEMA, run.experiment_name, [run.height, run.width])
    if found != wanted:
        raise TrainingError(
            f"{path} is a checkpoint of another run (schema, experiment, size: {found}; needed: {wanted}): "
            "resume that one, or begin again with --overwrite."
        )
    theirs = {**asdict(run.settings), **state.get("settings", {})}  # a checkpoint of an earlier version states none
    ours = asdict(run.settings)
    if changed := [f"{k}={theirs[k]}" for k in ours if k not in CHANGEABLE and theirs[k] != ours[k]]:
        raise TrainingError(
            f"{path} is a checkpoint of another run ({', '.join(changed)}): resume that one, or begin again with "
            "--overwrite."
        )
    return dict(state)


def load_discriminator(folder: Path, domain: str | None = None) -> nn.Module:
    """The discriminator of a run from its checkpoint, in `eval` mode; `domain` where a run has two."""
    run = Run.of(folder)
    state = load_checkpoint(folder / CHECKPOINT, run)["engine"]["discriminators"]
    domain = domain or run.experiment.target
    if domain not in run.experiment.makes:
        raise TrainingError(f"The run '{run.name}' judges {' and '.join(run.experiment.makes)}, not '{domain}'.")
    discriminator = build_discriminator(run)
    if run.settings.d_norm == "spectral":
        from gan_core.networks import initialise

        initialise(discriminator, torch.Generator(), "spectral")
    prefix = f"{domain}."
    discriminator.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return discriminator.eval().requires_grad_(False)

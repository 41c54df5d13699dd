"""Files of a run: `checkpoint.pt` to resume from, `generator*.safetensors` to use; no pickled code is run.

A background thread writes copies of the state to a temporary name and renames it into place.
"""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gan_core.experiments import Settings, TrainingError
from gan_core.training.engine import copied
from gan_core.training.run import CHANGEABLE, Run
from gan_core.training.schemes import build_discriminators, build_generators
from glimpse.files import SCHEMA, atomic_file
from glimpse.runs.seal import BLANK, KEY, seal, verify_seal

CHECKPOINT, BEST, LAST = "checkpoint.pt", "generator.safetensors", "generator-last.safetensors"


class Saver:
    """Writes one checkpoint at a time in the background; an error there is raised by the next call."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1, "saver")
        self.under_way: Future[None] | None = None

    @property
    def busy(self) -> bool:
        return self.under_way is not None and not self.under_way.done()

    def save(self, path: Path, state: dict[str, Any], generators: dict[str, Tensor], run: Run, **facts: Any) -> None:
        """Save the checkpoint, and the generators under the names in `facts['files']`, from copies taken now."""
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
    for name in facts.pop("files"):
        save_generators(path.parent / name, generators, run, **facts)
    with atomic_file(path) as temporary:
        torch.save(state, temporary)


def save_generators(path: Path, generators: dict[str, Tensor], run: Run, **facts: Any) -> None:
    """Weights with the configuration of the run as metadata, so that the file can be used alone."""
    metadata = {"glimpse": json.dumps({"schema": SCHEMA, KEY: BLANK, **run.to_json(), **facts})}
    with atomic_file(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in generators.items()}, temporary, metadata)
        seal(temporary)


def load_generators(path: Path) -> tuple[nn.ModuleDict, dict[str, Any]]:
    """The generators in a file by the domain they make, in `eval` mode, and the metadata.

    Raises TrainingError for a file that Glimpse did not write, WorkspaceError for one that is damaged.
    """
    try:
        verify_seal(path)
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {})["glimpse"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        schema = metadata.get("schema") if isinstance(metadata, dict) else None
        if schema != SCHEMA:
            raise TrainingError(
                f"{path} has schema {schema!r}, but this version of Glimpse reads schema {SCHEMA}: "
                "use the version that wrote it, or train it again."
            )
        generators = build_generators(Run.from_json(metadata, str(path)))
        generators.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        reason = "it does not exist" if not path.exists() else str(error).splitlines()[0]
        raise TrainingError(
            f"{path} cannot be read as a generator of Glimpse ({reason}): train the run again."
        ) from None
    return generators.eval().requires_grad_(False), metadata


def load_checkpoint(path: Path, run: Run) -> dict[str, Any]:
    """The state in a checkpoint of this run.

    Raises TrainingError for a damaged file, another schema, or a checkpoint of another experiment or other networks.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch writes a checksum of each tensor but never compares it
            if damaged := archive.testzip():
                raise TrainingError(f"the checksum of its part {damaged} differs")
        state = torch.load(path, map_location="cpu", weights_only=True)
        schema, (height, width) = state["schema"], state["size"]
        theirs = Run(run.name, state["experiment"], run.preset, height, width, Settings(**state["settings"]), {})
    except Exception as error:  # torch raises many types of exception for a damaged file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"{path} cannot be read as a checkpoint ({reason}): train the run again with --overwrite."
        ) from None
    changed = [] if schema == SCHEMA else [f"schema: {schema} there, {SCHEMA} here"]
    changed += [phrase for key, phrase in run.differences(theirs).items() if key not in CHANGEABLE]
    if changed:
        raise TrainingError(
            f"{path} is a checkpoint of another run ({', '.join(changed)}): resume that run, or train again with "
            "--overwrite."
        )
    return dict(state)


def load_discriminator(folder: Path, domain: str | None = None) -> nn.Module:
    """The discriminator of a run from its checkpoint, in `eval` mode; `domain` selects one of two."""
    run = Run.of(folder)
    state = load_checkpoint(folder / CHECKPOINT, run)["engine"]["discriminators"]
    domain = domain or run.experiment.target
    if domain not in run.experiment.makes:
        raise TrainingError(f"The run '{run.name}' judges {' and '.join(run.experiment.makes)}, not '{domain}'.")
    discriminators = build_discriminators(run)
    discriminators.load_state_dict(state)
    return discriminators[domain].eval().requires_grad_(False)

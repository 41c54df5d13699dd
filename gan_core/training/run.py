"""The configuration of a run: experiment, size, settings and image sets, as in the `config.json` of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gan_core.experiments import Experiment, Settings, TrainingError, experiment_named
from glimpse.files import read_json, write_json

# Settings that --resume may change: length, learning rate, logging and scoring. Any other change needs a new run.
CHANGEABLE = ("images", "epochs", "lr", "d_lr", "tick_images", "score_images", "score_ticks", "observe_batches")


@dataclass(frozen=True)
class Run:
    """The configuration of one run: enough to build its networks and to repeat it."""

    name: str
    experiment_name: str
    preset: str
    height: int
    width: int
    settings: Settings
    image_sets: Mapping[str, Mapping[str, Any]]  # domain -> {"name", "sha256", "files", "train", "test"}

    @property
    def experiment(self) -> Experiment:
        return experiment_named(self.experiment_name)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "experiment": self.experiment_name, "scheme": self.experiment.scheme,
            "preset": self.preset,
            "height": self.height, "width": self.width, "image_sets": {k: dict(v) for k, v in self.image_sets.items()},
            "settings": asdict(self.settings),
        }  # fmt: skip

    @classmethod
    def from_json(cls, config: Mapping[str, Any], origin: str) -> Run:
        """The run of a `config.json` or generator file. Raises TrainingError, naming `origin`, if it cannot be read."""
        try:
            return cls(
                config["name"], config["experiment"], config["preset"], config["height"], config["width"],
                Settings(**config["settings"]), config["image_sets"],
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise TrainingError(
                f"{origin} holds a configuration that this version does not know ({error}): train it again."
            ) from None

    @classmethod
    def of(cls, folder: Path) -> Run:
        return cls.from_json(read_json(folder / "config.json"), str(folder / "config.json"))

    @staticmethod
    def is_finished(folder: Path) -> bool:
        return bool(read_json(folder / "config.json").get("finished"))

    def differences(self, other: Run) -> dict[str, str]:
        """The differences from `other`, by name, each as a phrase with both values. Entries that `other` lacks count as
        equal."""
        ours, theirs = self._flat(), other._flat()
        return {
            key: f"{key}: {theirs.get(key)} there, {value} here"
            for key, value in ours.items()
            if value != theirs.get(key, value)
        }

    def _flat(self) -> dict[str, Any]:
        flat = {"experiment": self.experiment_name, "height": self.height, "width": self.width}
        for domain, facts in self.image_sets.items():
            flat[f"images of '{domain}'"] = facts["sha256"][:12]
            flat |= {f"{file} of '{domain}'": sha256[:12] for file, sha256 in facts.get("files", {}).items()}
        return flat | asdict(self.settings)

    def write(self, folder: Path, **more: Any) -> None:
        write_json(folder / "config.json", {**self.to_json(), **more})

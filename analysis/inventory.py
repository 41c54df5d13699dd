"""The runs, image sets and stimulus sets of a workspace that a report can use; notices name damaged ones.

A run or set is identified by its folder and the hashes of its files, not by the name written inside, because people
keep copies. Each is read and checked once per report.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.section import Context, in_paper_order
from gan_core.training.run import Run
from glimpse.files import GlimpseError, read_json, sha256_file
from glimpse.imageset import ImageSet
from glimpse.runs.log import unfinished_at
from glimpse.runs.seal import verify_seal
from glimpse.stimuli import StimulusSet
from glimpse.workspace import KINDS, NAME, OPENED, Workspace

DAMAGE = (GlimpseError, OSError, ValueError, KeyError, TypeError, AttributeError)  # that a broken file may cause


@dataclass(frozen=True)
class FoundRun:
    """A run with a readable configuration and an intact generator."""

    name: str  # of its folder
    folder: Path
    run: Run
    generator_sha256: str | None  # None before the first generator is saved

    @property
    def inputs(self) -> dict[str, Any]:
        """The hashes of its configuration and of its log, which is all that is read without its generator."""
        files = [self.folder / name for name in ("config.json", "log.jsonl")]
        return {path.name: sha256_file(path) if path.is_file() else None for path in files}


def runs(context: Context) -> list[FoundRun]:
    """The runs of the workspace; notices name those that are left out, renamed or identical."""
    return context.once("runs", lambda: _runs(context))


def _runs(context: Context) -> list[FoundRun]:
    found: list[FoundRun] = []
    for folder in folders(context, "runs"):
        try:
            run = Run.of(folder)
            _ = run.experiment, [(facts["name"], facts["sha256"], facts["test"]) for facts in run.image_sets.values()]
            generator, sha256 = folder / "generator.safetensors", None
            if generator.is_file():
                verify_seal(generator)
                sha256 = sha256_file(generator)
        except DAMAGE as error:
            context.notice(left_out(f"The run '{folder.name}'", error))
            continue
        if run.name != folder.name:
            context.notice(
                f"The run in the folder runs/{folder.name} calls itself '{run.name}' in its config.json: it is a copy, "
                f"or was renamed. Here it is '{folder.name}'."
            )
        same = [other.name for other in found if sha256 and other.generator_sha256 == sha256]
        if same:
            context.notice(f"The runs '{same[0]}' and '{folder.name}' have the same generator: one result, not two.")
        with suppress(*DAMAGE):
            if at := unfinished_at(folder):
                context.notice(f"The run '{folder.name}' is unfinished ({at}).")
        found.append(FoundRun(folder.name, folder, run, sha256))
    return found


def image_set(context: Context, name: str, root: Path | None = None) -> ImageSet | None:
    """The image set in that folder (of the workspace at `root`), with checked files; None if missing or damaged."""
    folder = (root or context.workspace.root) / "images" / name
    return context.once(str(folder), lambda: _image_set(context, folder))


def _image_set(context: Context, folder: Path) -> ImageSet | None:
    if not (folder / "manifest.json").is_file():
        return None
    try:
        return ImageSet.load(folder)
    except DAMAGE as error:
        context.notice(left_out(f"The image set '{folder.name}'", error))
        return None


def trained_on(context: Context, facts: Mapping[str, Any]) -> ImageSet | None:
    """The image set that a run's configuration describes, even if renamed; None if it is missing or damaged."""
    for name in _holding(context.workspace, str(facts["name"]), str(facts["sha256"])):
        found = image_set(context, name)
        if found is not None and found.sha256 == facts["sha256"]:
            return found
    return None


def _holding(workspace: Workspace, name: str, sha256: str) -> list[str]:
    """The set `name`, then all others whose manifests list these images: folders may have been renamed."""
    return [name, *(n for n in workspace.names("images") if n != name and _promised(workspace, n) == sha256)]


def _promised(workspace: Workspace, name: str) -> str | None:
    with suppress(*DAMAGE):
        return str(read_json(workspace.root / "images" / name / "manifest.json")["files"]["images.npy"])
    return None


def published_images(context: Context, facts: Mapping[str, Any]) -> ImageSet | None:
    """The images that a stimulus set was published from: an image set, or the images opened from a set or folder."""
    sha256 = str(facts["images_sha256"])
    for root in (context.workspace.root, context.workspace.root / OPENED):
        for name in _holding(Workspace(root), str(facts["image_set"]), sha256):
            found = image_set(context, name, root)
            if found is not None and found.sha256 == sha256:
                return found
    return None


def stimulus_sets(context: Context) -> dict[str, StimulusSet]:
    """The stimulus sets by the name of their folder, with every image checked."""
    return context.once("stimuli", lambda: _stimulus_sets(context))


def shown_sets(context: Context) -> dict[str, StimulusSet]:
    """The stimulus sets by the conditions in which people judge them.

    A set of several generators is one for each, and whole as well if answers name it without a generator.
    """
    return context.once("shown sets", lambda: _shown_sets(context))


def _shown_sets(context: Context) -> dict[str, StimulusSet]:
    sets = stimulus_sets(context)
    found = {name: one for whole in sets.values() for name, one in whole.conditions().items()}
    if sets and context.responses is not None and "stimulus_set" in context.responses:
        names = context.responses[["set", "stimulus_set"]].drop_duplicates()
        for condition, of in names.itertuples(index=False):
            whole = sets.get(of) or sets.get(condition)
            if whole and condition not in found:
                found[condition] = whole
    return found


def _stimulus_sets(context: Context) -> dict[str, StimulusSet]:
    found = {}
    for folder in folders(context, "stimuli"):
        try:
            stimuli = StimulusSet.load(folder)
        except DAMAGE as error:
            context.notice(left_out(f"The stimulus set '{folder.name}'", error))
            continue
        if stimuli.name != folder.name:
            context.notice(
                f"The stimulus set in the folder stimuli/{folder.name} calls itself '{stimuli.name}' in its "
                f"manifest.json: it is a copy, or was renamed. Here it is '{folder.name}'."
            )
        if stimuli.made_from.get("unfinished"):
            context.notice(
                f"The stimulus set '{folder.name}' was published from an unfinished run "
                f"({stimuli.made_from['unfinished']})."
            )
        found[folder.name] = replace(stimuli, name=folder.name)
    return found


def folders(context: Context, kind: str) -> list[Path]:
    """The folders of a kind (`runs`, `stimuli`, `images`) with its marker file and a valid name."""
    found = []
    for path in sorted((context.workspace.root / kind).glob("*")):
        if path.is_symlink() and not path.exists():
            context.notice(
                f"{kind}/{path.name} is left out: it is a link to {path.readlink()}, which does not exist. Connect the "
                "disk that holds it, or delete the link."
            )
    for name in in_paper_order(context.workspace.names(kind)):
        if NAME.fullmatch(name):
            found.append(context.workspace.root / kind / name)
        else:
            context.notice(
                f"The folder {kind}/{name} is left out, as {KINDS[kind][0]}s are named with lower-case letters, "
                "digits, '-' and '_': rename it to include it."
            )
    return found


def preset(context: Context, name: str) -> str:
    """The preset of a run; "" if its configuration cannot be read."""
    try:
        return str(read_json(context.workspace.root / "runs" / name / "config.json").get("preset"))
    except GlimpseError:
        return ""


def left_out(what: str, error: BaseException) -> str:
    """The sentence on something that is left out because of an error."""
    if isinstance(error, GlimpseError):
        reason = str(error)
    else:
        reason = f"its files are not as Glimpse writes them ({type(error).__name__}: {error})."
    return f"{what} is left out: {reason}"

"""Dermoscopic lesions of ISIC 2018 Task 3 (HAM10000; section 3.1 of the paper): one image set a diagnosis.

Reads the official names and HAM10000's own, in folders or zips as downloaded. Tables are known by their columns, so
it does not matter what they are called. One lesion can have several photos: the split goes by lesion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.command_line import did_you_mean
from glimpse.files import atomic_folder, cores, sha256_json
from glimpse.imageset import ImageSetError, ImageSetWriter
from glimpse.prepare import matching, pipeline, pixels, sources, tables
from glimpse.prepare.hair import hairiness
from glimpse.prepare.pipeline import Findings, Prepared, Recipe
from glimpse.prepare.sources import SourceFile
from glimpse.prepare.split import groups_for_testing
from glimpse.workspace import Workspace

LABELS = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")


@dataclass(frozen=True)
class Diagnoses:
    """What the tables say: the diagnosis of each photo and, where known, its lesion."""

    label: dict[str, str]  # image → one of LABELS
    lesion: dict[str, str]  # image → lesion; empty where no table tells


def read_diagnoses(files: Sequence[SourceFile]) -> Diagnoses:
    """Read every table that has the columns of HAM10000_metadata, a GroundTruth or LesionGroupings.

    Raises ImageSetError when none gives diagnoses.
    """
    found = [f for f in files if f.suffix in tables.TABLE_SUFFIXES or f.stem == "HAM10000_metadata"]
    of_training = [t for t in found if not {"test", "validation"} & set(t.stem.lower().split("_"))]
    labels: dict[str, str] = {}
    lesions: dict[str, str] = {}
    for table in of_training or found:
        columns = set(tables.columns_of(table))
        if not (columns & {"dx", "lesion_id"} or set(LABELS) <= columns):
            continue  # of something else, like the pixels that Kaggle adds to HAM10000
        for row in tables.read_table(table):
            image = row.get("image_id") or row.get("image") or ""
            if "dx" in row:
                labels[image] = row["dx"].upper()
            elif set(LABELS) <= row.keys():
                labels[image] = max(LABELS, key=lambda label: _probability(row[label], table))
            if row.get("lesion_id"):
                lesions[image] = row["lesion_id"]
    if not labels:
        raise ImageSetError(
            "No table of diagnoses found: put HAM10000_metadata.csv or ISIC2018_Task3_Training_GroundTruth.csv beside "
            "the photos."
        )
    return Diagnoses(labels, lesions)


def _probability(text: str, table: SourceFile) -> float:
    try:
        return float(text or 0)
    except ValueError:
        raise ImageSetError(f"{table.name} has {text!r} under a diagnosis, where 0 or 1 should stand.") from None


def prepare_isic(
    workspace: Workspace,
    places: Sequence[Path],
    labels: Sequence[str],
    *,
    name: str | None = None,
    size: int = 256,
    test_share: float = 0.2,
    seed: int = 0,
    crop_square: bool = False,
    drop_hairy: float = 0.0,
    skip_broken: bool = False,
    licence: str = "",
    made_from: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> list[Prepared]:
    """One image set for each label, called by the label in lower case or by `name`.

    `crop_square` cuts the largest centred square before resizing (else the whole photo is squeezed to a square, as in
    the paper); `drop_hairy` is the share of a label's photos to set aside, the hairiest first;
    `made_from` goes into the manifest. Raises ImageSetError.
    """
    if not labels:
        raise ImageSetError(f"Name at least one --label: {', '.join(LABELS)}.")
    wanted = [_known(label) for label in labels]
    if name and len(wanted) > 1:
        raise ImageSetError("--name goes with one --label; several labels name their sets themselves.")
    files = sources.find_files(places)
    found = sources.photos_among(files, places, workspace)
    diagnoses = read_diagnoses(files)
    named = [photo for photo in found if photo.stem in diagnoses.label]
    if not named:
        raise ImageSetError(
            f"None of the photos in {', '.join(map(str, places))} is in the table of diagnoses: they should be named "
            "like ISIC_0024306.jpg."
        )
    copies: list[tuple[SourceFile, SourceFile]] = []
    photos = matching.by_stem(named, copies=copies)
    options = {
        "size": size, "test": test_share, "seed": seed, "crop_square": crop_square, "drop_hairy": drop_hairy,
        "skip_broken": skip_broken,
    }  # fmt: skip
    threads = threads or cores()
    return [
        _prepare_label(
            workspace, name or label.lower(), label, photos, copies, diagnoses, options, made_from or {}, licence,
            threads,
        )
        for label in wanted
    ]  # fmt: skip


def _known(label: str) -> str:
    if label.upper() not in LABELS:
        raise ImageSetError(f"{label} is none of ISIC's labels: {did_you_mean(label.upper(), LABELS)}")
    return label.upper()


def _prepare_label(
    workspace: Workspace, name: str, label: str, photos: dict[str, SourceFile],
    copies: list[tuple[SourceFile, SourceFile]], diagnoses: Diagnoses, options: dict[str, Any],
    made_from: Mapping[str, Any], licence: str, threads: int,
) -> Prepared:  # fmt: skip
    findings = Findings()
    mine = {stem: photos[stem] for stem in sorted(photos) if diagnoses.label[stem] == label}
    if not mine:
        raise ImageSetError(f"None of the {len(photos)} photos is labelled {label}.")
    findings.lookalikes.duplicates += [
        (copy.name, kept.name) if copy.name != kept.name else (copy.where, kept.where)
        for copy, kept in copies
        if kept.stem in mine
    ]
    missing = sorted(stem for stem, of in diagnoses.label.items() if of == label and stem not in photos)
    findings.note("missing", missing, f"Labelled {label} in the table, but not among the photos")
    digests = sources.hash_files(list(mine.values()), threads)
    lesions = {stem: diagnoses.lesion.get(stem, stem) for stem in mine}
    recipe = Recipe(
        "isic", {**options, "label": label},
        {"photos": sources.hash_of_all(digests), "lesions": sha256_json(lesions), **made_from}, licence,
    )  # fmt: skip
    if there := pipeline.already_there(workspace, name, recipe):
        return there

    mine = pipeline.drop_copies(mine, digests, findings)
    if options["skip_broken"]:
        mine = pipeline.without_broken(mine, lambda file: file.decoded(pixels.decode_photo), findings, threads)
    if options["drop_hairy"]:
        mine = _without_hairy(mine, options["drop_hairy"], findings, threads)
    lonely = sorted(mine.keys() - diagnoses.lesion.keys())
    if len(lonely) < len(mine):
        findings.note("ungrouped", lonely, "Of no lesion in the tables, so each its own group")
    else:
        findings.sentences.append(
            "No table names their lesions, so the split is by photo and may leak: one lesion can have several photos. "
            "ISIC2018_Task3_Training_LesionGroupings.csv or HAM10000_metadata.csv beside the photos mends that."
        )
    testing = groups_for_testing([lesions[stem] for stem in mine], options["test"], options["seed"], "photos")
    size = options["size"]
    with atomic_folder(workspace.new("images", name)) as folder, ImageSetWriter(folder, size, size) as writer:

        def make(photo: NDArray[np.uint8], file: str) -> NDArray[np.uint8]:
            return pixels.shrink(
                pixels.crop_to_ratio(photo, 1, 1) if options["crop_square"] else photo, size, size, file
            )

        for stem, image, found in pipeline.each_image(mine, make, name, threads):
            split = "test" if lesions[stem] in testing else "train"
            if not findings.lookalikes.is_duplicate(mine[stem].name, split, found):
                row = {"image_id": stem, "source": mine[stem].name, "group": lesions[stem], "split": split}
                writer.add(image, {**row, "label": label})
        pipeline.finish(writer, name, recipe, {"photos": len(photos), "missing": len(missing)}, findings)
    return Prepared(pipeline.load(workspace, name), made=True, notes=findings.notes())


def _without_hairy(
    photos: dict[str, SourceFile], share: float, findings: Findings, threads: int
) -> dict[str, SourceFile]:
    """Set aside the hairiest share of the photos."""

    def score(stem: str) -> float:
        return hairiness(photos[stem].decoded(pixels.decode_photo))

    scores = dict(zip(photos, sources.in_order(score, photos, threads), strict=True))
    most = min(round(share * len(photos)), len(photos) - 1)  # one stays
    hairiest = sorted(photos, key=lambda stem: (-scores[stem], stem))[:most]
    findings.note("hairy", sorted(photos[s].name for s in hairiest), "Set aside as the hairiest")
    return {stem: photo for stem, photo in photos.items() if stem not in set(hairiest)}

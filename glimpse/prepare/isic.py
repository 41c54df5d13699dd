"""Dermoscopic lesions of ISIC 2018 Task 3 (HAM10000; section 3.1 of the paper): one image set per diagnosis.

Reads the official names and HAM10000's own, in folders or zips as downloaded. Tables are recognised by their columns,
whatever their file names. One lesion can have several photos, so the split goes by lesion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from glimpse.command_line import did_you_mean
from glimpse.files import sha256_json
from glimpse.imageset import ImageSetError
from glimpse.prepare import matching, pixels, sources, tables
from glimpse.prepare.hair import hairiness
from glimpse.prepare.pipeline import RECORDED, Findings, PhotoOptions, PhotoSet, Prepared, photos_to_set
from glimpse.prepare.sources import SourceFile
from glimpse.workspace import Workspace

LABELS = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")


@dataclass(frozen=True)
class Diagnoses:
    """The diagnosis of each photo and, where known, its lesion."""

    label: dict[str, str]  # image → one of LABELS
    lesion: dict[str, str]  # image → lesion; empty without a table of lesions


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
            continue  # another table, like the pixels that Kaggle adds to HAM10000
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


@dataclass(frozen=True, kw_only=True)
class IsicOptions(PhotoOptions):
    """Options of `prepare isic`."""

    label: Sequence[str]  # of LABELS; one image set each
    name: str | None = None  # of the image set; by default the label in lower case
    size: int = field(default=256, metadata=RECORDED)  # side of an image
    crop_square: bool = field(default=False, metadata=RECORDED)  # else the whole photo is squeezed, as in the paper
    drop_hairy: float = field(default=0.0, metadata=RECORDED)  # share of a label's photos to leave out


def prepare_isic(workspace: Workspace, options: IsicOptions) -> list[Prepared]:
    """One image set per label, split by lesion. Raises ImageSetError."""
    if not options.label:
        raise ImageSetError(f"Name at least one --label: {', '.join(LABELS)}.")
    labels = [_known(label) for label in options.label]
    if options.name and len(labels) > 1:
        raise ImageSetError("--name goes with one --label; several labels name their sets themselves.")
    files = sources.find_files(options.source)
    found = sources.photos_among(files, options.source, workspace)
    diagnoses = read_diagnoses(files)
    named = [photo for photo in found if photo.stem in diagnoses.label]
    if not named:
        raise ImageSetError(
            f"None of the photos in {', '.join(map(str, options.source))} is in the table of diagnoses: they should "
            "be named like ISIC_0024306.jpg."
        )
    copies: list[tuple[SourceFile, SourceFile]] = []
    photos = matching.by_stem(named, copies=copies)
    return [_prepare_label(workspace, label, photos, copies, diagnoses, options) for label in labels]


def _known(label: str) -> str:
    if label.upper() not in LABELS:
        raise ImageSetError(f"{label} is none of ISIC's labels: {did_you_mean(label.upper(), LABELS)}")
    return label.upper()


def _prepare_label(
    workspace: Workspace, label: str, photos: dict[str, SourceFile], copies: list[tuple[SourceFile, SourceFile]],
    diagnoses: Diagnoses, options: IsicOptions,
) -> Prepared:  # fmt: skip
    """The image set of one label; `copies` are the files left out of `photos`, each with the equal file that stays."""
    findings = Findings()
    labelled = {stem: photos[stem] for stem in sorted(photos) if diagnoses.label[stem] == label}
    if not labelled:
        raise ImageSetError(f"None of the {len(photos)} photos is labelled {label}.")
    findings.lookalikes.duplicates += [
        (copy.name, kept.name) if copy.name != kept.name else (copy.where, kept.where)
        for copy, kept in copies
        if kept.stem in labelled
    ]
    missing = sorted(stem for stem, of in diagnoses.label.items() if of == label and stem not in photos)
    findings.note("missing", missing, f"Labelled {label} in the table, but not among the photos")
    lesions = {stem: diagnoses.lesion.get(stem, stem) for stem in labelled}

    def select(kept: dict[str, SourceFile], findings: Findings) -> dict[str, SourceFile]:
        if options.drop_hairy:
            kept = _without_hairy(kept, options.drop_hairy, findings, options.threads)
        ungrouped = sorted(kept.keys() - diagnoses.lesion.keys())
        if len(ungrouped) < len(kept):
            findings.note("ungrouped", ungrouped, "Without a lesion in the tables, so each is its own group")
        else:
            findings.sentences.append(
                "No table names their lesions, so the split is by photo and may leak: one lesion can have several "
                "photos. Put ISIC2018_Task3_Training_LesionGroupings.csv or HAM10000_metadata.csv beside the photos."
            )
        return kept

    wanted = PhotoSet(
        source="isic", name=options.name or label.lower(), label=label, photos=labelled, groups=lesions,
        size=(options.size, options.size), fit="crop" if options.crop_square else "stretch",
        options={**options.recorded(), "label": label},
        made_from={"lesions": sha256_json(lesions)}, counts={"photos": len(photos), "missing": len(missing)},
    )  # fmt: skip
    return photos_to_set(workspace, wanted, options, findings, select)


def _without_hairy(
    photos: dict[str, SourceFile], share: float, findings: Findings, threads: int
) -> dict[str, SourceFile]:
    """Drop the hairiest share of the photos."""

    def score(stem: str) -> float:
        return hairiness(photos[stem].decoded(pixels.decode_photo))

    scores = dict(zip(photos, sources.in_order(score, photos, threads), strict=True))
    most = min(round(share * len(photos)), len(photos) - 1)  # one stays
    hairiest = sorted(photos, key=lambda stem: (-scores[stem], stem))[:most]
    findings.note("hairy", sorted(photos[s].name for s in hairiest), "Set aside as the hairiest")
    return {stem: photo for stem, photo in photos.items() if stem not in set(hairiest)}

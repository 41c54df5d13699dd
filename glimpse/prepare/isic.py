"""Photos with a table of diagnoses (ISIC 2018 Task 3 and HAM10000 in section 3.1 of the paper): one set per diagnosis.

Reads the tables of ISIC 2016 to 2020, the ISIC Archive, HAM10000 and PAD-UFES-20, in folders or zips as downloaded, and
any table with the columns image_id and dx. Tables are recognised by their columns, whatever their file names. One
lesion can have several photos, so the split is by lesion, and by patient if the table has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glimpse.command_line import did_you_mean
from glimpse.files import sha256_json
from glimpse.imageset import ImageSetError
from glimpse.prepare.checks.findings import Findings
from glimpse.prepare.folder import folder_name, names_from
from glimpse.prepare.pipeline import RECORDED, PhotoOptions, PhotoSet, Prepared, photos_to_sets
from glimpse.prepare.reading import matching, sources
from glimpse.prepare.reading.diagnoses import WORDS, Diagnoses, class_named, read_diagnoses
from glimpse.prepare.reading.sources import SourceFile
from glimpse.prepare.skin.hair import hairiness
from glimpse.workspace import Workspace

LABELS = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")  # of ISIC 2018


@dataclass(frozen=True, kw_only=True)
class IsicOptions(PhotoOptions):
    """Options of `prepare isic`."""

    label: Sequence[str]  # as the tables write them, or one of diagnoses.WORDS; one image set each
    labels_csv: Path | None = None  # the table that holds the labels, instead of all that lie beside the photos
    name: str | None = None  # of the image set; with several labels, its prefix; by default the label
    size: int = 256  # side of an image
    crop_square: bool = field(default=False, metadata=RECORDED)  # else the whole photo is squeezed, as in the paper
    drop_hairy: float = field(default=0.0, metadata=RECORDED)  # share of a label's photos to leave out


def prepare_isic(workspace: Workspace, options: IsicOptions) -> list[Prepared]:
    """One image set per label, split by lesion and patient. Raises ImageSetError."""
    if not options.label:
        raise ImageSetError(f"Name at least one --label: {', '.join(LABELS)}, or another that the table has.")
    labels = list(dict.fromkeys(class_named(label) for label in options.label))
    files = sources.find_files(options.source)
    found = sources.photos_among(files, options.source, workspace)
    diagnoses = read_diagnoses(files, options.labels_csv)
    known = [photo for photo in found if diagnoses.of(photo.stem) is not None]
    if not known:
        raise ImageSetError(
            f"None of the photos in {', '.join(map(str, options.source))} is in the table of diagnoses "
            f"({', '.join(diagnoses.tables)}): they should be named like {next(iter(diagnoses.labels))}.jpg."
        )
    copies: list[tuple[SourceFile, SourceFile]] = []
    photos = matching.by_stem(known, copies=copies)
    for label in labels:
        _refuse_unknown(label, photos, diagnoses)
    unnamed = sorted(photo.name for photo in found if diagnoses.of(photo.stem) is None)
    undiagnosed = sorted(photo.name for stem, photo in photos.items() if not diagnoses.of(stem))
    several = []
    names = names_from(labels, "labels", folder_name(options.source[0]), options.name or "")
    for number, (name, label) in enumerate(zip(names, labels, strict=True)):
        findings = Findings()
        findings.note("not_in_table", unnamed, "In no table of diagnoses")
        findings.note("undiagnosed", undiagnosed, "Without a diagnosis in the table, so in no set")
        if number:  # once is enough on the screen
            findings.sentences.clear()
        several.append(_label_set(name, label, photos, copies, diagnoses, options, findings))
    return photos_to_sets(workspace, several, options)


def _refuse_unknown(label: str, photos: dict[str, SourceFile], diagnoses: Diagnoses) -> None:
    """Raise ImageSetError, listing the labels of the photos, for a label that no photo has."""
    having = [stem for stem in photos if label in (diagnoses.of(stem) or ())]
    if having:
        return
    there = diagnoses.counted(photos)
    if label in WORDS or any(label in labels for labels in diagnoses.labels.values()):
        raise ImageSetError(f"None of the {len(photos)} photos is labelled {label}: they are labelled {there}.")
    close = did_you_mean(label, sorted({one for stem in photos for one in diagnoses.of(stem) or ()}))
    remedy = f" {close}" if "did you mean" in close else ""
    raise ImageSetError(
        f"{label} is not among the labels in {', '.join(diagnoses.tables)}:{remedy or ' choose another.'} The photos "
        f"are labelled {there}."
    )


def _label_set(
    name: str, label: str, photos: dict[str, SourceFile], copies: list[tuple[SourceFile, SourceFile]],
    diagnoses: Diagnoses, options: IsicOptions, findings: Findings,
) -> PhotoSet:  # fmt: skip
    """The photos of one label; `copies` are the files left out of `photos`, each with the equal file that stays."""
    labelled = {stem: photos[stem] for stem in sorted(photos) if label in (diagnoses.of(stem) or ())}
    findings.lookalikes.duplicates += [
        (copy.name, kept.name) if copy.name != kept.name else (copy.where, kept.where)
        for copy, kept in copies
        if kept.stem in labelled
    ]
    missing = sorted(stem for stem, of in diagnoses.labels.items() if label in of and stem not in photos)
    findings.note("missing", missing, f"Labelled {label} in the table, but not among the photos")
    grouped = diagnoses.groups(labelled)
    groups = {stem: grouped.get(stem, stem) for stem in labelled}

    def select(kept: dict[str, SourceFile], findings: Findings) -> dict[str, SourceFile]:
        if options.drop_hairy:
            kept = _without_hairy(kept, options.drop_hairy, findings, options)
        ungrouped = sorted(kept.keys() - grouped.keys())
        if len(ungrouped) < len(kept):
            findings.note("ungrouped", ungrouped, "Without a lesion in the tables, so each is its own group")
        else:
            findings.sentences.append(
                "No table names their lesions, so the split is by photo and may leak: one lesion can have several "
                "photos. Put ISIC2018_Task3_Training_LesionGroupings.csv or HAM10000_metadata.csv beside the photos."
            )
        return kept

    return PhotoSet(
        source="isic", name=name, label=label, photos=labelled, groups=groups,
        size=(options.size, options.size), fit="crop" if options.crop_square else "stretch",
        options={**options.recorded(), "label": label},
        made_from={"lesions": sha256_json(groups)}, counts={"photos": len(photos), "missing": len(missing)},
        findings=findings, select=select,
    )  # fmt: skip


def _without_hairy(
    photos: dict[str, SourceFile], share: float, findings: Findings, options: IsicOptions
) -> dict[str, SourceFile]:
    """Drop the hairiest share of the photos."""

    def score(stem: str) -> float:
        return hairiness(options.read(photos[stem]).pixels)

    scores = dict(zip(photos, sources.in_order(score, photos, options.threads), strict=True))
    most = min(round(share * len(photos)), len(photos) - 1)  # one stays
    hairiest = sorted(photos, key=lambda stem: (-scores[stem], stem))[:most]
    findings.note("hairy", sorted(photos[s].name for s in hairiest), "Set aside as the hairiest")
    return {stem: photo for stem, photo in photos.items() if stem not in set(hairiest)}

"""Tables of diagnoses as data sets publish them: the labels of each photo, its lesion and its patient."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading import tables
from glimpse.prepare.reading.sources import PHOTO_SUFFIXES, SourceFile, composed

IMAGE_COLUMNS = ("image_id", "image", "isic_id", "image_name", "img_id", "filename", "file_name")
# Words: of HAM10000, PAD-UFES-20 and ISIC 2020, and the ISIC Archive's from coarse to fine.
DIAGNOSIS_COLUMNS = ("dx", "diagnosis", "diagnostic", "benign_malignant", *(f"diagnosis_{i}" for i in range(1, 6)))
GROUP_COLUMNS = ("lesion_id", "patient_id")
ALSO_IMAGES, ALSO_DIAGNOSES = (
    ("path", "image_path", "file", "photo", "name"),
    ("label", "class", "disease"),
)  # --labels-csv
MARKS = {"true": 1.0, "yes": 1.0, "x": 1.0, "false": 0.0, "no": 0.0}  # in one-hot tables, beside numbers
SCALED_DOWN = "_downsampled"  # ISIC 2019 appends it to the names of some photos

# Each class under its other names, and the diagnoses within it, as HAM10000, ISIC 2016 to 2020, the ISIC Archive,
# PAD-UFES-20 and Hugging Face's copies write them.
WORDS = {
    "MEL": ("mel|melanoma", "melanoma .*|malignant melanocytic proliferations melanoma"),
    "NV": ("nv|nev|nevus|naevus|nevi|melanocytic nev(us|i)", "nevus .*"),
    "BCC": ("bcc|basal cell carcinoma", "basal cell carcinoma .*"),
    "AKIEC": (
        "akiec|actinic keratos[ei]s.*(intraepithelial carcinoma|bowen).*",
        "ak|ack|actinic keratos[ei]s|solar or actinic keratosis|bowen.*|squamous cell carcinoma in situ.*",
    ),
    "AK": ("ak|ack|actinic keratos[ei]s|solar or actinic keratosis", ""),
    "SCC": ("scc|squamous cell carcinoma", "squamous cell carcinoma .*"),
    "BKL": (
        "bkl|benign keratos[ei]s( like lesions?)?",
        "sek|sk|(pigmented benign|lichenoid|seborrheic|lichen planus like) keratosis|solar lentigo",
    ),
    "DF": ("df|dermatofibroma", ""),
    "VASC": ("vasc|vascular( lesions?)?", ".*hemangioma.*|angioma.*|angiokeratoma.*|pyogenic granuloma.*"),
    "UNK": ("unk|unknown", ""),
}


def label_words(word: str) -> str:
    """A diagnosis in lower case, its words separated by single spaces.

    >>> label_words("benign_keratosis-like_lesions")
    'benign keratosis like lesions'
    """
    return " ".join(re.findall(r"\w+", word.lower().replace("_", " ")))


def class_named(word: str) -> str:
    """The class that a word names; a word that names none, in capitals.

    >>> class_named("melanoma"), class_named("Melanoma in situ"), class_named("psoriasis")
    ('MEL', 'MELANOMA IN SITU', 'PSORIASIS')
    """
    named = label_words(word)
    return next((label for label, (names, _) in WORDS.items() if re.fullmatch(names, named)), named.upper())


def labels_of(word: str) -> frozenset[str]:
    """A diagnosis and the classes that it names or belongs to; none for an empty word.

    >>> sorted(labels_of("Melanoma in situ")), sorted(labels_of("melanocytic_Nevi")), labels_of("")
    (['MEL', 'MELANOMA IN SITU'], ['NV'], frozenset())
    """
    named = label_words(word)
    within = {label for label, words in WORDS.items() if any(re.fullmatch(some, named) for some in words)}
    return frozenset(within | {class_named(word)}) if named else frozenset()


@dataclass
class Diagnoses:
    """The labels of each photo and, where known, its group."""

    tables: list[str] = field(default_factory=list)  # names of those that gave labels
    labels: dict[str, frozenset[str]] = field(default_factory=dict)  # image → labels; none where a row names no class
    ids: dict[str, dict[str, str]] = field(default_factory=dict)  # image → {"lesion_id": ..., "patient_id": ...}

    def of(self, stem: str) -> frozenset[str] | None:
        """The labels of a photo; None where no table has it."""
        return next((self.labels[name] for name in _names(stem) if name in self.labels), None)

    def groups(self, stems: Iterable[str]) -> dict[str, str]:
        """The group of each photo that has one: photos that share a lesion or a patient are of one group.

        The group is named after the patient, else the lesion.
        """
        stems = [stem for stem in stems if self._ids(stem)]
        leader: dict[tuple[str, str], tuple[str, str]] = {}

        def find(key: tuple[str, str]) -> tuple[str, str]:
            while leader.setdefault(key, key) != key:
                leader[key] = key = leader[leader[key]]
            return key

        for stem in stems:
            first, *others = ((column, value) for column, value in sorted(self._ids(stem).items(), reverse=True))
            for other in others:  # "patient_id" sorts behind "lesion_id", so the patient leads
                one, two = sorted((find(first), find(other)), key=lambda key: (key[0] != "patient_id", key[1]))
                leader[two] = one
        return {stem: find(max(self._ids(stem).items()))[1] for stem in stems}

    def _ids(self, stem: str) -> Mapping[str, str]:
        return next((self.ids[name] for name in _names(stem) if name in self.ids), {})

    def counted(self, stems: Iterable[str]) -> str:
        """'DF (9), MEL (6)': the labels of these photos, the most frequent first; classes replace the diagnoses in
        them."""
        counts: Counter[str] = Counter()
        for stem in stems:
            labels = self.of(stem) or frozenset()
            counts.update(labels & WORDS.keys() or labels)
        shown = [f"{label} ({count:,})" for label, count in counts.most_common(20)]
        return ", ".join(shown) + (" ..." if len(counts) > 20 else "")


def _names(stem: str) -> tuple[str, str]:
    """The name of a photo, and the same with or without ISIC 2019's ending, which is often dropped or added."""
    return stem, stem.removesuffix(SCALED_DOWN) if stem.endswith(SCALED_DOWN) else stem + SCALED_DOWN


def read_diagnoses(files: Sequence[SourceFile], labels_csv: Path | None = None) -> Diagnoses:
    """Read every table that has columns of diagnoses, lesions or patients; with `labels_csv` the labels from it alone.

    Raises ImageSetError when none gives diagnoses.
    """
    found = [f for f in files if f.suffix in tables.TABLE_SUFFIXES or f.stem == "HAM10000_metadata"]
    of_training = [t for t in found if not {"test", "validation"} & set(t.stem.lower().split("_"))]
    diagnoses = Diagnoses()
    if labels_csv is not None:
        if not labels_csv.is_file():
            raise ImageSetError(f"{labels_csv} does not exist: give a CSV file with the columns image_id and dx.")
        _read(SourceFile(labels_csv.name, labels_csv), diagnoses, labels=True, named=True)
    for table in of_training or found:
        if labels_csv is None or table.place.resolve() != labels_csv.resolve():
            _read(table, diagnoses, labels=labels_csv is None)
    if labels_csv is None:
        _read_json(files, diagnoses)
    if not diagnoses.labels:
        spreadsheets = [f for f in files if f.suffix in tables.SPREADSHEETS]
        raise ImageSetError(_no_table([SourceFile(labels_csv.name, labels_csv)] if labels_csv else found, spreadsheets))
    return diagnoses


def _read(table: SourceFile, into: Diagnoses, labels: bool, named: bool = False) -> None:
    """Labels and groups of a table; `named` says that --labels-csv names it, so that more columns may hold them."""
    columns = tables.columns_of(table)
    headless = len(columns) == 2 and columns[0].startswith("ISIC_")  # ISIC 2016
    columns = ["image_id", "dx"] if headless else columns
    ours = _by_our_names(columns)
    image, single = _image_and_diagnoses(columns, named)
    groups = {name: ours[name] for name in GROUP_COLUMNS if name in ours}
    classes = [] if single else [name for name in columns if labels_of(name) & WORDS.keys() and name != image]
    if image is None or not (single or len(classes) > 1 or groups):
        return  # another table, like the pixels that Kaggle adds to HAM10000
    for name in columns:
        if name not in ours.values() and (other := ours[_our_name(name)]) in {image, *single, *groups.values()}:
            raise ImageSetError(
                f"{table.name} has the columns '{name}' and '{other}' of one name: remove or rename one."
            )
    labels = labels and bool(single or len(classes) > 1)
    if labels:
        into.tables.append(table.name)
    for row in tables.read_table(table, columns if headless else None):
        name = _stem(row.get(image, ""))
        ids = {group: row[column] for group, column in groups.items() if row.get(column)}
        if ids:
            into.ids.setdefault(name, {}).update(ids)
        if labels:
            words = [row.get(column, "") for column in single] if single else [_marked(row, classes, name, table)]
            found = frozenset().union(*map(labels_of, words))
            _add(into, name, found, table)


def _by_our_names(columns: Sequence[str]) -> dict[str, str]:
    return {_our_name(name): name for name in columns}


def _our_name(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.lower())


def _image_and_diagnoses(columns: Sequence[str], named: bool) -> tuple[str | None, list[str]]:
    """The columns of images and of diagnoses in words; `named` allows those that only a named table may have."""
    ours = _by_our_names(columns)
    image = next((ours[name] for name in IMAGE_COLUMNS + ALSO_IMAGES * named if name in ours), None)
    return image, [ours[name] for name in DIAGNOSIS_COLUMNS + ALSO_DIAGNOSES * named if name in ours]


def _read_json(files: Sequence[SourceFile], into: Diagnoses) -> None:
    """The ISIC Archive's descriptions of images, a JSON file each; older downloads give them no ending."""
    for file in files:
        if file.suffix == ".json" or (not file.suffix and file.stem.startswith("ISIC_")):
            row = tables.row_of_json(file)
            words = [row[column] for column in DIAGNOSIS_COLUMNS if row.get(column)]
            if words:
                if not into.tables:
                    into.tables.append(file.name)
                ids = {column: row[column] for column in GROUP_COLUMNS if row.get(column)}
                if ids:
                    into.ids.setdefault(row["isic_id"], {}).update(ids)
                _add(into, row["isic_id"], frozenset().union(*map(labels_of, words)), file)


def _add(into: Diagnoses, name: str, found: frozenset[str], table: SourceFile) -> None:
    """Add the labels of one row. Raises ImageSetError if earlier labels of the photo share none with them."""
    there = into.labels.get(name)
    if there and found and not there & found:
        one, other = (", ".join(sorted(labels)) for labels in (there, found))
        raise ImageSetError(
            f"{table.name} gives {name} the diagnosis {other}, but another row or table {one}: keep one row, or name "
            "the right table with --labels-csv."
        )
    into.labels[name] = (there or frozenset()) | found


def _marked(row: Mapping[str, str], classes: Sequence[str], name: str, table: SourceFile) -> str:
    """The class with the highest value in a row of a one-hot table; none where all are zero or blank, or two tie."""
    values = {of: _number(row.get(of, ""), f"{table.name}: {name} has under {of}") for of in classes}
    highest = max(values.values())
    marked = [name for name, value in values.items() if value == highest]
    return marked[0] if highest > 0 and len(marked) == 1 else ""


def _number(text: str, where: str) -> float:
    try:
        value = MARKS[text.lower()] if text.lower() in MARKS else float(text or 0)
    except ValueError:
        raise ImageSetError(f"{where} '{text}': write 1 or 0, true or false, or x.") from None
    return 0.0 if value != value else value  # "nan" is not a mark


def _stem(name: str) -> str:
    """The name of a photo in a table: without folder, and without the ending of an image file."""
    path = PurePosixPath(composed(name.replace("\\", "/")))
    return path.stem if path.suffix.lower() in PHOTO_SUFFIXES else path.name


def _no_table(found: Sequence[SourceFile], spreadsheets: Sequence[SourceFile]) -> str:
    sentence = (
        "No table of diagnoses found: put HAM10000_metadata.csv or ISIC2018_Task3_Training_GroundTruth.csv beside the "
        "photos, or name a table with the columns image_id and dx with --labels-csv."
    )
    if not found:
        return sentence + (f" {spreadsheets[0].name} is a spreadsheet: save it as CSV." if spreadsheets else "")
    for table in found:
        columns = tables.columns_of(table)
        if all(_image_and_diagnoses(columns, named=True)):
            if all(_image_and_diagnoses(columns, named=False)):
                return f"{table.name} has no rows: fill it, or name another table with --labels-csv."
            unpacked = "unpack it and name it" if table.zipped else "name it"
            path = table.name if table.zipped else shlex.quote(str(table.place))
            return (
                f"No table of diagnoses found, but {table.name} may be one, with the columns "
                f"{', '.join(columns[:12])}: {unpacked} with --labels-csv {path}."
            )
    columns = tables.columns_of(found[0])[:12]
    return (
        f"{sentence} {found[0].name} has the columns {', '.join(columns)}: it needs one of images and one of diagnoses."
    )

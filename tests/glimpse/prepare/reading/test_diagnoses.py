"""Tables of diagnoses: those that data sets publish, and whose photos stay together."""

from __future__ import annotations

from pathlib import Path

import pytest

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.diagnoses import class_named, read_diagnoses
from glimpse.prepare.reading.sources import SourceFile

MALIGNANT = "Malignant melanocytic proliferations (Melanoma)"
# name: table; photos of each label that one may ask for; groups
TABLES = {
    "ISIC 2019": (
        """image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK,lesion_id
        A,1.0,0,0,0,0,0,0,0,0,L1
        B_downsampled,0,0,0,0,0,0,0,1.0,0,L1
        C,0,0,0,1.0,0,0,0,0,0,""",
        {"MEL": "A", "SCC": "B", "AK": "C", "AKIEC": "C"},
        {"A": "L1", "B": "L1"},
    ),
    "ISIC 2020": (
        """image_name,patient_id,diagnosis,benign_malignant,target
        A,P1,nevus,benign,0
        B,P1,melanoma,malignant,1
        C,,unknown,benign,0""",
        {"NV": "A", "malignant": "B", "Benign": "AC", "UNK": "C"},
        {"A": "P1", "B": "P1"},
    ),
    "ISIC 2017": (
        """image_id,melanoma,seborrheic_keratosis
        A,1.0,0.0
        B,0.0,1.0
        C,0.0,0.0""",
        {"MEL": "A", "BKL": "B"},
        {},
    ),
    "ISIC 2016": ("ISIC_A,benign\nISIC_B,malignant\nISIC_C,benign", {"malignant": "B", "Benign": "AC"}, {}),
    "ISIC Archive": (
        f"""isic_id,diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_4,lesion_id,patient_id
        A,Malignant,{MALIGNANT},Melanoma Invasive,,L1,P1
        B,Benign,Benign melanocytic proliferations,Nevus,"Nevus, Atypical",L2,P1
        C,Malignant,Malignant adnexal epithelial proliferations - Follicular,Basal cell carcinoma,,L3,
        D,Malignant,{MALIGNANT},Melanoma in situ,,L1,""",
        {"MEL": "AD", "melanoma": "AD", "Melanoma Invasive": "A", "nevus": "B", "BCC": "C", "Malignant": "ACD"},
        {"A": "P1", "B": "P1", "C": "L3", "D": "P1"},  # D by its lesion
    ),
    "PAD-UFES-20": (
        """patient_id,lesion_id,img_id,diagnostic
        PAT_1,7,A.png,NEV
        PAT_2,8,B.png,ACK
        PAT_2,9,C.png,SEK""",
        {"NV": "A", "AKIEC": "B", "BKL": "C"},
        {"A": "PAT_1", "B": "PAT_2", "C": "PAT_2"},
    ),
    "words of a copy, endings and folders": (
        """image_id,lesion_id,dx
        A.jpg,H1,melanoma
        x/B.jpg,H2,melanocytic_Nevi
        C.JPG,H3,benign_keratosis-like_lesions""",
        {"MEL": "A", "NV": "B", "BKL": "C"},
        {"A": "H1", "B": "H2", "C": "H3"},
    ),
    "any": ("image_id,dx\nA,Psoriasis\nB,atopic_dermatitis", {"psoriasis": "A", "Atopic dermatitis": "B"}, {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_that_data_sets_publish_are_read(tmp_path: Path, name: str) -> None:
    table, labels, groups = TABLES[name]
    (tmp_path / "metadata.csv").write_text("\n".join(line.strip() for line in table.splitlines()))
    found = read_diagnoses([SourceFile("metadata.csv", tmp_path / "metadata.csv")])
    photos = {stem: ("ISIC_" if name == "ISIC 2016" else "") + stem for stem in "ABC" + "D" * ("D," in table)}
    for label, expected in labels.items():
        having = [stem for stem, photo in photos.items() if class_named(label) in (found.of(photo) or ())]
        assert "".join(having) == expected, label
    assert found.groups(photos.values()) == groups


def table(folder: Path, *lines: str) -> SourceFile:
    (folder / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return SourceFile("labels.csv", folder / "labels.csv")


def test_names_of_columns_are_the_same_with_capitals_and_spaces(tmp_path: Path) -> None:
    found = read_diagnoses([table(tmp_path, "Image ID,Diagnosis,Lesion-ID", "A.JPG,melanoma,L1", "B,nevus,L1")])
    assert (found.of("A"), found.of("B")) == ({"MEL"}, {"NV"})
    assert found.groups(["A", "B"]) == {"A": "L1", "B": "L1"}


def test_a_table_that_is_named_may_call_its_columns_path_and_label(tmp_path: Path) -> None:
    given = table(tmp_path, "path,label", "train/A.jpg,psoriasis", "train/B.jpg,acne")
    assert read_diagnoses([given], given.place).of("A") == {"PSORIASIS"}
    with pytest.raises(ImageSetError, match="No table of diagnoses found"):
        read_diagnoses([given])


def test_marks_of_a_one_hot_table_may_be_words(tmp_path: Path) -> None:
    found = read_diagnoses([table(tmp_path, "image,MEL,NV", "A,True,False", "B,,x", "C,no,no", "D,0,1")])
    assert [found.of(name) for name in "ABCD"] == [{"MEL"}, {"NV"}, set(), {"NV"}]
    with pytest.raises(ImageSetError, match=r"labels\.csv: A has under NV 'maybe': write 1 or 0"):
        read_diagnoses([table(tmp_path, "image,MEL,NV", "A,0,maybe")])

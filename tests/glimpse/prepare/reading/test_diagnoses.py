"""Tables of diagnoses: those that data sets publish, and whose photos stay together."""

from __future__ import annotations

from pathlib import Path

import pytest

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

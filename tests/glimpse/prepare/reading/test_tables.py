"""Tables: a column of a CSV file by photo, however the table is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.diagnoses import read_diagnoses
from glimpse.prepare.reading.sources import SourceFile
from glimpse.prepare.reading.tables import column_by_photo
from glimpse.prepare.split import named_groups


@pytest.mark.parametrize("text", [
    "photo,lesion_id\nP1.jpg,L1\nP2.jpg,\n", "lesion_id\tphoto\nL1\tsub/P1\n",
    "\ufeffphoto;lesion_id\r\nP1;L1\r\nP1;L1\r\n", "photo,lesion_id\rP1,L1\r", "sep=;\nphoto;lesion_id\nP1;L1\n",
    "\r;;\rphoto;lesion_id\rP1;L1\r",
])  # fmt: skip
def test_a_column_is_read_by_photo(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.csv").write_bytes(text.encode())
    assert column_by_photo(tmp_path / "table.csv", "lesion_id", ["P1", "P2", "P3"]) == {"P1": "L1"}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_in_the_encodings_of_spreadsheets(tmp_path: Path, encoding: str) -> None:
    text = "Foto;Läsion\n" + "".join(f"Hände{i};Läsion {i}\n" for i in range(9))
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    assert column_by_photo(tmp_path / "table.csv", "Läsion", ["Hände3"]) == {"Hände3": "Läsion 3"}


def test_dots_in_a_photos_name_do_not_begin_an_ending(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("photo,lesion_id\n2020.01.0,L1\na/2020.01.1,L2\n2020.01.2.jpg,L3\n")
    stems = [f"2020.01.{i}" for i in range(3)]
    found = column_by_photo(tmp_path / "table.csv", "lesion_id", stems)
    assert found == dict(zip(stems, ["L1", "L2", "L3"], strict=True))
    assert named_groups(found, ["a/2020.01.1", "2020.01.2.jpg"], "list.txt") == {"L2", "L3"}


@pytest.mark.parametrize(
    ("column", "stems", "more", "sentence"),
    [
        ("patient", ["P1"], b"", r"table\.csv has no column 'patient' \(it has: photo, lesion_id\)"),
        ("lesion_id", ["Q1"], b"", r"No column of table\.csv names the photos"),
        ("lesion_id", ["P1"], b"P1.jpg,L2\n", r"table\.csv gives P1 two of 'lesion_id', L1 and L2: keep one"),
        ("lesion_id", ["P1"], b"P2," + 200_000 * b"x", r"table\.csv cannot be read as a table \(field larger"),
        (
            "lesion_id",
            ["a/P1", "b/P1"],
            b"a/P1,L2\na\\P1.jpg,L3\n",
            r"gives P1 two of 'lesion_id', L2 and L3: keep one",
        ),
        ("lesion_id", ["P1"], b"P2,\x81\n", r"table\.csv is not text in UTF-8, UTF-16 or Windows-1252"),
    ],
)
def test_a_table_that_does_not_fit_is_named(
    tmp_path: Path, column: str, stems: list[str], more: bytes, sentence: str
) -> None:
    (tmp_path / "table.csv").write_bytes(b"photo,lesion_id\nP1,L1\n" + more)
    with pytest.raises(ImageSetError, match=sentence):
        column_by_photo(tmp_path / "table.csv", column, stems)


def test_a_row_belongs_to_the_photo_whose_folders_agree_with_it(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("photo,group\nx/a/1.jpg,A\nb\\1.jpg,B\n2.jpg,C\nc/3.jpg,D\nd/3.jpg,E\n")
    photos = ["/data/a/1", "/data/b/1", "/data/a/2", "/data/b/2", "/data/c/3"]
    assert column_by_photo(tmp_path / "table.csv", "group", photos) == {
        "/data/a/1": "A", "/data/b/1": "B", "/data/a/2": "C", "/data/b/2": "C", "/data/c/3": "D",
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"PK\x03\x04\x14\0", b"\xd0\xcf\x11\xe0\xa1\xb1"])
def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.xlsx").write_bytes(content + bytes(100))
    sentence = r"^table\.xlsx is a spreadsheet: save it as CSV in UTF-8, and name that file\.$"
    with pytest.raises(ImageSetError, match=sentence):
        column_by_photo(tmp_path / "table.xlsx", "group", ["P1"])
    table = SourceFile("table.xlsx", tmp_path / "table.xlsx")
    with pytest.raises(ImageSetError, match=sentence):
        read_diagnoses([table], table.place)
    with pytest.raises(
        ImageSetError, match=r"^No table of diagnoses found: .* table\.xlsx is a spreadsheet: save it as CSV\."
    ):
        read_diagnoses([table])


def test_two_columns_of_one_name_are_refused_unless_they_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("photo,group,note,group,,\nP1,A,x,A,,\nP2,B,y,B,1,2\n")
    assert column_by_photo(path, "group", ["P1", "P2"]) == {"P1": "A", "P2": "B"}
    path.write_text("photo,group,note,group\nP1,A,x,A\nP2,B,y,C\n")
    sentence = r"^table\.csv has two columns 'group', which differ \('B' and 'C' in one row\): remove or rename one\.$"
    with pytest.raises(ImageSetError, match=sentence):
        column_by_photo(path, "group", ["P1", "P2"])


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("image_id,dx,dx\nP1,mel,nv\n", r"^t\.csv has two columns 'dx', which differ \('mel' and 'nv' in one row\)"),
        ("image,MEL,NV,MEL\nP1,1,0,0\n", r"^t\.csv has two columns 'MEL', which differ \('1' and '0' in one row\)"),
        ("image_id,dx,DX\nP1,mel,nv\n", r"^t\.csv has the columns 'dx' and 'DX' of one name: remove or rename one"),
        ("image_id,dx,lesion id,Lesion_ID\nP1,mel,1,2\n", r"'lesion id' and 'Lesion_ID' of one name"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_two_columns_of_one_name_in_a_table_of_diagnoses_are_refused(
    tmp_path: Path, lines: str, sentence: str, named: bool
) -> None:
    (tmp_path / "t.csv").write_text(lines)
    table = SourceFile("t.csv", tmp_path / "t.csv")
    with pytest.raises(ImageSetError, match=sentence):
        read_diagnoses([table], table.place if named else None)


def test_an_unnamed_first_column_may_name_the_photos(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",group,\nP1,A,\nP2,B,\n")
    assert column_by_photo(tmp_path / "t.csv", "group", ["P1", "P2"]) == {"P1": "A", "P2": "B"}

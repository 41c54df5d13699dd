"""Sources: photos in folders and zips, read ahead but never all at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading import sources
from glimpse.prepare.reading.sources import (
    BrokenPhotoError,
    SourceFile,
    find_files,
    find_photos,
    hash_files,
    hash_of_all,
    in_order,
    unread_files,
)
from glimpse.workspace import Workspace

ELSEWHERE = Workspace.at("elsewhere")


def test_a_folder_and_a_zip_of_it_hold_the_same_photos(tmp_path: Path) -> None:
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    for name in ("b.JPG", "a.png", "deep/c.tif", "notes.txt", ".hidden.png"):
        (tmp_path / "folder" / name).write_bytes(name.encode())
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in (tmp_path / "folder").rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path / "folder"))
        archive.writestr("__MACOSX/._a.png", b"")
    in_folder, in_zip = find_photos([tmp_path / "folder"], ELSEWHERE), find_photos([tmp_path / "photos.zip"], ELSEWHERE)
    assert [f.name for f in in_folder] == [f.name for f in in_zip] == ["a.png", "b.JPG", "deep/c.tif"]
    assert [f.read() for f in in_folder] == [f.read() for f in in_zip]
    assert hash_of_all(hash_files(in_folder, 1)) == hash_of_all(hash_files(in_zip, 2))


def test_zips_lying_in_a_folder_are_looked_into(tmp_path: Path) -> None:
    for part in (1, 2):
        with zipfile.ZipFile(tmp_path / f"part_{part}.zip", "w") as archive:
            archive.writestr(f"P{part}.jpg", b"")
    assert [f.name for f in find_files([tmp_path])] == ["P1.jpg", "P2.jpg"]


def test_links_to_folders_are_followed_and_may_go_round(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(b"")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "photos")
    assert [f.name for f in find_files([tmp_path / "photos"])] == ["link/a.png"]


def test_a_pattern_stands_for_the_files_and_folders_that_it_matches(tmp_path: Path) -> None:
    for name in ("a/real/1.png", "a/fake/1.png", "b/fake/1.png", "b/fake/x[1].png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"an image")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.write(tmp_path / "a/real/1.png", "inside/1.png")

    def found(pattern: str) -> list[str]:
        return [file.name for file in find_files([tmp_path / pattern])]

    assert found("*/fake") == found("*/fake/*.png") == ["a/fake/1.png", "b/fake/1.png", "b/fake/x[1].png"]
    assert found("**/1.png") == ["a/fake/1.png", "a/real/1.png", "b/fake/1.png"]
    assert found("*.zip") == ["inside/1.png"]
    assert found("b/fake/x[1].png") == ["x[1].png"], "a file of that name"
    with pytest.raises(ImageSetError, match=r"\*/none does not exist: give a folder of photos or a zip\.$"):
        find_files([tmp_path / "*/none"])


def test_a_link_that_leads_nowhere_is_a_photo_that_cannot_be_read(tmp_path: Path) -> None:
    for name, target in (("dead.jpg", "/nowhere/at/all.jpg"), ("loop.jpg", "loop.jpg")):
        (tmp_path / name).symlink_to(target)
    dead, loop = find_photos([tmp_path], ELSEWHERE)
    assert (dead.name, loop.name) == ("dead.jpg", "loop.jpg")
    with pytest.raises(BrokenPhotoError) as error:
        dead.read()
    assert str(error.value) == (
        f"{tmp_path / 'dead.jpg'} cannot be read (No such file or directory): repair or remove it, or give "
        "--skip-broken."
    )


def test_files_that_glimpse_made_are_not_photos(tmp_path: Path) -> None:
    workspace = Workspace.at(tmp_path / "workspace")
    for folder in ("images", "images/healthy", "stimuli/healthy"):
        (workspace.root / folder).mkdir(parents=True, exist_ok=True)
        (workspace.root / folder / "a.png").write_bytes(b"")
    assert len(find_photos([tmp_path], workspace)) == 3
    for folder in ("images/healthy", "stimuli/healthy"):
        (workspace.root / folder / "manifest.json").write_text("{}")
    assert [photo.name for photo in find_photos([tmp_path], workspace)] == ["workspace/images/a.png"]


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ImageSetError, match=f"There is no photo in {tmp_path}"):
        find_photos([tmp_path], ELSEWHERE)


def test_images_without_their_ending_are_pointed_out(tmp_path: Path) -> None:
    (tmp_path / "IM000001").write_bytes(bytes(128) + b"DICM")  # as scanners export them
    with pytest.raises(ImageSetError, match=r"IM000001 looks like an image: .* such as \.jpg, or \.dcm for DICOM\.$"):
        find_photos([tmp_path], ELSEWHERE)


@pytest.mark.parametrize("inner", ["HAM10000_images_part_1.zip", "photos.tar.gz", "photos.7z"])
def test_an_archive_that_is_not_looked_into_is_pointed_out(tmp_path: Path, inner: str) -> None:
    with zipfile.ZipFile(tmp_path / "dataverse_files.zip", "w") as archive:
        archive.writestr(inner, b"")
    with pytest.raises(ImageSetError, match=rf"Unpack {inner} in {tmp_path}/dataverse_files\.zip first\.$"):
        find_photos([tmp_path], ELSEWHERE)


@pytest.mark.parametrize("content", [b"", b"half a zip"])
def test_a_damaged_zip_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photos.zip").write_bytes(content)
    with pytest.raises(ImageSetError, match=r"photos\.zip cannot be read as a zip"):
        find_photos([tmp_path], ELSEWHERE)


def test_a_folder_of_more_zips_than_files_may_be_open_is_read(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # which Windows lacks
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for i in range(200):
        with zipfile.ZipFile(tmp_path / f"person_{i:03}.zip", "w") as archive:
            archive.writestr(f"P{i}.jpg", str(i))
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 60, hard))
    try:
        photos = find_photos([tmp_path], ELSEWHERE)
        assert list(in_order(SourceFile.read, photos, 4)) == [photo.stem[1:].encode() for photo in photos]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not shutil.which("setpriv"), reason="root may read everything, unless setpriv takes that away")
@pytest.mark.parametrize(("shut", "sentence"), [
    ("photos/inner", "photos/inner cannot be read (Permission denied): make it readable"),
    ("photos/part.zip", "photos/part.zip cannot be read (Permission denied): make it readable"),
])  # fmt: skip
def test_a_place_that_may_not_be_read_is_named(tmp_path: Path, shut: str, sentence: str) -> None:
    (tmp_path / "photos" / "inner").mkdir(parents=True)
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "photos" / "part.zip", "w") as archive:
        archive.writestr("b.jpg", b"")
    (tmp_path / shut).chmod(0)
    rights = ["-dac_override,-dac_read_search"]
    powerless = ["setpriv", f"--bounding-set={rights[0]}", f"--inh-caps={rights[0]}"] if os.geteuid() == 0 else []
    command = [*powerless, sys.executable, "-m", "gan_core", "prepare", "hands", "photos"]
    try:
        said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    finally:
        (tmp_path / shut).chmod(0o700)
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert sentence in said.stderr


def test_what_looks_like_an_image_or_an_archive_but_is_not_read_is_listed(tmp_path: Path) -> None:
    for name in (
        "a.jpg",
        "b.HEIC",
        "c.dcm",
        "d.jfif",
        "notes.txt",
        "table.xlsx",
        "labels.csv",
        "IMG_2.dng",
        "e.PCX",
        "more.tar.gz",
    ):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
    (tmp_path / "IM-0001").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "no_ending").write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "readme").write_bytes(b"plain text")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("inner.zip", b"")
    assert [file.name for file in unread_files([tmp_path], ELSEWHERE)] == [
        "IM-0001", "IMG_2.dng", "e.PCX", "inner.zip", "more.tar.gz", "no_ending"
    ]  # fmt: skip


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_UNPACKED", (2**20, 100))
    monkeypatch.setattr(sources, "MOST_BYTES", 2**22)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(2**21))
        archive.writestr("dull.bmp", bytes(2**19))
        archive.writestr("large.tif", os.urandom(2**20) * 5)
    bomb, dull, large = find_photos([tmp_path], ELSEWHERE)
    assert len(dull.read()) == 2**19
    tracemalloc.start()
    for file in (bomb, large):
        with pytest.raises(BrokenPhotoError, match=r"(bomb\.png|large\.tif) in .* MB.* too large for a photo"):
            file.read()
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()
    (tmp_path / "huge.tif").write_bytes(b"")
    os.truncate(tmp_path / "huge.tif", 2**23)
    with pytest.raises(BrokenPhotoError, match=r"huge\.tif cannot be read"):
        SourceFile("huge.tif", tmp_path / "huge.tif").read()


def test_a_zip_that_states_too_small_a_size_is_not_unpacked_beyond_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(2**24))
    data = bytearray((tmp_path / "photos.zip").read_bytes())
    at = data.rindex(b"PK\1\2") + 24  # the size of the file in the zip's directory
    data[at : at + 4] = (1000).to_bytes(4, "little")
    (tmp_path / "photos.zip").write_bytes(data)
    (bomb,) = find_photos([tmp_path], ELSEWHERE)
    tracemalloc.start()
    with pytest.raises(BrokenPhotoError, match=r"bomb\.png in .* cannot be read \(Bad CRC-32"):
        bomb.read()
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_hidden_files_and_folders_are_not_searched(tmp_path: Path) -> None:
    for name in ("a.png", ".trash/b.png", ".trash/old.zip", "._part.zip", "@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no zip")
    assert [f.name for f in find_files([tmp_path])] == ["a.png"]


def test_a_file_name_that_is_not_utf8_is_reported(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / os.fsdecode(b"h\xe4nd.jpg")).write_bytes(b"")
    with pytest.raises(ImageSetError, match=r"The file name 'h\\udce4nd.jpg' is not UTF-8: rename it"):
        find_photos([tmp_path], workspace)


def test_a_missing_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageSetError, match="nowhere does not exist"):
        find_photos([tmp_path / "nowhere"], ELSEWHERE)


def test_a_damaged_file_in_a_zip_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.jpg", b"the pixels")
    data = (tmp_path / "photos.zip").read_bytes()
    (tmp_path / "photos.zip").write_bytes(data.replace(b"the pixels", b"the pixies"))
    with pytest.raises(BrokenPhotoError, match=r"a\.jpg in .*photos\.zip cannot be read"):
        find_photos([tmp_path / "photos.zip"], ELSEWHERE)[0].read()


@pytest.mark.parametrize("threads", [1, 3])
def test_results_keep_their_order_and_no_more_than_two_a_thread_are_under_way(threads: int) -> None:
    started, most_ahead, taken, lock = 0, 0, 0, threading.Lock()

    def work(item: int) -> int:
        nonlocal started, most_ahead
        with lock:
            started += 1
            most_ahead = max(most_ahead, started - taken)
        return item * item

    results = []
    for result in in_order(work, iter(range(50)), threads):
        taken += 1
        results.append(result)
    assert results == [item * item for item in range(50)]
    assert most_ahead <= 2 * threads + 1


def test_an_error_of_one_item_ends_the_work() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise BrokenPhotoError("three.jpg", "no")
        return item

    with pytest.raises(BrokenPhotoError, match=r"three\.jpg"):
        list(in_order(work, range(1000), 2))

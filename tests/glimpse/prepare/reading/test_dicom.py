"""DICOM: levels as a viewer shows them, one frame, and nothing of the patient."""

from __future__ import annotations

import contextlib
import io
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, SecondaryCaptureImageStorage

from glimpse.prepare.reading.pixels import Reading, read_photo, size_of
from glimpse.prepare.reading.sources import BrokenPhotoError, unread_files
from glimpse.workspace import Workspace

VALUES = np.tile(np.array([0, 1000, 2000, 4000], np.uint16), (6, 1))


def dicom(values: NDArray[Any], bits: int = 12, **elements: Any) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", Dataset(), file_meta=meta, preamble=bytes(128))
    dataset.PatientName, dataset.PatientID = "Doe^Jane", "4711"
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = 1 if values.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if values.ndim == 2 else "RGB"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = values.itemsize * 8, bits, bits - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset)
    return buffer.getvalue()


def levels(data: bytes, **how: Any) -> list[int]:
    return [int(value) for value in read_photo(data, "a.dcm", Reading(**how)).pixels[0, :, 0]]


WINDOW = {"WindowCenter": 2000, "WindowWidth": 2000}
RESCALE = {"RescaleSlope": 2, "RescaleIntercept": -1000}


@pytest.mark.parametrize(
    ("elements", "how", "expected"),
    [
        ({}, {}, [0, 62, 125, 249]),  # of 4095
        ({"PhotometricInterpretation": "MONOCHROME1"}, {}, [255, 193, 130, 6]),
        (WINDOW, {}, [0, 0, 128, 255]),
        ({**WINDOW, "PhotometricInterpretation": "MONOCHROME1"}, {}, [255, 255, 127, 0]),
        (
            {"WindowCenter": [2000, 40], "WindowWidth": [4000, 80], "VOILUTFunction": "LINEAR_EXACT"},
            {},
            [0, 64, 128, 255],
        ),
        ({"WindowCenter": 2000, "WindowWidth": 1000, "VOILUTFunction": "SIGMOID"}, {}, [0, 5, 128, 255]),
        ({**RESCALE, "WindowCenter": 3000, "WindowWidth": 4000}, {}, [0, 0, 128, 255]),  # -1000, 1000, 3000, 7000
        (RESCALE, {"window": (-1000.0, 3000.0)}, [0, 128, 255, 255]),
        (WINDOW, {"window": "auto"}, [0, 64, 128, 255]),
    ],
)  # fmt: skip
def test_grey_values_are_those_that_a_viewer_shows(
    elements: dict[str, Any], how: dict[str, Any], expected: list[int]
) -> None:
    found = levels(dicom(VALUES, **elements), **how)
    assert np.abs(np.array(found) - expected).max() <= 1, found


def test_signed_values_and_8_bits_and_colours() -> None:
    signed = (VALUES.astype(np.int16) - 2000).astype(np.int16)
    assert levels(dicom(signed, bits=12)) == [3, 65, 128, 252]  # -2048 to 2047
    grey = np.arange(24, dtype=np.uint8).reshape(6, 4)
    assert levels(dicom(grey, bits=8)) == [0, 1, 2, 3]
    rgb = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
    np.testing.assert_array_equal(read_photo(dicom(rgb, bits=8), "a").pixels, rgb)
    assert read_photo(dicom(VALUES // 20, bits=12), "a").remarks == {"small_range"}


def test_values_in_the_upper_bits_are_those_of_the_lower() -> None:
    assert levels(dicom(VALUES << 4, HighBit=15, **WINDOW)) == levels(dicom(VALUES, **WINDOW)) == [0, 0, 128, 255]
    assert levels(dicom(VALUES << 4 | 3, HighBit=15)) == [0, 62, 125, 249], "the bits below hold something else"
    signed = (VALUES.astype(np.int16) - 2000).astype(np.int16)
    assert levels(dicom(signed << 4, HighBit=15)) == [3, 65, 128, 252]


@pytest.mark.parametrize("empty", [("WindowCenter", "WindowWidth"), ("RescaleSlope", "RescaleIntercept")])
def test_empty_elements_are_as_if_left_out(empty: tuple[str, ...]) -> None:
    assert levels(dicom(VALUES, **dict.fromkeys(empty))) == levels(dicom(VALUES))


def test_a_window_without_width_is_none() -> None:
    assert levels(dicom(VALUES, WindowCenter=2000, WindowWidth=0)) == levels(dicom(VALUES))


def test_only_files_with_one_frame_are_read() -> None:
    data = dicom(np.tile(VALUES, (2, 1)), NumberOfFrames=2, Rows=6)
    with pytest.raises(BrokenPhotoError, match=r"a\.dcm cannot be read \(it has 2 frames, and only files with one"):
        read_photo(data, "a.dcm")
    with pytest.raises(BrokenPhotoError, match=r"a\.dcm cannot be read"):
        read_photo(dicom(VALUES)[:200], "a.dcm")


def test_what_pydicom_cannot_unpack_is_said_with_a_remedy() -> None:
    file = pydicom.dcmread(io.BytesIO(dicom(VALUES)))
    file.file_meta.TransferSyntaxUID = JPEGLSLossless
    file.PixelData = encapsulate([b"packed"])
    file["PixelData"].is_undefined_length = True
    packed = io.BytesIO()
    file.save_as(packed)
    if pydicom.pixels.get_decoder(JPEGLSLossless).is_available:
        pytest.skip("a decoder of JPEG-LS is installed")
    with pytest.raises(BrokenPhotoError, match=r"no decoder of JPEG-LS Lossless .* is installed; `pip install 'pylib"):
        read_photo(packed.getvalue(), "a.dcm")


def test_pylibjpeg_without_its_plugins_gets_the_same_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("libjpeg") is not None:
        pytest.skip("a decoder of 12-bit JPEG is installed")
    alone = ModuleType("pylibjpeg")
    alone.__spec__ = ModuleSpec("pylibjpeg", None)
    monkeypatch.setitem(sys.modules, "pylibjpeg", alone)
    path = pydicom.data.get_testdata_file("JPGExtended.dcm", download=False)
    with pytest.raises(BrokenPhotoError, match=r"12-bit precision; `pip install 'pylibjpeg\[all\]'`"):
        read_photo(Path(str(path)).read_bytes(), "a.dcm")


def test_a_report_without_pixels_is_named() -> None:
    file = pydicom.dcmread(io.BytesIO(dicom(VALUES)))
    del file.PixelData, file.Rows
    report = io.BytesIO()
    file.save_as(report)
    for read in (read_photo, size_of):
        with pytest.raises(BrokenPhotoError, match=r"a\.dcm cannot be read \(it holds no pixels\)"):
            read(report.getvalue(), "a.dcm")


def headless(data: bytes, *, implicit: bool = False, without: tuple[str, ...] = ()) -> bytes:
    """The elements of a file alone, as older programs write them."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.update(pydicom.dcmread(io.BytesIO(data)))
    for name in without:
        delattr(dataset, name)
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return buffer.getvalue()


@pytest.mark.parametrize("implicit", [False, True])
def test_a_file_without_preamble_is_read_as_with_it(tmp_path: Path, implicit: bool) -> None:
    data = dicom(VALUES, **WINDOW)
    bare = headless(data, implicit=implicit)
    assert b"DICM" not in bare
    for same in (bare, data[132:]):  # the second starts with the meta elements
        np.testing.assert_array_equal(read_photo(same, "a").pixels, read_photo(data, "a").pixels)
        assert size_of(same, "a.dcm") == (4, 6)
    (tmp_path / "IM_0001").write_bytes(bare)
    (tmp_path / "notes.bin").write_bytes(np.arange(8, 400, dtype=np.uint32).tobytes())
    assert [one.name for one in unread_files([tmp_path], Workspace(tmp_path / "w"))] == ["IM_0001"]


def test_a_file_that_lacks_what_describes_its_pixels_is_refused_in_a_sentence() -> None:
    data = dicom(VALUES)
    with pytest.raises(BrokenPhotoError, match=r"^a\.dcm cannot be read \(it lacks elements that .* pixels: BitsSto"):
        read_photo(headless(data, without=("BitsStored",)), "a.dcm")
    file = pydicom.dcmread(io.BytesIO(data))
    file.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    file["PixelData"].is_undefined_length = True
    file["PixelData"].VR = "OB"
    file.file_meta.TransferSyntaxUID = JPEGLSLossless
    buffer = io.BytesIO()
    file.save_as(buffer)
    with pytest.raises(BrokenPhotoError, match=r"pixels are compressed, and no header says how; export it again with"):
        read_photo(headless(buffer.getvalue()), "a.dcm")


def test_errors_name_nothing_of_the_patient() -> None:
    data = dicom(VALUES)
    assert b"Doe^Jane" in data
    said = []
    for end in range(132, len(data), 7):
        with contextlib.suppress(BrokenPhotoError):
            read_photo(data[:end], "a.dcm")
            continue
        with pytest.raises(BrokenPhotoError) as caught:
            read_photo(data[:end], "a.dcm")
        said.append(str(caught.value))
    assert said
    assert not [sentence for sentence in said if "Doe" in sentence or "4711" in sentence]


def test_the_size_is_in_the_header() -> None:
    assert size_of(dicom(VALUES), "a.dcm") == (4, 6)


@pytest.mark.skipif(find_spec("pylibjpeg") is not None, reason="pylibjpeg reads it")
def test_twelve_bits_in_jpeg_are_refused_with_what_would_read_them() -> None:
    file = Path(pydicom.__file__).parent / "data" / "test_files" / "JPGExtended.dcm"  # comes with pydicom
    with pytest.raises(BrokenPhotoError, match=r"12-bit precision; `pip install 'pylibjpeg\[all\]'` adds decoders"):
        read_photo(file.read_bytes(), "a.dcm")

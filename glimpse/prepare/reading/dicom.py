"""DICOM files of one frame: modality and window applied, as a viewer shows them. No text field is read."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.prepare.reading import depth
from glimpse.prepare.reading.sources import BrokenPhotoError

OPTIONAL = ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth")  # empty in some files: as if left out
NO_PIXELS = "it holds no pixels"
NEEDED = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PixelRepresentation",
    "PhotometricInterpretation",
)  # fmt: skip
DECODERS = "`pip install 'pylibjpeg[all]'` adds decoders of every compression, or save it uncompressed"


def decode_dicom(data: bytes, name: str, window: depth.Window | None) -> tuple[NDArray[np.uint8], bool]:
    """(H, W, 3) uint8, and whether grey values use a small part of their range.

    Grey values pass the modality table or rescale, then `window`, else the file's own window or table, else the full
    range of the stored bits; MONOCHROME1 is inverted. Raises BrokenPhotoError, also for several frames.
    """
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings of values that are not quite as the standard has them
        try:
            dataset = _dataset(data)
            _check(dataset, name)
            values = _values(dataset)
            if dataset.PhotometricInterpretation == "PALETTE COLOR":
                values = pydicom.pixels.apply_color_lut(values, dataset)
            if values.ndim == 3:
                top = 65535 if values.dtype == np.uint16 else 255
                if dataset.PhotometricInterpretation != "PALETTE COLOR":
                    top = 2**dataset.BitsStored - 1
                return depth.to_levels(values[..., :3], None, (0, top))[0], False
            levels, small = _grey(dataset, values, window)
        except BrokenPhotoError:
            raise
        except Exception as error:  # pydicom's plugins raise exceptions of any type for a damaged file
            refused = "Unable to decode as exceptions were raised by all available plugins: "
            line = _first_line(error)
            more = f"; {DECODERS}" if line.startswith(refused) and _lacks_plugins(dataset) else ""
            raise BrokenPhotoError(name, line.removeprefix(refused) + more) from None
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        levels = 255 - levels
    return np.repeat(levels[..., None], 3, 2), small


def size_of_dicom(data: bytes, name: str) -> tuple[int, int]:
    """Width and height, by the header. Raises BrokenPhotoError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = _dataset(data, stop_before_pixels=True)
            if "Rows" not in dataset or "Columns" not in dataset:
                raise BrokenPhotoError(name, NO_PIXELS)
            return int(dataset.Columns), int(dataset.Rows)
        except BrokenPhotoError:
            raise
        except Exception as error:
            raise BrokenPhotoError(name, _first_line(error)) from None


def _dataset(data: bytes, **how: Any) -> Any:
    """The elements of a file, without empty ones; one without a header is taken for uncompressed."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), force=True, **how)
    for field in (*NEEDED, *OPTIONAL):
        if field in dataset and dataset[field].is_empty:
            del dataset[field]
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian if implicit else pydicom.uid.ExplicitVRLittleEndian
        )
    return dataset


def _check(dataset: Any, name: str) -> None:
    import pydicom

    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise BrokenPhotoError(name, f"it has {frames} frames, and only files with one are read")
    if "PixelData" not in dataset:
        raise BrokenPhotoError(name, NO_PIXELS)
    if missing := [field for field in NEEDED if field not in dataset]:
        raise BrokenPhotoError(name, f"it lacks elements that describe its pixels: {', '.join(missing)}")
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset["PixelData"].is_undefined_length and not syntax.is_compressed:
        raise BrokenPhotoError(name, "its pixels are compressed, and no header says how; export it again with a header")
    if syntax.is_compressed and not pydicom.pixels.get_decoder(syntax).is_available:
        raise BrokenPhotoError(name, f"no decoder of {syntax.name} is installed; {DECODERS}")
    if int(dataset.Rows) * int(dataset.Columns) > 2 * (Image.MAX_IMAGE_PIXELS or 2**27):  # Pillow's own limit
        raise BrokenPhotoError(name, f"{dataset.Rows}x{dataset.Columns} pixels are too many")


def _values(dataset: Any) -> NDArray[Any]:
    """The stored values, YBR as RGB. Without compression they may lie in the upper bits, as HighBit says."""
    stored, end = int(dataset.BitsStored), int(dataset.get("HighBit") or 0) + 1
    if dataset.file_meta.TransferSyntaxUID.is_compressed or not stored < end <= int(dataset.BitsAllocated):
        return np.asarray(dataset.pixel_array)
    dataset.BitsStored = end  # pydicom takes the lowest bits, whatever HighBit says
    values = np.asarray(dataset.pixel_array) >> (end - stored)
    dataset.BitsStored = stored
    return values


def _lacks_plugins(dataset: Any) -> bool:
    """Whether pylibjpeg, or its plugin for this compression, is missing: the plugins are separate packages."""
    import pydicom

    missing = pydicom.pixels.get_decoder(dataset.file_meta.TransferSyntaxUID).missing_dependencies
    return any("pylibjpeg" in line for line in missing)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(".")


def _grey(dataset: Any, values: NDArray[Any], window: depth.Window | None) -> tuple[NDArray[np.uint8], bool]:
    from pydicom.pixels import apply_modality_lut, apply_voi

    signed = dataset.PixelRepresentation == 1
    bits = int(dataset.BitsStored) - signed
    ends = np.array([-(2**bits) if signed else 0, 2**bits - 1])
    shown = apply_modality_lut(values, dataset)
    low, high = sorted(float(end) for end in apply_modality_lut(ends.astype(values.dtype), dataset))
    if window is not None:
        return depth.to_levels(shown, window, (low, high))
    if "VOILUTSequence" in dataset:
        top = 2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
        return depth.to_levels(apply_voi(shown, dataset), None, (0, top))[0], False
    if "WindowCenter" in dataset and "WindowWidth" in dataset and _first(dataset.WindowWidth) > 0:
        return _windowed(dataset, shown.astype(np.float64)), False
    return depth.to_levels(shown, None, (low, high))


def _windowed(dataset: Any, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The values in the first window that the file names (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    centre, width = (_first(dataset[field].value) for field in ("WindowCenter", "WindowWidth"))
    function = dataset.get("VOILUTFunction") or "LINEAR"
    if function == "SIGMOID":
        share = 1 / (1 + np.exp(-4 * (values - centre) / width))
    elif function == "LINEAR_EXACT":
        share = (values - centre) / width + 0.5
    else:
        share = (values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5
    levels: NDArray[np.uint8] = (share.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return levels


def _first(value: Any) -> float:
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)

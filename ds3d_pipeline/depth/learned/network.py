"""A learned depth model: from a photo to relative disparity, by whatever ONNX file has that signature."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ds3d_pipeline.depth.learned.runtime import open_session, provider_of, runtime_errors
from ds3d_pipeline.depth.options import DepthOptions
from ds3d_pipeline.errors import StageError
from ds3d_pipeline.scene import Float32, UInt8

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
COLORS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation of colours in [0, 1], by the name of `DepthOptions.model_colors`."""
OTHER_MODEL = "Fetch the model again with `ds3d models fetch`, or name another in `depth_maps.model`."


class DepthNetwork:
    """One open model of signature (1, 3, H, W) pictures to one map of any leading 1s.

    Input name, number type and size are read from the file; colours and the output's meaning are options.
    """

    def __init__(self, path: Path, options: DepthOptions) -> None:
        """Opens the file. Raises StageError where it is no ONNX model or has another signature."""
        self._path, self._options = path, options
        try:
            self._session = open_session(path)
        except runtime_errors() as error:
            cause = f"{path} cannot be opened as an ONNX model ({_first_line(error)})."
            raise StageError(cause, OTHER_MODEL) from error
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if len(inputs) == 1 else None
        if shape is None or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            got = ", ".join(f"{value.name} {value.shape}" for value in inputs)
            raise StageError(f"{path} takes {got}, expected one picture (1, 3, H, W).", OTHER_MODEL)
        if inputs[0].type not in INPUT_TYPES:
            raise StageError(f"{path} takes {inputs[0].type}, expected floating point.", OTHER_MODEL)
        self._name, self._dtype = inputs[0].name, INPUT_TYPES[inputs[0].type]
        fixed = isinstance(shape[2], int) and isinstance(shape[3], int)
        self._fixed_wh = (int(shape[3]), int(shape[2])) if fixed else None

    @property
    def provider(self) -> str:
        """`CUDA` or `CPU`."""
        return provider_of(self._session)

    def disparity(self, photo: UInt8) -> Float32:
        """(h, w) relative disparity of a photo (H, W, 3) RGB, larger is nearer, of unknown scale and shift.

        The aspect is the photo's: a model of fixed size gets the photo with mirrored borders, which are cut
        off again. Raises StageError where the output is no map or not finite.
        """
        size_wh = self._inner_size(photo.shape[1], photo.shape[0])
        small = cv2.resize(photo, size_wh, interpolation=_interpolation(photo, size_wh))
        pad_x, pad_y = self._padding(size_wh)
        padded = cv2.copyMakeBorder(small, 0, pad_y, 0, pad_x, cv2.BORDER_REFLECT)
        found = self._run(normalised_colors(padded.astype(np.uint8), self._options.model_colors))
        rows = round(found.shape[0] * size_wh[1] / (size_wh[1] + pad_y))
        columns = round(found.shape[1] * size_wh[0] / (size_wh[0] + pad_x))
        found = found[:rows, :columns]
        return _inverse(found) if self._options.model_gives_depth else found

    def _inner_size(self, width: int, height: int) -> tuple[int, int]:
        if self._fixed_wh is None:
            return model_size(width, height, self._options.model_side_px, self._options.model_multiple_px)
        scale = min(self._fixed_wh[0] / width, self._fixed_wh[1] / height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _padding(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        if self._fixed_wh is None:
            return 0, 0
        return self._fixed_wh[0] - size_wh[0], self._fixed_wh[1] - size_wh[1]

    def _run(self, picture: Float32) -> Float32:
        try:
            found = self._session.run(None, {self._name: picture.astype(self._dtype)})[0]
        except runtime_errors() as error:
            raise StageError(f"{self._path} failed ({_first_line(error)}).", OTHER_MODEL) from error
        found = np.asarray(found)
        if found.ndim < 2 or min(found.shape[-2:]) < 2 or found.size != found.shape[-1] * found.shape[-2]:
            cause = f"{self._path} gives an output of shape {found.shape}, expected one depth map."
            raise StageError(cause, OTHER_MODEL)
        if not np.isfinite(found).all():
            raise StageError(f"{self._path} gives depth that is not finite.", OTHER_MODEL)
        return found.reshape(found.shape[-2:]).astype(np.float32)


def model_size(width: int, height: int, side_px: int, multiple_px: int) -> tuple[int, int]:
    """Width and height for the model: shorter side near `side_px`, aspect kept, in multiples."""
    scale = side_px / min(width, height)
    across, down = (max(1, round(side * scale / multiple_px)) * multiple_px for side in (width, height))
    return across, down


def normalised_colors(rgb: UInt8, colors: str) -> Float32:
    """(1, 3, H, W) of (H, W, 3) RGB: in [0, 1], less the mean, over the deviation."""
    mean, deviation = (np.array(values, np.float32) for values in COLORS[colors])
    planes = (rgb.astype(np.float32) / 255 - mean) / deviation
    return np.ascontiguousarray(planes.transpose(2, 0, 1)[None], np.float32)


def _interpolation(photo: UInt8, size_wh: tuple[int, int]) -> int:
    return cv2.INTER_AREA if size_wh[0] < photo.shape[1] else cv2.INTER_CUBIC


def _inverse(depth: Float32) -> Float32:
    """Disparity of depth; what is at or behind the camera counts as the nearest that is before it."""
    before = depth[depth > 0]
    nearest = before.min() if before.size else np.float32(1)
    return (1 / np.maximum(depth, nearest)).astype(np.float32)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

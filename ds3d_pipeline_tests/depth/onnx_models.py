"""Small ONNX files of the depth model's signature, each a known function of the picture."""

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ds3d_pipeline.depth.learned.network import normalised_colors

SIDES = ["height", "width"]
WEIGHTS = np.array([0.2, 0.5, 0.3], np.float32)


def weighted_colors(path: Path, sides=SIDES, name="pixel_values", offset=0.0) -> Path:
    """Disparity = 0.2 r + 0.5 g + 0.3 b of the normalised colours: (1, 3, H, W) to (1, H, W)."""
    weights = numpy_helper.from_array(WEIGHTS.reshape(1, 3, 1, 1), "weights")
    shift = numpy_helper.from_array(np.float32([offset]), "shift")
    axes = numpy_helper.from_array(np.int64([1]), "axes")
    nodes = [
        helper.make_node("Mul", [name, "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axes"], ["summed"], keepdims=0),
        helper.make_node("Add", ["summed", "shift"], ["predicted_depth"]),
    ]
    return save(path, nodes, [weights, shift, axes], name, [1, 3, *sides], [1, *sides])


def flattened(path: Path) -> Path:
    """A model that gives a list of numbers instead of a map."""
    axes = numpy_helper.from_array(np.int64([2, 3]), "axes")
    nodes = [helper.make_node("ReduceSum", ["pixel_values", "axes"], ["predicted_depth"], keepdims=0)]
    return save(path, nodes, [axes], "pixel_values", [1, 3, *SIDES], [1, 3])


def remembered(path: Path, photos, disparities) -> Path:
    """A model that knows the disparity (h, w) of some photos (h, w, 3) and tells that of the most alike.

    It compares means over blocks of the picture, so it knows its photos also after JPEG. It stands in for a
    learned model whose answers are known exactly.
    """
    height, width = disparities[0].shape
    block = min(height, width) // 8
    marks = np.array([block_means(photo, block).ravel() for photo in photos], np.float32)
    constants = [
        numpy_helper.from_array(marks, "marks"),
        numpy_helper.from_array(np.array(disparities, np.float32), "maps"),
        numpy_helper.from_array(np.int64([1]), "axes"),
    ]
    pool = {"kernel_shape": [block] * 2, "strides": [block] * 2}
    nodes = [
        helper.make_node("AveragePool", ["pixel_values"], ["means"], **pool),
        helper.make_node("Flatten", ["means"], ["mark"], axis=1),
        helper.make_node("Sub", ["marks", "mark"], ["difference"]),
        helper.make_node("Mul", ["difference", "difference"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "axes"], ["distances"], keepdims=0),
        helper.make_node("ArgMin", ["distances"], ["index"], axis=0, keepdims=1),
        helper.make_node("Gather", ["maps", "index"], ["predicted_depth"], axis=0),
    ]
    return save(path, nodes, constants, "pixel_values", [1, 3, height, width], [1, height, width])


def stand_in(path: Path, photos, depths, off=0.0) -> Path:
    """A model that knows the true depths (h, w) of the photos as disparity, exactly or but for `off`.

    Not exactly means as learned models err: soft edges, a bend of relative size `off` that differs from photo
    to photo, a response that is no straight line, and unknown scale and shift.
    """
    known = [np.divide(1, d, out=np.zeros(d.shape, np.float32), where=d > 0) for d in depths]
    return remembered(path, photos, [nearly(one, off, n) if off else one for n, one in enumerate(known)])


def nearly(disparity, off, seed):
    """What `stand_in` tells of one photo."""
    random = np.random.default_rng(seed)
    height, width = disparity.shape
    soft = cv2.GaussianBlur(disparity, (0, 0), 0.006 * width)
    hills = cv2.resize(
        random.normal(size=(4, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    bent = soft * (1 + off * hills)
    shares = (bent - bent.min()) / np.ptp(bent)
    bowed = shares ** random.uniform(0.8, 1.25)
    return (bowed * random.uniform(5, 10) + random.uniform(-2, 2)).astype(np.float32)


def block_means(photo, block):
    """(3, h, w) means over whole blocks of a photo (H, W, 3) in ImageNet's colours."""
    colors = normalised_colors(photo, "imagenet")[0]
    rows, columns = (side // block for side in photo.shape[:2])
    whole = colors[:, : rows * block, : columns * block]
    return whole.reshape(3, rows, block, columns, block).mean(axis=(2, 4))


def save(path, nodes, constants, name, shape_in, shape_out) -> Path:
    """Writes a graph of one input and one output."""
    graph = helper.make_graph(
        nodes,
        "depth",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("predicted_depth", TensorProto.FLOAT, shape_out)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path

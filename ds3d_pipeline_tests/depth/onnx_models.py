"""Small ONNX files of the depth model's signature, each a known function of the picture."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

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

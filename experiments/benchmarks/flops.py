"""Floating-point operations of a traced function: its convolutions and matrix products, a multiply-add being two."""

import math
from typing import Any

import tensorflow as tf

FuncGraph = Any  # what `tf.types.experimental.ConcreteFunction.graph` is


def count_flops(graph: FuncGraph) -> int:
    """What one run of a graph costs; what lies in branches of conditions is not counted.

    Raises:
      ValueError: a convolution or matrix product whose shapes are not known.
    """
    return sum(_COUNTS[operation.type](operation) for operation in _run_by(graph) if operation.type in _COUNTS)


def _run_by(graph: FuncGraph) -> set[tf.Operation]:
    """What the outputs need: gradients that nobody asked for are in the graph, too."""
    waiting = [*(output.op for output in graph.outputs), *graph.control_outputs]
    found: set[tf.Operation] = set()
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
    return found


def _convolution(operation: tf.Operation) -> int:
    return 2 * _places(operation.outputs[0]) * _size(operation.inputs[1])


def _count_map_gradient(operation: tf.Operation) -> int:
    return 2 * _places(operation.inputs[2]) * _size(operation.inputs[1])


def _count_kernel_gradient(operation: tf.Operation) -> int:
    return 2 * _places(operation.inputs[2]) * _size(operation.outputs[0])


def _matrix_product(operation: tf.Operation) -> int:
    inner = operation.inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
    if inner is None:
        raise ValueError(f"{operation.name} has unknown shapes")
    return 2 * _size(operation.outputs[0]) * inner


def _places(maps: tf.Tensor) -> int:
    """B * H * W of feature maps [B, H, W, C]."""
    return _size(maps) // maps.shape[-1]


def _size(tensor: tf.Tensor) -> int:
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"{tensor.name} has the unknown shape {tensor.shape}")
    return math.prod(tensor.shape)


_COUNTS = {
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _count_map_gradient,
    "Conv2DBackpropFilter": _count_kernel_gradient,
    "MatMul": _matrix_product,
}

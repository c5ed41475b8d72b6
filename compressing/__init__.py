"""Makes networks small: any Keras model in, a sparse, a narrow or a coarsely rounded one out.

It knows layers and their kernels, and nothing of what a network is for.
"""

from .channels import inherit_channels, narrow_channels, prune_channels
from .decoders import (
    FIRST_GRID,
    JoinedPatches,
    PlaceBias,
    build_grid_network,
    build_small_decoder,
    count_channels,
    count_grids,
    draw_on_grids,
)
from .kernels import find_kernels
from .pruning import MagnitudePruning, measure_sparsity, sparsify
from .rounding import Grid, KernelRounding, find_grid, find_plain_grid, round_kernels

__all__ = [
    "FIRST_GRID",
    "Grid",
    "JoinedPatches",
    "KernelRounding",
    "MagnitudePruning",
    "PlaceBias",
    "build_grid_network",
    "build_small_decoder",
    "count_channels",
    "count_grids",
    "draw_on_grids",
    "find_grid",
    "find_kernels",
    "find_plain_grid",
    "inherit_channels",
    "measure_sparsity",
    "narrow_channels",
    "prune_channels",
    "round_kernels",
    "sparsify",
]

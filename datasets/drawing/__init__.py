"""How a drawn face is painted: its factors and shape, the canvas, and a module for each group of layers."""

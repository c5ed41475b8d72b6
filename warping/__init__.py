"""Faces warped onto each other by their landmarks: pictures and points in, pictures out, by NumPy and SciPy alone."""

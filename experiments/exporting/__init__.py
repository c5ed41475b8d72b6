"""Keras networks as files that other runtimes run, each held to the original: one file for a format."""

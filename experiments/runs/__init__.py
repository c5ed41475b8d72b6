"""The run folder: what a training leaves, and what every other command reads."""

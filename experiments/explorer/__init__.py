"""The page and the widgets in which a person plays with a model."""

"""Photographs of faces: read as a model takes them, or cut out into a folder of crops."""

"""facezoo: a Keras model zoo of face autoencoders. Public names load on first use, so `import facezoo` is instant."""

__version__ = "0.1.0"

"""`python -m facezoo` is `facezoo`."""

from .experiments.cli import main

if __name__ == "__main__":
    main()

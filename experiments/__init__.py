"""Command lines: flags, files, strategies. Imports everything, is imported by nothing."""

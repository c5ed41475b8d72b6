"""Trained models as files and pages that suffice by themselves, without facezoo."""

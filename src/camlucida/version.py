"""The version, in one place: pyproject reads it, provenance quotes it."""

__version__ = "0.1.0"

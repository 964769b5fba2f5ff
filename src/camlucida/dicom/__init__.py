"""DICOM files in: pixels, windows, geometry and identity. Knows nothing of models."""

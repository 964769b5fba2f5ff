"""DICOM objects that carry predictions and maps: valid, with provenance, and the same whenever written."""

"""Phantoms: drawn chest radiographs and CT-like volumes whose truth is known. Never a patient."""

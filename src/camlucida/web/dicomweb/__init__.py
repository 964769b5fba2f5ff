"""DICOMweb: studies and results searched, retrieved and stored over HTTP (DICOM PS3.18)."""

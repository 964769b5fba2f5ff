"""Studies arrive, results leave: DIMSE, DICOMweb clients, a watched folder, rules. No torch."""

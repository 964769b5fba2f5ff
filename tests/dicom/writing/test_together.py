"""All objects that can be written of a study, side by side with their sources."""

from camlucida.dicom.writing import (
    fractional_segmentation,
    key_object,
    parametric_map,
    presentation_state,
    secondary_capture,
    segmentation,
    structured_report,
)
from dicom.validation import inconsistencies

WRITERS = (
    secondary_capture.write,
    structured_report.write,
    key_object.write,
    parametric_map.write,
    parametric_map.write_on_source_grid,
    segmentation.write,
    fractional_segmentation.write,
    presentation_state.write,
)


def test_they_agree_on_patient_study_series_and_frame_of_reference(case, saved):
    written = [dataset for write in WRITERS for dataset in write(case.material)]
    assert inconsistencies(saved(written), case.paths) == []
    assert len({dataset.SOPInstanceUID for dataset in written}) == len(written)
    series = {(dataset.SeriesInstanceUID, int(dataset.SeriesNumber)) for dataset in written}
    assert len({uid for uid, _ in series}) == len({number for _, number in series}) == len(series)

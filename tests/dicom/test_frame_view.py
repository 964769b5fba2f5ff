from pydicom.dataset import Dataset

from camlucida.dicom.frame_view import frame_view


def macro(sequence, **elements):
    inner, outer = Dataset(), Dataset()
    for keyword, value in elements.items():
        setattr(inner, keyword, value)
    setattr(outer, sequence, [inner])
    return outer


def test_the_own_group_wins_over_the_shared_one_and_that_over_the_root():
    dataset = Dataset()
    dataset.RescaleSlope = 1
    assert frame_view(dataset, 0).RescaleSlope == 1
    sequence = "PixelValueTransformationSequence"
    dataset.SharedFunctionalGroupsSequence = [macro(sequence, RescaleSlope=2)]
    assert frame_view(dataset, 0).RescaleSlope == 2
    dataset.PerFrameFunctionalGroupsSequence = [Dataset(), macro(sequence, RescaleSlope=3)]
    assert [frame_view(dataset, frame).RescaleSlope for frame in range(3)] == [2, 3, 2]


def test_only_what_describes_a_frame_is_taken():
    dataset = Dataset()
    dataset.PatientName = "Doe^Jane"
    dataset.Modality = "MR"
    assert [element.keyword for element in frame_view(dataset, 0)] == ["Modality"]


def test_an_empty_group_is_no_group():
    dataset = Dataset()
    dataset.SharedFunctionalGroupsSequence = []
    empty = Dataset()
    empty.PlanePositionSequence = []
    dataset.PerFrameFunctionalGroupsSequence = [empty]
    assert len(frame_view(dataset, 0)) == 0

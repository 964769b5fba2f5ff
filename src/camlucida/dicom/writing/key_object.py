"""Key Object Selection: "look here", a list of the images that matter (PS3.3 A.35.4, PS3.16 TID 2010).

It refers to the source's image of each shown finding, of a volume to the slice with most evidence, and to the
Secondary Captures of the shown findings: it is sent together with them.
"""

from collections.abc import Sequence

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.uid import SecondaryCaptureImageStorage

from camlucida.dicom.writing.derived import (
    KEY_OBJECT,
    MANUFACTURER,
    SECONDARY_CAPTURE,
    bare,
    finish,
    object_uid,
)
from camlucida.dicom.writing.material import Material, indices, selection
from camlucida.dicom.writing.secondary_capture import instance_uid, shown_frame
from camlucida.dicom.writing.structured_report import observer
from camlucida.records.method_name import spelling
from camlucida.rendering.legend import NOTICE


def write(material: Material, findings: Sequence[int] | None = None) -> list[Dataset]:
    """The selection, one data set; none where no finding is shown: then there is nothing to look at."""
    chosen = sorted(set(indices(material.explanation, findings)))
    if not chosen:
        return []
    words = selection(material.explanation, chosen)
    frames = _frames(material, chosen)
    sources = {str(source.SOPInstanceUID): bare(source) for source in material.sources}
    objects = [*(sources[uid] for uid in frames), *(_capture(material, index) for index in chosen)]
    content = KeyObjectSelection(
        document_title=standard.DCM.OfInterest,
        referenced_objects=objects,
        observer_device_context=observer(material),
        description=_description(material, chosen),
    )
    _name_frames(content, frames)
    dataset = KeyObjectSelectionDocument(
        evidence=objects,
        content=content,
        series_instance_uid=material.uid("series", KEY_OBJECT.word),
        series_number=KEY_OBJECT.series_number,
        sop_instance_uid=object_uid(material, KEY_OBJECT, *words),
        instance_number=1,
        manufacturer=MANUFACTURER,
    )
    return [finish(dataset, material, KEY_OBJECT, *words)]


def _frames(material: Material, chosen: Sequence[int]) -> dict[str, list[int]]:
    """SOP Instance UIDs of the sources with evidence, and which frames of them (none: there is but one)."""
    saliency_map, frames = material.explanation.saliency_map, dict[str, list[int]]()
    for index in chosen:
        if len(material.image.space) == 3 and not saliency_map.supported(index):
            continue  # no slice is a better place to look than another
        (source, number), _ = shown_frame(material, index)
        named = frames.setdefault(str(source.SOPInstanceUID), [])
        if number is not None and number not in named:
            named.append(number)
    return frames


def _capture(material: Material, index: int) -> Dataset:
    """The Secondary Capture of a finding, as far as others refer to it."""
    capture = bare(material.first)
    capture.SOPClassUID = SecondaryCaptureImageStorage
    capture.SeriesInstanceUID = material.uid("series", SECONDARY_CAPTURE.word)
    capture.SOPInstanceUID = instance_uid(material, index)
    return capture


def _name_frames(content: KeyObjectSelection, frames: dict[str, list[int]]) -> None:
    """Which frames of multi-frame images are meant; highdicom means all of them."""
    for item in content[0].ContentSequence:
        for reference in item.get("ReferencedSOPSequence", []):
            named = frames.get(str(reference.ReferencedSOPInstanceUID))
            if named:
                reference.ReferencedFrameNumber = named


def _description(material: Material, chosen: Sequence[int]) -> str:
    explanation = material.explanation
    labels = ", ".join(explanation.saliency_map.label(index) for index in chosen)
    method = spelling(explanation.saliency_map.method)
    model = f"{explanation.provenance.model_name} {explanation.provenance.model_version}"
    return f"Evidence for {labels} by {method} of {model}. {NOTICE}"

"""From computed maps to records: prediction, map with its residual, trust report, provenance."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import Tensor

from camlucida.models.card import Phantoms, Task
from camlucida.models.cut import Logits
from camlucida.models.runtimes.fast import Eager, Fast
from camlucida.records.explanation import Explanation
from camlucida.records.image import FileFormat, Image
from camlucida.records.prediction import Prediction
from camlucida.records.provenance import Provenance
from camlucida.records.saliency_map import SaliencyMap
from camlucida.saliency import trust
from camlucida.saliency.asked import ChosenMethod, Question
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.recording import Recording
from camlucida.saliency.subject import Subject
from camlucida.version import __version__

LOOKS_LIKE_PROBABILITIES = (
    "All outputs lie between 0 and 1: if they are probabilities, point at the logits before them "
    "(logits=…), or a sure finding will have a blank map."
)
SCALAR = (
    "The output is a number, not a finding's logit: values are in its unit, and their sign says which way a "
    "place moves it, not whether the place argues for a finding."
)
NOT_FOR_PATIENTS = (
    "This model was trained on phantoms, and the image is of a patient: what it says of it is worth nothing."
)
BEFORE_ACTIVATION = "The values add up to the number before the network's final {}."


def assemble(
    subject: Subject,
    recording: Recording,
    maps: Tensor,
    chosen: ChosenMethod,
    question: Question,
    sample: int,
    seconds: float,
) -> Explanation:
    """The records of one image.

    Parameters
    ----------
    maps
        Of this image: (finding, *grid), float32.
    sample
        The image's place in the batch.
    seconds
        Wall-clock time that prediction and maps took, without the checks.
    """
    prediction = _prediction(subject, recording, question, sample)
    saliency_map = _saliency_map(subject, recording, maps, prediction, chosen, sample)
    provenance = _provenance(subject, recording, chosen, sample, seconds)
    report = trust.report(
        saliency_map,
        chosen.method,
        subject.proof,
        tuple(_cautions(subject, recording, question, sample)),
        image=subject.images[sample] if subject.images else None,
        checked=_checked(subject, recording, saliency_map, chosen, question, provenance, sample),
    )
    return Explanation(prediction, saliency_map, report, provenance)


def _checked(
    subject: Subject,
    recording: Recording,
    saliency_map: SaliencyMap,
    chosen: ChosenMethod,
    question: Question,
    provenance: Provenance,
    sample: int,
) -> dict[str, Sequence[Any]]:
    """The dear parts of the trust report, as far as they are asked for."""
    examined = trust.Examined(
        recording, sample, chosen.key, chosen.method, chosen.variant, saliency_map.values
    )
    found = trust.checked(question.checks, examined, question.progress)
    if question.prior is None:
        return found
    image = subject.image(sample)
    shown = image if isinstance(image, Image) else image()
    return found | trust.compared(saliency_map, shown, provenance, question.prior)


def _is_scalar(subject: Subject, question: Question) -> bool:
    """Whether the outputs are no logits: the model's card says so, or, of a bare network, the caller."""
    return question.scalar if subject.model is None else subject.model.card.task is Task.REGRESSION


def _cautions(subject: Subject, recording: Recording, question: Question, sample: int) -> Iterator[str]:
    output = recording.output
    if _beyond_its_phantoms(subject, sample):
        yield NOT_FOR_PATIENTS
    if _is_scalar(subject, question):
        yield SCALAR
        if output.activation is not None:
            yield BEFORE_ACTIVATION.format(output.activation)
    elif output.looks_like_probabilities and (subject.model is None or recording.logits.shape[1] > 1):
        # One logit of one image often lies there; a model was tried on several when it was loaded.
        yield LOOKS_LIKE_PROBABILITIES
    if recording.runtime.caution:
        yield recording.runtime.caution
    yield from recording.remarks


def _beyond_its_phantoms(subject: Subject, sample: int) -> bool:
    """Whether a model of phantoms looks at a patient; only DICOM files say what they show."""
    if subject.model is None or subject.model.card.phantoms is not Phantoms.ONLY or not subject.images:
        return False
    source = subject.images[sample].source
    return source.format is FileFormat.DICOM and not source.phantom


def _prediction(subject: Subject, recording: Recording, question: Question, sample: int) -> Prediction:
    logits = recording.logits[sample].double()
    if subject.model is not None:
        return subject.model.prediction(logits.tolist())
    softmax = recording.output.activation == "softmax"
    probabilities = logits.softmax(dim=0) if softmax else logits.sigmoid()
    if question.scalar:
        probabilities = torch.full_like(logits, torch.nan)
    return Prediction(subject.findings(len(logits)), tuple(logits.tolist()), tuple(probabilities.tolist()))


def _saliency_map(
    subject: Subject,
    recording: Recording,
    maps: Tensor,
    prediction: Prediction,
    chosen: ChosenMethod,
    sample: int,
) -> SaliencyMap:
    """Maps (finding, *grid) as a record, with what they leave unexplained."""
    one = slice(sample, sample + 1)
    logits = recording.scores(recording.logits[one], sample)[0].double()
    bias = _start(recording, chosen, sample).double()
    residual = logits - bias - maps.double().flatten(1).sum(dim=1)
    return SaliencyMap(
        findings=tuple(prediction.findings[number].name for number in recording.findings),
        values=np.ascontiguousarray(maps.cpu().numpy()),
        logits=tuple(logits.tolist()),
        bias=tuple(bias.tolist()),
        residual=tuple(residual.tolist()),
        method=chosen.key,
        target_layer=_layer(subject, chosen),
        geometry=subject.geometry(tuple(maps.shape[1:]), sample),
        unit=chosen.method.unit,
        contrasts=_contrasts(recording, prediction, sample),
    )


def _start(recording: Recording, chosen: ChosenMethod, sample: int) -> Tensor:
    """The targets' values (target,) to which the map is added: a silent target layer's, or a baseline's."""
    if chosen.method.start is not None:
        return chosen.method.start(recording, chosen.variant, sample)
    return recording.scores(recording.bias[sample : sample + 1], sample)[0]


def _layer(subject: Subject, chosen: ChosenMethod) -> str:
    """Where the map's values belong: at the target layer, or at the network's input."""
    return "input" if chosen.method.at_input else subject.cut.name


def _contrasts(recording: Recording, prediction: Prediction, sample: int) -> tuple[str, ...]:
    if recording.contrast is None:
        return ()
    others = recording.contrast.others(recording.logits, recording.findings)[sample]
    return tuple(prediction.findings[number].name for number in others.tolist())


def _target(logits: Logits | None, contrast: Contrast | None) -> str:
    """What was differentiated: in the adapter's words, if it has any, and what it was held against."""
    own = str(getattr(logits, "description", "logit"))
    if contrast is None:
        return own
    return contrast.description if own == "logit" else f"{own}: {contrast.description}"


def _provenance(
    subject: Subject, recording: Recording, chosen: ChosenMethod, sample: int, seconds: float
) -> Provenance:
    model = subject.model
    return Provenance(
        pixel_digest=subject.pixel_digest(sample),
        preprocessing_digest=model.card.preparation.digest if model else "",
        model_digest=model.digest if model else "",  # a bare network has not been registered
        model_name=model.card.name if model else type(subject.network).__name__,
        model_version=model.card.version if model else "",
        method=chosen.key,
        method_variant=chosen.variant,
        target_layer=_layer(subject, chosen),
        target=_target(subject.logits, recording.contrast),
        library_version=__version__,
        torch_version=torch.__version__,
        precision=_precision(subject, recording.runtime),
        device=subject.inputs.device.type,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        seconds=round(seconds, 4),
        runtime=recording.runtime.runtime,
        runtime_reason=recording.runtime.reason,
    )


def _precision(subject: Subject, runtime: Fast | Eager) -> str:
    if isinstance(runtime, Fast):
        return runtime.precision
    return str(subject.inputs.dtype).removeprefix("torch.")

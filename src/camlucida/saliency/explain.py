"""`camlucida.explain`: from a model and an image to a visual explanation."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import index
from typing import SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import NoTargetLayer, UnknownFinding, UnknownMethod, UnsupportedNetwork
from camlucida.models.classifier import Classifier
from camlucida.models.cut import Logits
from camlucida.records.explanation import Explanation
from camlucida.records.finding import Finding
from camlucida.records.image import Image
from camlucida.records.prediction import Prediction
from camlucida.records.provenance import Provenance
from camlucida.records.saliency_map import SaliencyMap
from camlucida.saliency import trust
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.methods import find_method
from camlucida.saliency.recording import Recording
from camlucida.saliency.subject import Subject, of_classifier, of_network
from camlucida.saliency.visual_explanation import VisualExplanation
from camlucida.version import __version__

FindingChoice = SupportsIndex | str | Sequence[SupportsIndex | str] | None

LOOKS_LIKE_PROBABILITIES = (
    "All outputs lie between 0 and 1: if they are probabilities, point at the logits before them "
    "(logits=…), or a sure finding will have a blank map."
)


def explain(
    model: Classifier | nn.Module,
    image: Image | Tensor | NDArray[np.float32],
    *,
    method: str = "grad-cam",
    variant: str | None = None,
    finding: FindingChoice = None,
    contrast: SupportsIndex | str | Contrast | None = None,
    target_layer: str | None = None,
    logits: Logits | None = None,
    scalar: bool = False,
    progress: Progress | None = None,
) -> VisualExplanation:
    """Explain a model's findings on one image.

    Parameters
    ----------
    model
        A model from `camlucida.load_model`, or any `torch.nn.Module`. It is left as it was found.
    image
        For a loaded model an image from `camlucida.read_image`; for a bare network the prepared tensor,
        (channel, *space) or (1, channel, *space), with two or three axes of space.
    method
        A key of `camlucida.METHODS`; `variant` picks one where the paper leaves a choice.
    finding
        Name or number of a finding, several of them, or None for all.
    contrast
        Another finding, by name or number: explains why the one rather than the other, y_c - y_d (Finer-CAM).
        A `Contrast` says how strongly.
    target_layer
        Path of the layer that carries the maps; found by itself when None.
    logits
        For networks that return something else: takes what the network returns, gives (batch, finding).
    scalar
        Says that you know that the output is no finding's logit (a regression) and want it explained.
    progress
        Called with (done, of how many) by methods that take many passes.

    Returns
    -------
    VisualExplanation
        `.values` (finding, *space), float32 logits on the native grid, `.logits`, `.bias`, `.residual`
        (finding,), `.method`, `.target_layer`, `.save(folder)`, `.overlay(finding)`.

    Raises
    ------
    UnknownMethod, UnknownFinding, NoTargetLayer, UnsupportedNetwork, UnsuitableImage
        With a sentence that says what to do.
    """
    started = time.perf_counter()
    key, known = find_method(method)
    chosen = _variant(known, variant)
    if isinstance(model, Classifier):
        subject = of_classifier(model, image, target_layer, scalar=scalar)
    else:
        subject = of_network(model, image, target_layer, logits)
    recording = _record(subject, finding, _contrast(subject, known, contrast))
    maps = known.compute(recording, variant=chosen, progress=progress)[0].detach().float()
    _refuse_what_is_not_finite(recording, maps)
    prediction = _prediction(subject, recording)
    saliency_map = _saliency_map(subject, recording, maps, prediction, key, known)
    cautions = [LOOKS_LIKE_PROBABILITIES] if recording.output.looks_like_probabilities else []
    explanation = Explanation(
        prediction=prediction,
        saliency_map=saliency_map,
        trust=trust.report(saliency_map, known, subject.proof, cautions),
        provenance=_provenance(subject, recording.contrast, key, chosen, started),
    )
    return VisualExplanation(explanation, subject.image)


def _variant(method: Method, variant: str | None) -> str:
    if variant is None:
        return method.variants[0]
    if variant not in method.variants:
        variants = ", ".join(filter(None, method.variants)) or "none"
        raise UnknownMethod(f"{method.name} has no variant “{variant}”; it has: {variants}.")
    return variant


def _contrast(
    subject: Subject, method: Method, contrast: SupportsIndex | str | Contrast | None
) -> Contrast | None:
    if contrast is None:
        return Contrast() if method.contrastive else None
    if isinstance(contrast, Contrast):
        return contrast
    return Contrast(_index(contrast, subject.findings(subject.cut.findings)))


def _record(subject: Subject, finding: FindingChoice, contrast: Contrast | None) -> Recording:
    every = subject.findings(subject.cut.findings)
    findings = _indices(finding, every)
    if finding is None and contrast is not None and contrast.other is not None:
        findings = tuple(index for index in findings if index != contrast.other)
    try:
        return Recording(subject.network, subject.inputs, subject.cut, findings, subject.logits, contrast)
    except NoTargetLayer:
        subject.forget_cut()
        raise


def _refuse_what_is_not_finite(recording: Recording, maps: Tensor) -> None:
    for what, values in (("logits", recording.logits), ("maps", maps)):
        if not torch.isfinite(values).all():
            raise UnsupportedNetwork(
                f"The {what} of this image are not finite (nan or inf) in {recording.activations.dtype}; "
                "look for damaged weights, or compute in float32."
            )


def _indices(finding: FindingChoice, findings: Sequence[Finding]) -> tuple[int, ...]:
    if finding is None:
        return tuple(range(len(findings)))
    chosen = [finding] if isinstance(finding, str | SupportsIndex) else list(finding)
    if not chosen:
        raise UnknownFinding("No finding was asked for; leave `finding` out to explain all of them.")
    return tuple(_index(one, findings) for one in chosen)


def _index(finding: SupportsIndex | str, findings: Sequence[Finding]) -> int:
    names = [known.name.casefold() for known in findings]
    if isinstance(finding, str) and finding.casefold() in names:
        return names.index(finding.casefold())
    if not isinstance(finding, str) and 0 <= index(finding) < len(names):
        return index(finding)
    known = ", ".join(finding.name for finding in findings)
    raise UnknownFinding(f"The model has no finding “{finding}”; it has: {known}.")


def _prediction(subject: Subject, recording: Recording) -> Prediction:
    logits = recording.logits[0].double()
    if subject.model is not None:
        return subject.model.prediction(logits.tolist())
    softmax = recording.output.activation == "softmax"
    probabilities = logits.softmax(dim=0) if softmax else logits.sigmoid()
    return Prediction(subject.findings(len(logits)), tuple(logits.tolist()), tuple(probabilities.tolist()))


def _saliency_map(
    subject: Subject, recording: Recording, maps: Tensor, prediction: Prediction, key: str, method: Method
) -> SaliencyMap:
    """Maps (finding, *grid) as a record, with what they leave unexplained."""
    logits, bias = (recording.scores(rows)[0].double() for rows in (recording.logits, recording.bias))
    residual = logits - bias - maps.double().flatten(1).sum(dim=1)
    return SaliencyMap(
        findings=tuple(prediction.findings[number].name for number in recording.findings),
        values=np.ascontiguousarray(maps.cpu().numpy()),
        logits=tuple(logits.tolist()),
        bias=tuple(bias.tolist()),
        residual=tuple(residual.tolist()),
        method=key,
        target_layer=subject.cut.name,
        geometry=subject.geometry(tuple(maps.shape[1:])),
        unit=method.unit,
        contrasts=_contrasts(recording, prediction),
    )


def _contrasts(recording: Recording, prediction: Prediction) -> tuple[str, ...]:
    if recording.contrast is None:
        return ()
    others = recording.contrast.others(recording.logits, recording.findings)[0]
    return tuple(prediction.findings[number].name for number in others.tolist())


def _provenance(
    subject: Subject, contrast: Contrast | None, method: str, variant: str, started: float
) -> Provenance:
    model = subject.model
    return Provenance(
        pixel_digest=subject.pixel_digest(),
        preprocessing_digest=model.card.preparation.digest if model else "",
        model_digest=model.digest if model else "",  # a bare network has not been registered
        model_name=model.card.name if model else type(subject.network).__name__,
        model_version=model.card.version if model else "",
        method=method,
        method_variant=variant,
        target_layer=subject.cut.name,
        target="logit" if contrast is None else contrast.description,
        library_version=__version__,
        torch_version=torch.__version__,
        precision=str(subject.inputs.dtype).removeprefix("torch."),
        device=subject.inputs.device.type,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        seconds=round(time.perf_counter() - started, 4),
    )

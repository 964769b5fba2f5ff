"""`camlucida.explain`: from a model and an image to a visual explanation."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import NoTargetLayer, UnsupportedNetwork
from camlucida.models.classifier import Classifier
from camlucida.models.cut import Logits
from camlucida.records.image import Image
from camlucida.saliency.asked import (
    ChosenMethod,
    ContrastChoice,
    FindingChoice,
    Layer,
    LayerChoice,
    Question,
    choose_contrast,
    choose_findings,
    choose_layers,
    choose_method,
    refuse_checks,
)
from camlucida.saliency.assembling import assemble
from camlucida.saliency.fusion import fused
from camlucida.saliency.known_networks import admitted, known
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.running import running
from camlucida.saliency.subject import Subject, as_one, of_classifier, of_network, of_several
from camlucida.saliency.visual_explanation import VisualExplanation

Images = Sequence[Image] | Tensor | NDArray[np.float32]


def explain(
    model: Classifier | nn.Module,
    image: Image | Tensor | NDArray[np.float32],
    *,
    method: str = "grad-cam",
    variant: str | None = None,
    finding: FindingChoice = None,
    contrast: ContrastChoice = None,
    target_layer: LayerChoice = None,
    logits: Logits | None = None,
    scalar: bool = False,
    progress: Progress | None = None,
    runtime: str | None = None,
    checks: str | Sequence[str] = (),
    prior: VisualExplanation | None = None,
) -> VisualExplanation:
    """Explain a model's findings on one image.

    Parameters
    ----------
    model
        A model from `camlucida.load_model`, or any `torch.nn.Module`. It is left as it was found. Threads
        may explain the same network: they wait for each other.
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
        Path of the layer that carries the maps; found by itself when None. Several of them are fused into one
        map by LayerCAM's rule. A `Cut` from `camlucida.models.target_layer.candidates` does as well.
    logits
        For networks that return something else: takes what the network returns, gives (batch, finding). For
        segmentations and detections see `camlucida.models.targets`.
    scalar
        Says that you know that the output is no finding's logit (a regression) and want it explained.
    progress
        Called with (done, of how many) by methods and checks that take many passes.
    runtime
        Where the part before the target layer runs: "eager" (torch), "onnxruntime", "openvino", "inductor",
        or "auto" for the quickest; None takes the setting CAMLUCIDA_RUNTIME. float32 unless another
        precision is asked for ("openvino:bfloat16"). Refused where its maps are not those of torch.
    checks
        Dear parts of the trust report: "causal", "stability", "agreement", several of them, or "all".
    prior
        The explanation of the prior study, by the same model and method: the trust report says how far this
        map is from that one.

    Returns
    -------
    VisualExplanation
        `.values` (finding, *space), float32 logits on the native grid, `.logits`, `.bias`, `.residual`
        (finding,), `.method`, `.target_layer`, `.save(folder)`, `.overlay(finding)`.

    Raises
    ------
    UnknownMethod, UnknownFinding, NoTargetLayer, UnsupportedNetwork, UnsuitableImage, UnknownCheck
        With a sentence that says what to do.
    UnsuitableRuntime, MissingExtra
        The network cannot be run in the runtime that was asked for, or it is not installed.
    IncomparablePrior
        The prior's map is of another model, method or finding.
    """
    question = Question(
        method=method,
        variant=variant,
        finding=finding,
        contrast=contrast,
        target_layer=target_layer,
        logits=logits,
        scalar=scalar,
        progress=progress,
        runtime=runtime,
        checks=checks,
        prior=prior,
    )
    images = [image] if isinstance(model, Classifier) else as_one(admitted(model), image)
    (explanation,) = _explain(model, images, question)
    return explanation


def explain_batch(model: Classifier | nn.Module, images: Images, **question: Any) -> list[VisualExplanation]:
    """Explain a model's findings on several images, with one forward pass for all of them.

    Parameters
    ----------
    images
        For a loaded model a list of images from `camlucida.read_image`; for a bare network the prepared
        tensor, (batch, channel, *space).
    question
        The keywords of `explain`; they hold for every image.

    Returns
    -------
    list[VisualExplanation]
        One for each image, in their order, as `explain` gives them one by one (to rounding). Of the time
        taken each has its share.

    Raises
    ------
    UnsuitableImage, UnsupportedNetwork
        An image is refused, or gives values that are not finite; the message begins with its number, counted
        from 0. It is all or nothing: then none is explained.
    """
    return _explain(model, images, Question(**question))


def _explain(model: Classifier | nn.Module, images: Any, question: Question) -> list[VisualExplanation]:
    started = time.perf_counter()
    chosen = choose_method(question.method, question.variant)
    layer, *more = layers = choose_layers(question.target_layer, chosen)
    if more:
        refuse_checks(question)
        each = [_explain(model, images, replace(question, target_layer=one)) for one in layers]
        return [fused(parts, chosen.method) for parts in zip(*each, strict=True)]
    network = admitted(model.module if isinstance(model, Classifier) else model)
    with known(network).alone:
        subject = _subject(model, network, images, layer, question)
        recording = _record(subject, question, chosen.method)
        return _of_recording(subject, recording, chosen, question, started)


def explain_by_each(
    model: Classifier, images: Sequence[Image], methods: Sequence[str], **question: Any
) -> tuple[dict[str, list[VisualExplanation]], Tensor]:
    """Explain a model's findings on several images by several methods, with one forward pass for all.

    Parameters
    ----------
    question
        The keywords of `explain` but `method`, `variant` and `target_layer`; they hold for every method.

    Returns
    -------
    explanations, activations
        By the method's key, for each image in their order; and the target layer's (image, channel, *grid).

    Raises
    ------
    UnsuitableImage, UnsupportedNetwork
        As in `explain_batch`.
    """
    asked = Question(**question)
    network = admitted(model.module)
    with known(network).alone:
        subject = _subject(model, network, images, None, asked)
        chosen = [choose_method(name, None) for name in methods]
        recording = _record(subject, asked, chosen[0].method)
        explanations = {}
        for one in chosen:
            recording.remarks.clear()
            explanations[one.key] = _of_recording(subject, recording, one, asked, time.perf_counter())
        return explanations, recording.activations


def _of_recording(
    subject: Subject, recording: Recording, chosen: ChosenMethod, question: Question, started: float
) -> list[VisualExplanation]:
    """One method's explanation of each image."""
    maps = chosen.method.compute(recording, variant=chosen.variant, progress=question.progress)
    maps = maps.detach().float()
    _refuse_what_is_not_finite(recording, maps)
    share = (time.perf_counter() - started) / len(maps)
    explanations = [
        assemble(subject, recording, own, chosen, question, sample, share) for sample, own in enumerate(maps)
    ]
    return [
        VisualExplanation(explanation, subject.image(sample))
        for sample, explanation in enumerate(explanations)
    ]


def _subject(
    model: Classifier | nn.Module, network: nn.Module, images: Any, layer: Layer, question: Question
) -> Subject:
    if isinstance(model, Classifier):
        return of_classifier(model, network, images, layer, scalar=question.scalar)
    return of_network(network, images, layer, question.logits)


def _record(subject: Subject, question: Question, method: Method) -> Recording:
    every = subject.findings(subject.cut.findings)
    contrast = choose_contrast(question.contrast, method, every)
    findings = choose_findings(question.finding, contrast, every)
    try:
        return Recording(
            subject.network,
            subject.inputs,
            subject.cut,
            findings,
            subject.logits,
            contrast,
            training=subject.training,
            runtime=running(subject, question.runtime),
        )
    except NoTargetLayer:
        subject.forget_cut()
        raise


def _refuse_what_is_not_finite(recording: Recording, maps: Tensor) -> None:
    if torch.isfinite(recording.logits.sum() + maps.sum()):  # not finite when any value is not
        return
    for what, values in (("logits", recording.logits), ("maps", maps)):
        finite = torch.isfinite(values.flatten(1)).all(dim=1)
        if not finite.all():
            sample = int(finite.int().argmin())
            raise UnsupportedNetwork(
                f"{of_several(sample, len(maps))}The {what} of this image are not finite (nan or inf) in "
                f"{recording.activations.dtype}; look for damaged weights, or compute in float32."
            )

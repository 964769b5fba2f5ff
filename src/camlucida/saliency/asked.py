"""What is asked of a network: which method, which findings, and what they are held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import TYPE_CHECKING, SupportsIndex

from camlucida.errors import UnknownCheck, UnknownFinding, UnknownMethod
from camlucida.models.cut import Cut, Logits
from camlucida.records.finding import Finding
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.methods import find_method

if TYPE_CHECKING:
    from camlucida.saliency.visual_explanation import VisualExplanation

FindingChoice = SupportsIndex | str | Sequence[SupportsIndex | str] | None
ContrastChoice = SupportsIndex | str | Contrast | None
Layer = str | Cut | None
LayerChoice = Layer | Sequence[str | Cut]

FUSED = "layercam"
"""The method whose maps of several layers are fused: its paper alone says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The keywords of `camlucida.explain`, which says what each means."""

    method: str = "grad-cam"
    variant: str | None = None
    finding: FindingChoice = None
    contrast: ContrastChoice = None
    target_layer: LayerChoice = None
    logits: Logits | None = None
    scalar: bool = False
    progress: Progress | None = None
    runtime: str | None = None
    checks: str | Sequence[str] = ()
    prior: "VisualExplanation | None" = None


@dataclass(frozen=True, slots=True)
class ChosenMethod:
    """A method, its key in METHODS, and the variant that is computed."""

    key: str
    method: Method
    variant: str


def choose_method(name: str, variant: str | None) -> ChosenMethod:
    """The method of this name; its first variant where none is named.

    Raises
    ------
    UnknownMethod
        There is no such method, or it has no such variant.
    """
    key, method = find_method(name)
    if variant is not None and variant not in method.variants:
        variants = ", ".join(filter(None, method.variants))
        cure = f"it has: {variants}" if variants else "it has no variants, so leave it out"
        raise UnknownMethod(f"{method.name} has no variant “{variant}”; {cure}.")
    return ChosenMethod(key, method, method.variants[0] if variant is None else variant)


def choose_layers(layers: LayerChoice, chosen: ChosenMethod) -> tuple[Layer, ...]:
    """The target layers, one or more; None is the one that is found by itself.

    Raises
    ------
    UnknownMethod
        Several layers, and a method whose maps are not made to be fused.
    """
    several = (layers,) if layers is None or isinstance(layers, str | Cut) else tuple(layers) or (None,)
    if len(several) > 1 and chosen.key != FUSED:
        raise UnknownMethod(
            f"Maps of several layers are fused for LayerCAM alone, whose paper says how; take it, or one "
            f"layer. `camlucida layers` shows the maps of {chosen.method.name} side by side."
        )
    return several


def refuse_checks(question: Question) -> None:
    """Refuse checks of a map that is fused of several layers: it cannot be made again from one recording.

    Raises
    ------
    UnknownCheck
        Checks or a prior are asked for.
    """
    if question.checks or question.prior is not None:
        raise UnknownCheck(
            "Checks and the distance to a prior are of one layer's map; name one target layer, or leave them "
            "out."
        )


def choose_contrast(contrast: ContrastChoice, method: Method, findings: Sequence[Finding]) -> Contrast | None:
    """What the findings are held against; a contrastive method takes the nearest logit by itself.

    Raises
    ------
    UnknownFinding
        The model has no such finding, or no other one.
    """
    if contrast is None:
        return Contrast() if method.contrastive else None
    if len(findings) < 2:
        raise UnknownFinding("A contrast needs another finding, and the model has only one.")
    if isinstance(contrast, Contrast):
        return contrast
    return Contrast(_index(contrast, findings))


def choose_findings(
    finding: FindingChoice, contrast: Contrast | None, findings: Sequence[Finding]
) -> tuple[int, ...]:
    """Indices of the findings that get a map; of all, the one that they are held against is left out.

    Raises
    ------
    UnknownFinding
        The model has no such finding, or none was asked for.
    """
    if finding is None:
        every = range(len(findings))
        return tuple(every) if contrast is None else tuple(one for one in every if one != contrast.other)
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

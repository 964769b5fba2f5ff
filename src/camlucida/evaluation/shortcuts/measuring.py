"""What is measured of each case for `camlucida shortcuts`, while its image is in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.measures import Better, Measure, Topic
from camlucida.evaluation.shortcuts.contribution import contribution, dilated, reach, share_of_support
from camlucida.evaluation.shortcuts.removal import effects
from camlucida.evaluation.shortcuts.zones import TOUCHED, ZONES, Filling, Found, Zone, found_on
from camlucida.records import Measurement
from camlucida.rendering.body import body
from camlucida.rendering.upsample import resample

EFFECT, CONTRIBUTION, SHARE = "shortcut.effect", "shortcut.contribution", "shortcut.share"
SCORE, PROBE = "shortcut.score", "shortcut.probe"
AUC_WITHOUT_BODY, AUC_WITHOUT_REGION = "shortcut.auc-without-body", "shortcut.auc-without-region"
BODYLESS, REGIONLESS = "shortcut.logit-without-body", "shortcut.logit-without-region"

_PEARL = "Pearl, Causality, 2009, chapter 3; filled in after Gortler, SIGGRAPH 1996, section 3.4"
_DRAELOS = "Draelos and Carin, arXiv 2011.08891"
_SOURGET = "Sourget et al., Mask of truth, arXiv 2412.04030"


def key(measure: str, zone: str) -> str:
    """The key of a zone's measure: "shortcut.effect.corners"."""
    return f"{measure}.{zone}"


def measures_of(zone: Zone) -> tuple[Measure, ...]:
    """The four measures of a zone; those of the user's own zones are not in the catalogue."""
    return (
        Measure(
            key(SCORE, zone.key),
            f"Reliance on {zone.title}",
            Topic.SHORTCUT,
            Better.LOWER,
            "Twice the standard deviation of the zone's effect over the films: what a thing that half of "
            "them have adds to the logit. What it adds to all alike does not count.",
            "Defined here; its false alarms are measured on planted networks",
            "logits",
        ),
        Measure(
            key(EFFECT, zone.key),
            f"Effect of {zone.title}",
            Topic.SHORTCUT,
            Better.NEITHER,
            "By how much the logit falls when the zone is filled in: what it does to the network. 0 where "
            "the image has none.",
            _PEARL,
            "logits",
        ),
        Measure(
            key(CONTRIBUTION, zone.key),
            f"Contribution of {zone.title}",
            Topic.SHORTCUT,
            Better.NEITHER,
            "Sum of the signed map over the zone, dilated by the receptive field's reach; it holds what "
            "stands near the zone, too.",
            _DRAELOS,
            "logits",
        ),
        Measure(
            key(SHARE, zone.key),
            f"Share of the evidence in {zone.title}",
            Topic.SHORTCUT,
            Better.LOWER,
            "What of the supporting evidence lies in the zone. A share is no effect: a map can be clean and "
            "the network not.",
            "Counted on native cells by the area that lies in the zone",
        ),
    )


MEASURES: tuple[Measure, ...] = (
    *(measure for zone in ZONES.values() for measure in measures_of(zone)),
    Measure(
        PROBE,
        "What a probe reads in the features",
        Topic.SHORTCUT,
        Better.NEITHER,
        "AUC of a linear probe of a column's group in the pooled features, by cases of other patients. That "
        "it can be read does not say that the network uses it.",
        "Alain and Bengio, arXiv 1610.01644",
    ),
    Measure(
        AUC_WITHOUT_BODY,
        "AUC without the body",
        Topic.SHORTCUT,
        Better.NEITHER,
        "The AUC when the whole body is filled in: 0.5 where nothing is told from around it.",
        _SOURGET,
    ),
    Measure(
        AUC_WITHOUT_REGION,
        "AUC without the annotated region",
        Topic.SHORTCUT,
        Better.LOWER,
        "The AUC when what readers marked is filled in; cases without the finding are as they were.",
        _SOURGET,
    ),
    Measure(
        BODYLESS,
        "Logit without the body",
        Topic.SHORTCUT,
        Better.NEITHER,
        "The logit when the whole body is filled in: its AUC should be near 0.5. The body's outline is left, "
        "and may tell a little of the patient.",
        _SOURGET,
        "logits",
    ),
    Measure(
        REGIONLESS,
        "Logit without the annotated region",
        Topic.SHORTCUT,
        Better.NEITHER,
        "The logit when what the reader marked is filled in. A finding that is still reported is seen "
        "elsewhere: beyond the mark, or by a shortcut.",
        _SOURGET,
        "logits",
    ),
)


@dataclass
class ZoneMeasuring:
    """Measures of every finding in every zone of one case; a `Measuring`.

    `method` is the key of the maps that contributions and shares are summed up from. The receptive field's
    reach is tried once for each model.
    """

    method: str = "hirescam"
    zones: Mapping[str, Zone] = field(default_factory=lambda: ZONES)
    _reach: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, seen: Seen) -> Iterator[Measurement]:
        """Effect, contribution and share of each finding in each zone, and the logits without the body."""
        found = found_on(seen.image, self.zones)
        findings = [finding.name for finding in seen.model.card.findings]
        yield from self._effects(seen, found, findings)
        for one in found:
            yield from self._of_maps(seen, one)
        yield from _without_the_truth(seen, findings)

    def _effects(self, seen: Seen, found: list[Found], findings: list[str]) -> Iterator[Measurement]:
        regions = [one.on_input(seen.prepared) for one in found]
        added = effects(seen, regions, [one.zone.filling for one in found])
        here = {one.zone.key: row for one, row in zip(found, added, strict=True)}
        nothing = np.zeros(len(findings))
        for zone in self.zones.values():
            for finding, value in zip(findings, here.get(zone.key, nothing), strict=True):
                yield Measurement(seen.name, finding, "", key(EFFECT, zone.key), float(value))

    def _of_maps(self, seen: Seen, found: Found) -> Iterator[Measurement]:
        maps = seen.maps.get(self.method)
        if maps is None:
            return
        weights = found.share_of_cells(maps.geometry)
        wide = dilated(weights, self._reach_of(seen))
        for finding in maps.findings:
            values = seen.values(self.method, finding)
            total, share = contribution(values, wide), share_of_support(values, weights)
            name = found.zone.key
            yield Measurement(seen.name, finding, self.method, key(CONTRIBUTION, name), total)
            yield Measurement(seen.name, finding, self.method, key(SHARE, name), share)

    def _reach_of(self, seen: Seen) -> int:
        digest = seen.model.digest
        if digest not in self._reach:
            self._reach[digest] = reach(seen.model, self.method)
        return self._reach[digest]


def _without_the_truth(seen: Seen, findings: list[str]) -> Iterator[Measurement]:
    """Logits of all findings without the body, and of an annotated finding without what was marked."""
    in_body = _body_on_input(seen)
    marked: dict[str, NDArray[np.bool_]] = {}
    for one in seen.annotations:  # a finding may be marked at several places
        marked[one.finding] = _on_input(seen, one.inside) | marked.get(one.finding, np.False_)
    regions = [*([] if in_body is None else [in_body]), *marked.values()]
    if not regions:
        return
    fillings = [Filling.SURROUNDINGS] * len(regions)
    left = seen.score(seen.inputs)[0] - effects(seen, regions, fillings)
    if in_body is not None:
        for finding, value in zip(findings, left[0], strict=True):
            yield Measurement(seen.name, finding, "", BODYLESS, float(value))
    for finding, values in zip(marked, left[len(left) - len(marked) :], strict=True):
        if finding in findings:
            yield Measurement(seen.name, finding, "", REGIONLESS, float(values[findings.index(finding)]))


def _body_on_input(seen: Seen) -> NDArray[np.bool_] | None:
    found = body(seen.image)
    if found.mask is None:
        return None
    to_mask = np.linalg.inv(found.mask_to_pixel) @ seen.prepared.input_to_pixel
    return resample(found.mask, to_mask, seen.prepared.values.shape[1:], antialias=True) > TOUCHED


def _on_input(seen: Seen, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    size = seen.prepared.values.shape[1:]
    return resample(inside, seen.prepared.input_to_pixel, size, antialias=True) > TOUCHED

"""The measures of localisation: whether a map's support lies where a reader marked the finding."""

from camlucida.evaluation.measures import Better, Measure, Topic

SHARE = "localisation.share-inside"
HIT = "localisation.hit"
HIT_WITHIN_CELL = "localisation.hit-within-cell"
MARKS_REACHED = "localisation.marks-reached"
CENTRE_DISTANCE = "localisation.centre-distance"
CENTRE_DISTANCE_PIXELS = "localisation.centre-distance-pixels"
PEAK_DISTANCE = "localisation.peak-distance"
PEAK_DISTANCE_PIXELS = "localisation.peak-distance-pixels"
IOU_OTSU = "localisation.iou-otsu"
AUPRC = "localisation.auprc"
AUROC = "localisation.auroc"
RANK_ACCURACY = "localisation.rank-accuracy"
SUPPORTED = "localisation.supported"

LEVELS = (25, 50, 75)
"""Percent of the way from a map's lowest to its highest value from which a pixel counts as shown."""


def iou_at(level: int) -> str:
    """The key of the IoU at a fixed level, in percent."""
    return f"localisation.iou-{level}"


def _measure(
    key: str, title: str, sentence: str, source: str, better: Better = Better.HIGHER, **kept: str | int
) -> Measure:
    return Measure(key, title, Topic.LOCALISATION, better, sentence, source, **kept)  # type: ignore[arg-type]


def _distance(key: str, title: str, sentence: str, source: str, unit: str) -> Measure:
    digits = 1 if unit == "mm" else 0
    return _measure(key, title, sentence, source, Better.LOWER, unit=unit, digits=digits)


_CHEXLOCALIZE = "Saporta et al., Nature Machine Intelligence 2022, Methods"
_NO_SPACING = " For images without pixel spacing; comparable only where all have the same number of pixels."

MEASURES: tuple[Measure, ...] = (
    _measure(
        SHARE,
        "Evidence inside",
        "The share of the supporting evidence that lies inside what was marked. A small finding cannot reach "
        "1 on a coarse grid; a map that lights everything has the share of the image that is marked.",
        "Arras et al., Information Fusion 2022, relevance mass accuracy",
    ),
    _measure(
        HIT,
        "Hit",
        "1 if the map's highest pixel is inside what was marked, else 0. Strict: a coarse map misses a small "
        "finding by half a cell, and is not wrong for it. A map without support hits nothing.",
        "Zhang et al., International Journal of Computer Vision 2018, pointing game; as " + _CHEXLOCALIZE,
    ),
    _measure(
        HIT_WITHIN_CELL,
        "Hit within one cell",
        "1 if anything marked lies within one native cell of the map's highest pixel, along each axis, "
        "else 0.",
        "Zhang et al., International Journal of Computer Vision 2018, with a tolerance of 15 pixels",
    ),
    _measure(
        MARKS_REACHED,
        "Marks reached",
        "Of several marks of one finding, the share in which some pixel has at least half of the map's "
        "highest value. A hit asks for one of them only.",
        "defined here",
    ),
    _distance(
        CENTRE_DISTANCE,
        "Distance of the centres",
        "From the centre of the supporting evidence to the centre of all that was marked. On both sides of "
        "the body the centre lies between, where nothing is: read it beside the distance of the peak.",
        "defined here",
        "mm",
    ),
    _distance(
        CENTRE_DISTANCE_PIXELS,
        "Distance of the centres",
        "The distance of the centres in pixels." + _NO_SPACING,
        "defined here",
        "pixels",
    ),
    _distance(
        PEAK_DISTANCE,
        "Distance of the peak",
        "From the middle of the cell with most evidence to the nearest marked pixel; 0 inside.",
        "defined here",
        "mm",
    ),
    _distance(
        PEAK_DISTANCE_PIXELS,
        "Distance of the peak",
        "The distance of the peak in pixels." + _NO_SPACING,
        "defined here",
        "pixels",
    ),
    _measure(
        IOU_OTSU,
        "IoU at Otsu's level",
        "Overlap over union of what was marked and what the map shows above Otsu's level. Otsu's level is "
        "the map's own, so that a faint map and a strong one show as much. A box holds more than the "
        "finding: no map that is right reaches 1.",
        _CHEXLOCALIZE + "; Otsu, IEEE Transactions on Systems, Man, and Cybernetics 1979",
    ),
    *(
        _measure(
            iou_at(level),
            f"IoU at {level} %",
            f"Overlap over union of what was marked and what the map shows above {level} % of the way from "
            "its lowest to its highest value.",
            _CHEXLOCALIZE + ", with a level that is the same for all maps",
        )
        for level in LEVELS
    ),
    _measure(
        AUPRC,
        "AUPRC",
        "Area under the precision-recall curve of the map's pixels, marked against not marked, over all "
        "levels. Its chance grows with the marked share of the image: compare it only where that is alike.",
        "Arun et al., Radiology: Artificial Intelligence 2021, utility",
        digits=3,
    ),
    _measure(
        AUROC,
        "AUROC of pixels",
        "How often a marked pixel has more support than one that is not marked; ties count half. It flatters "
        "where little is marked, as nearly all of the image is easily told apart.",
        "Fawcett, Pattern Recognition Letters 2006, on pixels",
    ),
    _measure(
        RANK_ACCURACY,
        "Rank accuracy",
        "Of the pixels with most support, as many as are marked: the share that is marked.",
        "Arras et al., Information Fusion 2022, relevance rank accuracy",
        digits=3,
    ),
    _measure(
        SUPPORTED,
        "Has support",
        "1 if any cell argues for the finding, else 0. Where none does, share, overlap and distances are not "
        "defined and left out of their means: read them beside this.",
        "defined here",
    ),
)

"""Measures of localisation, each held to a slow copy of its paper and to cases that are counted by hand."""

import cv2
import numpy as np
import pytest
import torch
from sklearn import metrics

import camlucida
from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.localization import chance_of, localization, measure_localization, measures
from camlucida.evaluation.localization.chance import (
    expected_distance,
    expected_overlap,
    expected_precision,
    expected_reach,
)
from camlucida.evaluation.localization.marked import grid, marked, support_on
from camlucida.evaluation.localization.pointing import widened
from camlucida.evaluation.localization.ranking import ranking
from camlucida.evaluation.localization.rivals import centre_gaussian, sobel
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images.prepare import Preparation, prepare
from camlucida.records import Annotation, Geometry, Image
from camlucida.records.annotation import AnnotationKind
from camlucida.records.geometry import resizing, scaling


def whole(native, pixels, spacing=None):
    """The network saw the whole image, stretched."""
    return Geometry(native, pixels, resizing(pixels, native), spacing)


def box(shape, *edges):
    inside = np.zeros(shape, np.bool_)
    inside[tuple(slice(low, high) for low, high in edges)] = True
    return inside


def marks(*insides, kind=AnnotationKind.MASK):
    return marked([Annotation("A", kind, inside) for inside in insides], "A")


@pytest.fixture
def values():
    """A signed map of 5 × 7 cells."""
    return np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)


PIXELS = (61, 47)
AREA = box(PIXELS, (20, 41), (11, 30))


def enlarged(values, pixels=PIXELS):
    """As CheXlocalize enlarges: torch's bilinear interpolation of what argues for the finding."""
    support = torch.from_numpy(values).clamp(min=0)[None, None]
    return torch.nn.functional.interpolate(support, size=pixels, mode="bilinear", align_corners=False)[
        0, 0
    ].numpy()


def test_the_share_is_that_of_the_enlarged_support(values):
    shown = enlarged(values)
    inside = sum(shown[row, column] for row in range(61) for column in range(47) if AREA[row, column])
    found = localization(values, whole((5, 7), PIXELS), marks(AREA))
    assert found[measures.SHARE] == pytest.approx(inside / shown.sum(), rel=1e-5)


def chexlocalize(values, area):
    """Saporta et al.: minimum to maximum as uint8, OpenCV's Otsu, and the argmax; as their code does it."""
    shown = enlarged(values, area.shape)
    grey = np.uint8(255 * (shown - shown.min()) / (shown - shown.min()).max())
    segmentation = cv2.threshold(grey, 0, int(grey.max()), cv2.THRESH_OTSU)[1] > 0
    if not segmentation.sum() or not area.sum():
        return None, 0.0
    overlap = (segmentation & area).sum() / (segmentation | area).sum()
    return overlap, float(area[np.unravel_index(shown.argmax(), shown.shape)])


@pytest.mark.parametrize("seed", range(8))
def test_iou_and_hit_are_those_of_chexlocalize(seed):
    random = np.random.default_rng(seed)
    values = random.gamma(0.3, size=(7, 7)).astype(np.float32) - 0.1
    (top, left), (bottom, right) = np.sort(random.integers(0, PIXELS, (2, 2)), axis=0)
    area = box(PIXELS, (top, bottom + 1), (left, right + 1))
    found = localization(values, whole((7, 7), PIXELS), marks(area))
    overlap, hit = chexlocalize(values, area)
    assert found[measures.IOU_OTSU] == pytest.approx(overlap, abs=2e-3)  # a pixel at the edge of a level
    assert found[measures.HIT] == hit


@pytest.mark.parametrize("level", measures.LEVELS)
def test_iou_at_a_fixed_level_counts_what_is_above_it(values, level):
    shown = enlarged(values)
    above = (shown - shown.min()) / (shown.max() - shown.min()) > level / 100
    found = localization(values, whole((5, 7), PIXELS), marks(AREA))
    expected = (above & AREA).sum() / (above | AREA).sum()
    assert found[measures.iou_at(level)] == pytest.approx(expected, abs=0.01)  # 256 levels


def test_ranking_is_that_of_scikit_learn_with_ties():
    random = np.random.default_rng(1)
    for _ in range(5):
        support = random.integers(0, 6, (9, 11)).astype(np.float32)
        area = random.random((9, 11)) < 0.2
        found = ranking(support, area)
        flat = area.ravel(), support.ravel()
        assert found.auprc == pytest.approx(metrics.average_precision_score(*flat))
        assert found.auroc == pytest.approx(metrics.roc_auc_score(*flat))


def test_of_pixels_that_tie_for_the_last_places_a_share_is_taken():
    support = np.array([[3, 1, 1, 1, 1, 0]], np.float32)
    area = np.array([[1, 1, 1, 0, 0, 0]], np.bool_)
    # One place is sure; two of the three others are among four pixels, of which two are marked: half of them.
    assert ranking(support, area).rank_accuracy == pytest.approx((1 + 2 * 2 / 4) / 3)


def test_a_map_that_is_the_mark_reaches_the_best_of_everything():
    area = box((16, 16), (4, 9), (6, 12))
    found = localization(area.astype(np.float32), whole((16, 16), (16, 16), (0.5, 2.0)), marks(area))
    lowest = {measures.CENTRE_DISTANCE, measures.PEAK_DISTANCE}
    assert {key for key, value in found.items() if value == pytest.approx(0)} == lowest
    assert all(value == pytest.approx(1) for key, value in found.items() if key not in lowest)


def test_what_argues_against_a_finding_is_not_evidence():
    """All support inside, the strongest value of all outside and negative."""
    area, values = box((8, 8), (0, 4), (0, 4)), np.zeros((8, 8), np.float32)
    values[2, 2], values[6, 6] = 1, -9
    found = localization(values, whole((8, 8), (8, 8)), marks(area))
    assert found[measures.SHARE] == 1
    assert found[measures.HIT] == 1
    assert found[measures.CENTRE_DISTANCE_PIXELS] == pytest.approx(np.hypot(0.5, 0.5))


def test_distances_are_in_mm_along_each_axis():
    area, values = box((40, 60), (0, 1), (0, 1)), np.zeros((4, 6), np.float32)
    values[1, 2] = 1  # its centre is at pixel (14.5, 24.5)
    found = localization(values, whole((4, 6), (40, 60), (2.0, 0.5)), marks(area))
    assert found[measures.CENTRE_DISTANCE] == pytest.approx(np.hypot(14.5 * 2, 24.5 * 0.5))
    wider = localization(values, whole((4, 6), (40, 60), (2.0, 0.5)), marks(box((40, 60), (0, 9), (0, 60))))
    assert wider[measures.PEAK_DISTANCE] == pytest.approx(np.hypot((14.5 - 8) * 2, 0.5 * 0.5))


def test_a_cell_beside_the_mark_is_a_hit_within_one_cell_and_the_next_is_not():
    area = box((40, 60), (0, 10), (0, 10))
    for column, strict, lenient in ((0, 1, 1), (1, 0, 1), (2, 0, 0)):
        values = np.zeros((4, 6), np.float32)
        values[0, column] = 1
        found = localization(values, whole((4, 6), (40, 60)), marks(area))
        assert (found[measures.HIT], found[measures.HIT_WITHIN_CELL]) == (strict, lenient)


def test_several_boxes_one_is_hit_and_half_are_reached():
    left, right = box((40, 40), (10, 20), (0, 10)), box((40, 40), (10, 20), (30, 40))
    values = np.zeros((4, 4), np.float32)
    values[1, 0], values[1, 3] = 1, 0.4
    found = localization(values, whole((4, 4), (40, 40)), marks(left, right, kind=AnnotationKind.BOX))
    assert (found[measures.HIT], found[measures.MARKS_REACHED]) == (1, 0.5)
    values[1, 3] = 0.6
    found = localization(values, whole((4, 4), (40, 40)), marks(left, right, kind=AnnotationKind.BOX))
    assert found[measures.MARKS_REACHED] == 1


def test_a_point_has_a_place_and_no_extent():
    point = box((40, 40), (14, 15), (24, 25))
    values = np.zeros((4, 4), np.float32)
    values[1, 2] = 1
    found = localization(values, whole((4, 4), (40, 40)), marks(point, kind=AnnotationKind.POINT))
    assert set(found) == {
        measures.SUPPORTED,
        measures.HIT_WITHIN_CELL,
        measures.MARKS_REACHED,
        measures.CENTRE_DISTANCE_PIXELS,
        measures.PEAK_DISTANCE_PIXELS,
    }
    assert found[measures.HIT_WITHIN_CELL] == 1
    assert found[measures.PEAK_DISTANCE_PIXELS] == pytest.approx(np.hypot(0.5, 0.5))


def test_marks_with_an_extent_say_more_than_points():
    area, point = box((8, 8), (0, 3), (0, 3)), box((8, 8), (7, 8), (7, 8))
    every = [Annotation("A", AnnotationKind.POINT, point), Annotation("A", AnnotationKind.MASK, area)]
    assert (marked(every, "A").area == area).all()
    assert marked(every, "B") is None
    assert marked([Annotation("A", AnnotationKind.MASK, area & point)], "A") is None


def test_a_map_without_support_hits_nothing_and_has_no_share():
    found = localization(
        -np.ones((4, 4), np.float32), whole((4, 4), (8, 8)), marks(box((8, 8), (0, 2), (0, 2)))
    )
    assert found[measures.SUPPORTED] == found[measures.HIT] == found[measures.MARKS_REACHED] == 0
    assert found[measures.SHARE] is found[measures.IOU_OTSU] is found[measures.CENTRE_DISTANCE_PIXELS] is None
    assert found[measures.AUPRC] == 4 / 64  # all pixels tie: no better than chance
    assert found[measures.AUROC] == 0.5


def test_a_volume_of_one_slice_is_an_image(values):
    flat = localization(values, whole((5, 7), PIXELS, (1.0, 2.0)), marks(AREA))
    deep = localization(values[None], whole((1, 5, 7), (1, *PIXELS), (3.0, 1.0, 2.0)), marks(AREA[None]))
    assert deep.keys() == flat.keys()
    assert all(deep[key] == pytest.approx(flat[key]) for key in flat)


def test_a_volume_is_measured_in_space():
    """Slices of 5 mm, pixels of 1 mm; the map as torch enlarges it in three axes."""
    values = np.random.default_rng(4).normal(size=(3, 4, 5)).astype(np.float32)
    shape, spacing = (9, 24, 20), (5.0, 1.0, 1.0)
    area = box(shape, (3, 6), (2, 14), (8, 16))
    support = torch.from_numpy(values).clamp(min=0)[None, None]
    shown = torch.nn.functional.interpolate(support, size=shape, mode="trilinear", align_corners=False)[0, 0]
    shown = shown.numpy()
    found = localization(values, whole((3, 4, 5), shape, spacing), marks(area))
    assert found[measures.SHARE] == pytest.approx(shown[area].sum() / shown.sum(), rel=1e-5)
    assert found[measures.AUPRC] == pytest.approx(
        metrics.average_precision_score(area.ravel(), shown.ravel()), rel=1e-4
    )
    above = shown / shown.max() > 0.5
    overlap = (above & area).sum() / (above | area).sum()
    assert found[measures.iou_at(50)] == pytest.approx(overlap, abs=0.01)
    cell = np.array(np.unravel_index(values.argmax(), values.shape))
    peak = (cell + 0.5) * np.array(shape) / np.array(values.shape) - 0.5
    nearest = min(np.linalg.norm((place - peak) * spacing) for place in np.argwhere(area))
    assert found[measures.PEAK_DISTANCE] == pytest.approx(nearest)


def test_evidence_in_the_padding_counts_as_outside():
    image = Image(np.zeros((40, 20), np.uint8))
    preparation = Preparation(space=2, channels=1, size=(40, 40), fit="pad")
    geometry = prepare(image, preparation).geometry((4, 4))
    values = np.zeros((4, 4), np.float32)
    values[:, 0], values[:, 2] = 3, 1  # the first column of cells lies wholly beside the image
    found = localization(values, geometry, marks(np.ones((40, 20), np.bool_)))
    support = support_on(values, geometry, grid((40, 20), 1000))
    padded = enlarged(values, (40, 40))
    assert support.total == pytest.approx(padded.sum(), rel=1e-5)
    assert found[measures.SHARE] == pytest.approx(padded[:, 10:30].sum() / padded.sum(), rel=1e-5)
    assert found[measures.HIT] == 0


def test_what_the_network_never_saw_has_no_evidence():
    """A centre crop: the map is 0 beyond it, and the mark there is missed."""
    geometry = Geometry((2, 2), (20, 40), scaling([10, 10], [4.5, 14.5]))
    found = localization(np.ones((2, 2), np.float32), geometry, marks(box((20, 40), (0, 20), (0, 20))))
    assert found[measures.SHARE] == pytest.approx(0.5)
    assert found[measures.iou_at(50)] == pytest.approx(200 / 600)


def test_widened_is_a_box_around_every_pixel():
    area = np.random.default_rng(3).random((9, 12)) < 0.05
    slow = np.zeros_like(area)
    for row, column in np.argwhere(area):
        slow[max(0, row - 2) : row + 3, max(0, column - 1) : column + 2] = True
    assert area.any()
    assert (widened(area, (2, 1)) == slow).all()


def test_the_grid_is_no_larger_than_asked_and_thins_the_finest_axis_first():
    fine = grid((4000, 3000), 2**23)
    assert np.prod(fine.shape) <= 2**23
    assert grid((100, 512, 512), 2**23, (5.0, 0.7, 0.7)).steps[0] == 1
    assert grid(PIXELS, 2**23).steps == (1, 1)


def test_a_coarser_grid_keeps_half_covered_cells_and_never_loses_a_mark():
    coarse = grid((9, 9), 9)
    assert coarse.steps == (3, 3)
    assert (coarse.of(box((9, 9), (0, 5), (0, 3)))[:, 0] == [True, True, False]).all()
    assert coarse.of(box((9, 9), (4, 5), (4, 5))).sum() == 1
    assert coarse.to_pixel[0, -1] == 1  # the centre of the first three pixels


def test_a_coarser_grid_is_counted_cell_by_cell():
    area = np.zeros((11, 14, 9), np.bool_)
    area[3:9, 5:13, 2:7] = np.random.default_rng(6).random((6, 8, 5)) < 0.6
    coarse = grid(area.shape, 60)
    steps = coarse.steps
    assert np.prod(steps) > 8
    slow = [
        area[tuple(slice(at * step, (at + 1) * step) for at, step in zip(cell, steps, strict=True))].mean()
        >= 0.5
        for cell in np.ndindex(*coarse.shape)
    ]
    assert any(slow)
    assert (coarse.of(area).ravel() == slow).all()
    found = marked([Annotation("A", AnnotationKind.MASK, area)], "A")
    assert np.allclose(found.centre, np.argwhere(area).mean(axis=0))
    assert (found.places == np.argwhere(area)).all()


# --- chance and rivals --------------------------------------------------------------------------------------


def shifts(shape):
    return [(row, column) for row in range(shape[0]) for column in range(shape[1])]


def test_chance_is_the_mean_over_all_places():
    random = np.random.default_rng(5)
    shown, area, other = (random.random((6, 9)) < share for share in (0.2, 0.3, 0.1))
    rolled = [np.roll(shown, shift, (0, 1)) for shift in shifts(shown.shape)]
    overlap = np.mean([(one & area).sum() / (one | area).sum() for one in rolled])
    assert expected_overlap(shown, area) == pytest.approx(overlap)
    reached = np.mean([[(one & mark).any() for mark in (area, other)] for one in rolled])
    assert expected_reach(shown, [area, other]) == pytest.approx(reached)
    assert expected_overlap(shown, area & ~area) is None


def test_the_precision_by_chance_is_that_of_the_map_at_all_places():
    random = np.random.default_rng(6)
    support = random.integers(0, 9, (6, 8)).astype(np.float32)
    area = box((6, 8), (1, 3), (2, 5))
    every = [
        metrics.average_precision_score(area.ravel(), np.roll(support, shift, (0, 1)).ravel())
        for shift in shifts(area.shape)
    ]
    assert expected_precision(support, area) == pytest.approx(np.mean(every))


def test_a_map_in_one_piece_that_knows_nothing_is_not_better_than_chance():
    """Its AUPRC is twice the marked share on average, so the share would not do as chance."""
    random, rows, shares, ahead = np.random.default_rng(0), np.indices((48, 48)), [], []
    for _ in range(150):
        (row, column), (top, left) = random.integers(0, 48, 2), random.integers(0, 40, 2)
        support = np.exp(-((rows[0] - row) ** 2 + (rows[1] - column) ** 2) / 72).astype(np.float32)
        area = box((48, 48), (top, top + 8), (left, left + 8))
        precision = ranking(support, area).auprc
        shares.append(precision - area.mean())
        ahead.append(precision - expected_precision(support, area))
    error = np.std(ahead) / np.sqrt(len(ahead))
    assert np.mean(shares) > 3 * error
    assert abs(np.mean(ahead)) < 2 * error


def test_the_distance_by_chance_is_that_of_a_place_anywhere():
    places = np.array([[2.0, 3.0], [7.0, 1.0]])
    every = [
        np.hypot((row - places[:, 0]) * 2, column - places[:, 1]).min() for row, column in shifts((9, 8))
    ]
    assert expected_distance(places, (9, 8), (2.0, 1.0)) == pytest.approx(np.mean(every))


def test_the_centre_gaussian_is_highest_in_the_middle_of_the_image_not_of_the_field():
    values = centre_gaussian(whole((9, 5), (90, 50)))
    assert np.unravel_index(values.argmax(), values.shape) == (4, 2)
    assert np.allclose(values, values[::-1, ::-1])
    away = 20 / (0.25 * 90)  # two cells of ten pixels down, in sigmas
    assert values[6, 2] == pytest.approx(np.exp(-(away**2) / 2), rel=1e-6)
    cropped = centre_gaussian(Geometry((2, 2), (20, 80), scaling([10, 10], [4.5, 4.5])))
    assert (cropped[:, 1] > cropped[:, 0]).all()  # the field is at the left of the image


def test_sobel_is_steepest_at_an_edge_and_written_again_slowly():
    inputs = np.random.default_rng(2).random((3, 8, 6)).astype(np.float32)
    grey = np.pad(inputs.mean(axis=0), 1, mode="symmetric").astype(np.float64)
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    slow = np.zeros((8, 6))
    for row, column in shifts((8, 6)):
        patch = grey[row : row + 3, column : column + 3]
        slow[row, column] = np.hypot((patch * kernel).sum(), (patch * kernel.T).sum())
    assert np.allclose(sobel(inputs, (8, 6)), slow, atol=1e-5)
    assert np.allclose(sobel(np.ones((1, 8, 8), np.float32), (4, 4)), 0)


# --- a whole case -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen():
    film = radiograph(1, ["Nodule", "Effusion"], rows=128)
    image = Image(film.values, bits_stored=12, spacing=(430 / 128,) * 2)
    model = camlucida.load_model("phantom-radiograph")
    maps = {
        method: camlucida.explain(model, image, method=method).explanation.saliency_map
        for method in ("grad-cam", "layercam")
    }
    drawn = [
        Annotation("Nodule", AnnotationKind.MASK, film.masks["Nodule"]),
        Annotation("Elsewhere", AnnotationKind.MASK, film.masks["Effusion"]),
    ]
    return Seen("film", image, model, maps, {"Nodule": True, "Effusion": True}, drawn)


def test_each_marked_finding_is_measured_for_methods_chance_and_rivals(seen):
    rows = list(measure_localization(seen))
    assert {row.finding for row in rows} == {"Nodule"}  # the effusion is not marked, elsewhere no finding
    methods = ["grad-cam", "chance of grad-cam", "layercam", "chance of layercam", "centre-gaussian", "sobel"]
    assert list(dict.fromkeys(row.method for row in rows)) == methods
    assert {row.measure for row in rows} < {measure.key for measure in measures.MEASURES}
    assert len(rows) == len({(row.method, row.measure) for row in rows})
    own = {row.measure: row.value for row in rows if row.method == "grad-cam"}
    assert own == localization(
        seen.values("grad-cam", "Nodule"), seen.maps["grad-cam"].geometry, marked(seen.annotations, "Nodule")
    )


def test_the_network_of_phantoms_knows_better_than_chance_and_the_rivals(seen):
    rows = {(row.method, row.measure): row.value for row in measure_localization(seen)}
    for measure in (measures.SHARE, measures.AUPRC, measures.HIT_WITHIN_CELL):
        others = [rows[one, measure] for one in (chance_of("grad-cam"), "centre-gaussian", "sobel")]
        assert rows["grad-cam", measure] > 2 * max(others)
    assert rows["grad-cam", measures.PEAK_DISTANCE] < rows[chance_of("grad-cam"), measures.PEAK_DISTANCE] / 4

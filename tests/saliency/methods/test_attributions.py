"""Pixel attributions, written again slowly: finite differences, Riemann sums, enumeration, loops."""

import math
from itertools import combinations, product

import captum.attr
import numpy as np
import pytest
import torch
from torch import nn

import camlucida
from camlucida.models.target_layer import find_cut
from camlucida.saliency import superpixels as superpixels_module
from camlucida.saliency.baseline import BASELINES, baseline
from camlucida.saliency.methods import METHODS, gradient_shap, integrated_gradients, kernel_shap, lime
from camlucida.saliency.recording import Recording
from camlucida.saliency.superpixels import superpixels
from example_networks import Deep, Dense, Flat, Residual, Sigmoid, Skip, Softmax, Volume, images, make

SHAPE = (1, 5, 6)


class Linear(nn.Module):
    """A network y = w · x + b of pixels or voxels; a 1×1 convolution lets it pass for a picture's."""

    def __init__(self, shape=SHAPE, findings=2):
        super().__init__()
        conv = nn.Conv2d if len(shape) == 3 else nn.Conv3d
        self.same = conv(shape[0], shape[0], 1, bias=False)
        self.fc = nn.Linear(math.prod(shape), findings)
        with torch.no_grad():
            self.same.weight.copy_(torch.eye(shape[0]).reshape(self.same.weight.shape))

    def forward(self, x):
        return self.fc(self.same(x).flatten(1))


class Bent(nn.Module):
    """Small, and bent everywhere: what is checked by enumeration must not hold only for linear networks."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.fc = nn.Linear(3 * 30, 2)

    def forward(self, x):
        return self.fc(torch.tanh(2 * self.conv(x)).flatten(1)) ** 2


def linear(shape=SHAPE):
    network = make(lambda: Linear(shape)).double()
    inputs = torch.randn(1, *shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return network, inputs


def bent():
    inputs = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    return make(Bent).double(), inputs


def recorded(network, inputs, findings=None):
    return Recording(network, inputs, find_cut(network, inputs), findings)


def maps_of(key, network, inputs, variant=None, progress=None):
    method = METHODS[key]
    recording = recorded(network, inputs)
    return method.compute(recording, variant=variant or method.variants[0], progress=progress)


def slow_gradient(network, image, finding, step=1e-5):
    """Central differences, pixel by pixel: same shape as the image (1, channel, *space)."""
    result = torch.zeros_like(image)
    for place in product(*(range(size) for size in image.shape)):
        up, down = image.clone(), image.clone()
        up[place] += step
        down[place] -= step
        with torch.no_grad():
            result[place] = (network(up)[0, finding] - network(down)[0, finding]) / (2 * step)
    return result


# --- gradients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Deep, Skip])
def test_the_gradient_is_that_of_finite_differences(kind):
    network, inputs = make(kind).double(), images(kind).double()
    maps = maps_of("gradient", network, inputs)
    slow = slow_gradient(network, inputs, finding=1)
    torch.testing.assert_close(maps[0, 1], slow[0].sum(0), rtol=1e-4, atol=1e-8)


def test_the_absolute_gradient_is_the_largest_among_the_channels():
    network, inputs = make(Residual), images(Residual)
    maps = maps_of("gradient", network, inputs, "absolute")
    leaf = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf)[0, 2], leaf)
    expected = np.zeros(inputs.shape[2:], np.float32)
    for row, column in product(range(inputs.shape[2]), range(inputs.shape[3])):
        expected[row, column] = max(abs(float(gradient[0, k, row, column])) for k in range(3))
    torch.testing.assert_close(maps[0, 2], torch.from_numpy(expected))


def test_input_times_gradient_adds_up_on_a_linear_network():
    network, inputs = linear()
    maps = maps_of("input x gradient", network, inputs)
    expected = network.fc.weight.detach().reshape(2, *SHAPE) * inputs
    torch.testing.assert_close(maps[0], expected.sum(1))
    recording = recorded(network, inputs)
    start = METHODS["input x gradient"].start(recording, "", 0)
    torch.testing.assert_close(start + maps[0].sum((1, 2)), recording.logits[0])


@pytest.mark.parametrize(("kind", "last"), [(Sigmoid, "last"), (Softmax, "body")])
def test_the_logit_is_explained_not_the_probability(kind, last):
    network, inputs = make(kind), images(kind)
    leaf = inputs.clone().requires_grad_()
    logits = network.last(network.body(leaf)) if last == "last" else network.body(leaf)
    (expected,) = torch.autograd.grad(logits[0, 0], leaf)
    torch.testing.assert_close(maps_of("gradient", network, inputs)[0, 0], expected[0].sum(0))


def test_smoothgrad_of_a_linear_network_is_its_gradient():
    network, inputs = linear((2, 4, 5))
    maps = maps_of("smoothgrad", network, inputs)
    expected = network.fc.weight.detach().reshape(2, 2, 4, 5).sum(1)
    torch.testing.assert_close(maps[0], expected)


def test_smoothgrad_is_the_mean_over_copies_with_noise_of_a_share_of_the_range():
    network, inputs = bent()
    generator = torch.Generator().manual_seed(0)
    spread = 0.15 * float(inputs.max() - inputs.min())
    slow = torch.zeros(inputs.shape[2:], dtype=torch.float64)
    for _ in range(50):
        drawn = torch.randn(inputs.shape, generator=generator, dtype=torch.float32).double()
        slow += slow_gradient(network, inputs + spread * drawn, finding=1)[0, 0] / 50
    torch.testing.assert_close(maps_of("smoothgrad", network, inputs)[0, 1], slow, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("variant", BASELINES)
def test_integrated_gradients_is_the_riemann_sum_and_adds_up(variant):
    network, inputs = bent()
    maps = maps_of("integrated gradients", network, inputs, variant)
    start, steps = baseline(inputs, variant), 500
    for finding in range(2):
        total = torch.zeros_like(inputs)
        for step in range(steps):
            point = (start + (step + 0.5) / steps * (inputs - start)).requires_grad_()
            total += torch.autograd.grad(network(point)[0, finding], point)[0] / steps
        torch.testing.assert_close(maps[0, finding], ((inputs - start) * total)[0, 0], rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(maps.sum((2, 3)), network(inputs) - network(start), rtol=1e-6, atol=1e-8)


def test_more_steps_leave_less_unexplained(monkeypatch):
    """Across ReLUs the integral is not smooth, and only more points bring it nearer."""
    network, inputs = make(Residual).double(), images(Residual).double()
    left = []
    for steps in (4, 32, 256):
        monkeypatch.setattr(integrated_gradients, "STEPS", steps)
        maps = maps_of("integrated gradients", network, inputs)
        with torch.no_grad():
            whole = network(inputs) - network(torch.zeros_like(inputs))
        left.append(float((maps.sum((2, 3)) - whole).abs().max()))
    assert left[2] < left[0] / 10
    assert left[2] < 1e-4


def test_gradientshap_of_a_linear_network_is_its_share_above_the_mean_baseline():
    network, inputs = linear((2, 4, 6))
    maps = maps_of("gradientshap", network, inputs)
    start = torch.stack([baseline(inputs, kind) for kind in BASELINES]).mean(0)
    expected = network.fc.weight.detach().reshape(2, 2, 4, 6) * (inputs - start)
    torch.testing.assert_close(maps[0], expected.sum(1), rtol=1e-5, atol=1e-6)
    recording = recorded(network, inputs)
    given = METHODS["gradientshap"].start(recording, "", 0)
    torch.testing.assert_close(given + maps[0].sum((1, 2)), recording.logits[0], rtol=1e-5, atol=1e-5)


def test_gradientshap_is_the_mean_over_its_draws():
    network, inputs = bent()
    generator = torch.Generator().manual_seed(0)
    spread = gradient_shap.SIGMA * float(inputs.max() - inputs.min())
    starts = [baseline(inputs, kind) for kind in ("zero", "mean", "blur")]
    slow = torch.zeros(inputs.shape[2:], dtype=torch.float64)
    for pair in range(24):
        drawn = torch.randn(inputs.shape, generator=generator, dtype=torch.float32).double()
        for sign in (1, -1):
            end, start = inputs + sign * spread * drawn, starts[pair % 3]
            place = float(torch.rand((), generator=generator))
            point = start + place * (end - start)
            slow += ((end - start) * slow_gradient(network, point, finding=0))[0, 0] / 48
    torch.testing.assert_close(maps_of("gradientshap", network, inputs)[0, 0], slow, rtol=1e-4, atol=1e-6)


# --- regions: Kernel SHAP, LIME, occlusion ------------------------------------------------------------------


def strips(count):
    """Superpixels by hand: `count` groups of columns, of different sizes."""

    def cut(image, _count=None):
        numbers = torch.arange(image.shape[-1]) * count // image.shape[-1]
        return numbers.expand(image.shape[1:]).contiguous()

    return cut


def covered(image, regions, kept, filling):
    """The image with only the regions of the set `kept`, pixel by pixel."""
    result, cover = image.clone(), baseline(image, filling)
    for place in product(*(range(size) for size in regions.shape)):
        if int(regions[place]) not in kept:
            result[(..., *place)] = cover[(..., *place)]
    return result


def exact_shapley(value, players):
    """The definition: mean gain over all orders, by weights of sets."""
    result = []
    for player in range(players):
        others = [other for other in range(players) if other != player]
        total = 0.0
        for size in range(players):
            weight = math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players)
            for chosen in combinations(others, size):
                total += weight * (value({*chosen, player}) - value(set(chosen)))
        result.append(total)
    return result


@pytest.mark.parametrize("variant", BASELINES)
@pytest.mark.parametrize("players", [1, 2, 5, 6])
def test_kernelshap_gives_the_exact_shapley_values(monkeypatch, players, variant):
    network, inputs = bent()
    monkeypatch.setattr(kernel_shap, "superpixels", strips(players))
    maps = maps_of("kernelshap", network, inputs, variant)
    regions = strips(players)(inputs[0])
    for finding in range(2):

        def value(kept, finding=finding):
            with torch.no_grad():
                return float(network(covered(inputs, regions, kept, variant))[0, finding])

        for player, expected in enumerate(exact_shapley(value, players)):
            inside = maps[0, finding][regions == player]
            assert float(inside.sum()) == pytest.approx(expected, abs=1e-8)
            assert float(inside.max() - inside.min()) == 0  # spread evenly


def test_kernelshap_from_draws_comes_near_to_all_coalitions(monkeypatch):
    network, inputs = bent()
    monkeypatch.setattr(kernel_shap, "superpixels", strips(6))
    exact = maps_of("kernelshap", network, inputs)
    monkeypatch.setattr(kernel_shap, "COALITIONS", 60)  # fewer than 2 ** 6
    drawn = maps_of("kernelshap", network, inputs)
    assert not torch.equal(drawn, exact)
    torch.testing.assert_close(drawn.sum((2, 3)), exact.sum((2, 3)))  # it adds up all the same
    assert float((drawn - exact).norm() / exact.norm()) < 0.2


def test_drawn_coalitions_have_the_kernels_sizes_and_complements():
    kept, weights = kernel_shap.coalitions(20)
    assert len(kept) == len(weights) == kernel_shap.COALITIONS
    assert torch.equal(kept[2::2], ~kept[3::2])
    sizes = kept[2:].sum(1)
    assert sizes.min() >= 1
    assert sizes.max() <= 19
    at_ends = float(((sizes == 1) | (sizes == 19)).float().mean())
    odds = [1 / (size * (20 - size)) for size in range(1, 20)]
    assert at_ends == pytest.approx(2 * odds[0] / sum(odds), abs=0.06)


def region_weights(network, inputs, regions, filling):
    """What each region of a linear network is worth, above what covers it: (finding, region)."""
    above = inputs - baseline(inputs, filling)
    shares = (network.fc.weight.detach().reshape(-1, *inputs.shape[1:]) * above).sum(1)
    return torch.stack([shares[:, regions == region].sum(1) for region in range(int(regions.max()) + 1)], 1)


@pytest.mark.parametrize("key", ["lime", "kernelshap"])
@pytest.mark.parametrize("shape", [(2, 24, 20), (1, 6, 12, 12)])
def test_lime_and_kernelshap_recover_a_linear_networks_regions(key, shape):
    """With real superpixels, far too many for enumeration, in two and three dimensions."""
    network, inputs = linear(shape)
    maps = maps_of(key, network, inputs, "mean")
    regions = superpixels(inputs[0])
    assert int(regions.max()) + 1 > 12
    expected = region_weights(network, inputs, regions, "mean")
    for region in range(int(regions.max()) + 1):
        torch.testing.assert_close(
            maps[0][:, regions == region].sum(1), expected[:, region], rtol=1e-6, atol=1e-8
        )


def test_lime_is_the_weighted_fit_written_out(monkeypatch):
    network, inputs = bent()
    monkeypatch.setattr(lime, "superpixels", strips(4))
    maps, regions = maps_of("lime", network, inputs, "mean"), strips(4)(inputs[0])
    kept = lime.draws(4)
    assert bool(kept[0].all())
    rows, targets, weights = [], [], []
    for there in kept.tolist():
        present = {region for region, is_there in enumerate(there) if is_there}
        cosine = sum(there) / (math.sqrt(sum(there)) * math.sqrt(4)) if any(there) else 0.0
        weights.append(math.exp(-((1 - cosine) ** 2) / 0.25**2))
        rows.append([float(is_there) for is_there in there] + [1.0])
        with torch.no_grad():
            targets.append(network(covered(inputs, regions, present, "mean"))[0].tolist())
    x, y, w = np.array(rows), np.array(targets), np.diag(weights)
    fit = np.linalg.solve(x.T @ w @ x, x.T @ w @ y)  # the normal equations
    for region in range(4):
        inside = maps[0][:, regions == region].sum(1).numpy()
        np.testing.assert_allclose(inside, fit[region], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", [(1, 33, 20), (1, 9, 10, 17)])
def test_occlusion_is_a_loop_over_windows(shape):
    network = make(lambda: nn.Sequential(Linear(shape), nn.Tanh())).double()
    _, inputs = linear(shape)
    maps = maps_of("occlusion", network, inputs, "mean")
    assert maps.shape == (1, 2, *shape[1:])
    steps = [max(1, round(size / (16 if len(shape) == 3 else 8))) for size in shape[1:]]
    cover = inputs.mean()
    slow, visits = torch.zeros_like(maps[0]), torch.zeros(shape[1:])
    with torch.no_grad():
        whole = network(inputs)[0]
        starts = [range(-step, size, step) for size, step in zip(shape[1:], steps, strict=True)]
        for corner in product(*starts):
            inside = [
                place
                for place in product(
                    *(range(low, low + 2 * step) for low, step in zip(corner, steps, strict=True))
                )
                if all(0 <= at < size for at, size in zip(place, shape[1:], strict=True))
            ]
            changed = inputs.clone()
            for place in inside:
                changed[(0, 0, *place)] = cover
            fall = whole - network(changed)[0]
            for place in inside:
                slow[(slice(None), *place)] += fall / len(inside)
                visits[place] += 1
    assert visits.unique().tolist() == [2 ** (len(shape) - 1)]  # every pixel counts the same
    torch.testing.assert_close(maps[0], slow / 2 ** (len(shape) - 1))


def test_occlusion_adds_up_on_a_linear_network():
    network, inputs = linear((2, 37, 29))
    maps = maps_of("occlusion", network, inputs, "zero")
    with torch.no_grad():
        whole = network(inputs) - network(torch.zeros_like(inputs))
    torch.testing.assert_close(maps.sum((2, 3)), whole)


# --- the libraries' answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Deep, Residual, Volume])
def test_gradients_are_captums(kind):
    network, inputs = make(kind), images(kind)
    leaf = inputs.clone().requires_grad_()
    theirs = {
        "gradient": captum.attr.Saliency(network).attribute(leaf, target=1, abs=False),
        "input x gradient": captum.attr.InputXGradient(network).attribute(leaf, target=1),
        "integrated gradients": captum.attr.IntegratedGradients(network).attribute(
            leaf, target=1, n_steps=50
        ),
    }
    for key, expected in theirs.items():
        found = maps_of(key, network, inputs)[0, 1]
        assert float((found - expected[0].detach().sum(0)).abs().max()) <= 1e-5, key


def test_kernelshap_is_captums_on_all_coalitions(monkeypatch):
    network, inputs = bent()
    monkeypatch.setattr(kernel_shap, "superpixels", strips(5))
    regions = strips(5)(inputs[0])
    theirs = captum.attr.ShapleyValues(network).attribute(
        inputs, baselines=baseline(inputs, "mean"), target=1, feature_mask=regions[None, None]
    )
    ours = maps_of("kernelshap", network, inputs, "mean")
    for region in range(5):
        inside = regions == region  # Captum gives each pixel the whole region's value
        assert float(ours[0, 1][inside].sum()) == pytest.approx(float(theirs[0, 0][inside][0]), abs=1e-5)


def test_a_window_falls_by_what_captum_says():
    network, inputs = make(Deep), images(Deep)
    found = maps_of("occlusion", network, inputs, "zero")[0, 1]
    total = torch.zeros_like(found)
    for corner in product(range(-2, 31, 2), range(-2, 29, 2)):
        rows, columns = (slice(max(0, low), low + 4) for low in corner)
        mask = torch.zeros(1, 1, *inputs.shape[2:], dtype=torch.long)
        mask[..., rows, columns] = 1
        falls = captum.attr.FeatureAblation(network).attribute(inputs, target=1, feature_mask=mask)
        inside = mask[0, 0] == 1
        total[inside] += falls[0, 0][inside] / (4 * int(inside.sum()))
    assert float((found - total).abs().max()) <= 1e-5


# --- what all of them owe -----------------------------------------------------------------------------------

PIXELS = [
    "gradient",
    "input x gradient",
    "smoothgrad",
    "integrated gradients",
    "gradientshap",
    "deconvolution",
    "guided backpropagation",
    "guided grad-cam",
    "occlusion",
    "lime",
    "kernelshap",
]
pixel_methods = pytest.mark.parametrize("key", PIXELS)


@pixel_methods
def test_nobody_elses_draws_change(key):
    network, inputs = make(Flat), images(Flat)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what this is about
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    maps_of(key, network, inputs)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


@pixel_methods
def test_half_precision_and_inference_mode(key):
    network = make(Residual).bfloat16().requires_grad_(requires_grad=False)
    with torch.inference_mode():
        inputs = images(Residual).bfloat16()
        maps = maps_of(key, network, inputs)
    assert maps.shape == (1, 5, 33, 47)
    assert torch.isfinite(maps).all()
    assert maps.abs().sum() > 0


@pytest.mark.parametrize(
    ("key", "steps"),
    [
        ("smoothgrad", 50),
        ("integrated gradients", 50),
        ("gradientshap", 48),
        ("occlusion", 13 * 15),
        ("lime", 512),
        ("kernelshap", 512),
    ],
)
def test_says_how_far_it_is(key, steps):
    seen = []
    maps_of(key, make(Flat), images(Flat), progress=lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    assert seen[-1] == (steps, steps)
    assert done == sorted(set(done))
    assert len(done) > 1


def test_a_large_volume_is_asked_about_piece_by_piece(monkeypatch):
    """No batch holds more values than its bound, where one image alone is not larger."""
    network, inputs = make(Volume), images(Volume)
    sizes = []
    network.register_forward_hook(lambda _m, given, _o: sizes.append(len(given[0])))
    for module in (superpixels_module, __import__("camlucida.saliency.methods.occlusion", fromlist=["x"])):
        monkeypatch.setattr(module, "SCORED_VALUES", 5 * inputs.numel())
    monkeypatch.setattr("camlucida.saliency.input_gradients.GRAPH_VALUES", 3 * inputs.numel())
    for key in ("occlusion", "lime", "kernelshap"):
        sizes.clear()
        maps_of(key, network, inputs)
        assert max(sizes) == 5, key
    for key in ("smoothgrad", "integrated gradients", "gradientshap"):
        sizes.clear()
        maps_of(key, network, inputs)
        assert max(sizes) == 3, key


def test_a_network_that_writes_into_its_input_gets_a_copy():
    class Careless(Linear):
        def forward(self, x):
            return super().forward(x.mul_(2))

    network, inputs = make(Careless).double(), linear()[1]
    maps = maps_of("gradient", network, inputs.clone())
    torch.testing.assert_close(maps[0], 2 * network.fc.weight.detach().reshape(2, *SHAPE).sum(1))


def test_a_finding_that_does_not_see_the_image_has_an_empty_map():
    class Constant(Linear):
        def forward(self, x):
            logits = super().forward(x)
            return torch.stack([logits[:, 0], torch.ones_like(logits[:, 0])], 1)

    network, inputs = make(Constant).double(), linear()[1]
    for key in ("gradient", "integrated gradients", "kernelshap"):
        maps = maps_of(key, network, inputs)
        assert maps[0, 0].abs().sum() > 0
        assert maps[0, 1].abs().sum() == 0


@pytest.mark.parametrize("key", ["lime", "kernelshap"])
def test_without_scikit_image_the_extra_is_named(key, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "skimage.segmentation", None)
    with pytest.raises(Exception, match=r"pip install 'camlucida\[attributions\]'") as caught:
        maps_of(key, make(Dense), images(Dense))
    assert type(caught.value).__name__ == "MissingExtra"


def test_a_contrast_is_explained_too():
    """Why the one rather than the other: the difference of both maps, where a method is linear in y."""
    from camlucida.saliency.contrast import Contrast  # noqa: PLC0415

    network, inputs = make(Residual), images(Residual)
    cut = find_cut(network, inputs)
    for key in ("integrated gradients", "kernelshap", "lime", "occlusion", "smoothgrad"):
        method = METHODS[key]
        both = method.compute(Recording(network, inputs, cut), variant=method.variants[0], progress=None)
        against = Recording(network, inputs, cut, (1,), None, Contrast(3))
        rather = method.compute(against, variant=method.variants[0], progress=None)
        torch.testing.assert_close(rather[:, 0], both[:, 1] - both[:, 3], rtol=1e-4, atol=1e-6)


def test_a_map_of_pixels_is_at_the_input_and_adds_up_from_its_baseline():
    network, inputs = make(Residual), images(Residual)
    result = camlucida.explain(network, inputs, method="Integrated Gradients", variant="blur")
    assert result.target_layer == "input"
    assert result.values.shape == (5, 33, 47)
    with torch.no_grad():
        start = network(baseline(inputs, "blur"))[0]
    np.testing.assert_allclose(result.bias, start, rtol=1e-5, atol=1e-6)
    sums = result.values.sum((1, 2))
    np.testing.assert_allclose(result.residual, result.logits - result.bias - sums, rtol=1e-4, atol=1e-6)
    assert camlucida.explain(network, inputs, method="guided grad-cam").target_layer != "input"

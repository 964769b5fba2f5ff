import pytest
import torch
from torch import nn

from camlucida.evaluation.comparison.cost import MEASURES, TURNS, _peak, costs, explain, infer
from camlucida.saliency.subject import of_network

MEGABYTE = 2**20
METHODS = ("grad-cam", "gradient", "ablation-cam", "score-cam", "occlusion", "attention rollout")


@pytest.fixture(scope="module")
def subject():
    """Three findings, five channels, mean pooling and a linear head: passes are known by heart."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 5, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)
    ).eval()
    return of_network(network, torch.randn(1, 1, 32, 32), None, None)


@pytest.fixture(scope="module")
def found(subject):
    return {one.method: one for one in costs([subject, subject], METHODS)}


def test_passes_are_those_that_the_papers_methods_need(found):
    assert (found["grad-cam"].forward, found["grad-cam"].backward) == (1, 0)  # back through the head only
    assert found["grad-cam"].head == 1 + 3  # a silent row, and a copy for each finding
    assert found["gradient"].backward == 3  # one for each finding
    assert found["score-cam"].backward == 0
    assert found["score-cam"].forward == 1 + 5 + 1  # each channel, and the baseline
    assert found["occlusion"].forward > 289  # of its windows


def test_times_are_ratios_to_inference(found):
    assert found["grad-cam"].time > 1  # inference is in it
    assert found["occlusion"].seconds > found["grad-cam"].seconds


def test_a_method_that_does_not_take_the_network_says_why(found):
    assert "transformer" in found["attention rollout"].error
    assert not found["grad-cam"].error


def test_memory_is_that_of_the_tensors_that_live_at_once(subject):
    kept = []

    def run():
        kept.append(torch.zeros(MEGABYTE // 4))  # one megabyte, and it stays
        for _ in range(5):
            torch.zeros(3 * MEGABYTE // 4)  # three, which go again
        kept[0].view(2, -1).add_(1)  # no more memory

    assert _peak(subject, run) == 4 * MEGABYTE


def test_the_network_and_its_input_do_not_count(subject):
    assert _peak(subject, lambda: [parameter.t() for parameter in subject.network[4].parameters()]) == 0
    cells, channels = 16 * 16, 5
    assert _peak(subject, lambda: infer(subject)) == pytest.approx(2 * 4 * cells * channels, rel=0.05)


def test_batches_of_masked_images_take_memory(found):
    assert found["score-cam"].memory > found["grad-cam"].memory


def test_the_network_is_left_as_it_was(subject):
    hooks = [len(module._forward_hooks) for module in subject.network.modules()]
    costs([subject], ["gradient"])
    assert [len(module._forward_hooks) for module in subject.network.modules()] == hooks


def test_a_dear_method_is_timed_once(subject, monkeypatch):
    timed = []

    def clocked(_, run):
        timed.append(run)
        return 1.0 if len(timed) != TURNS + 1 else 100.0

    monkeypatch.setattr("camlucida.evaluation.comparison.cost._clocked", clocked)
    (one,) = costs([subject], ["grad-cam"])
    assert len(timed) == TURNS + 1
    assert (one.time, one.seconds) == (100.0, 100.0)
    explain(subject, "grad-cam")


def test_every_cost_has_its_measure():
    assert [measure.key for measure in MEASURES] == [
        "cost.time",
        "cost.forward",
        "cost.backward",
        "cost.memory",
    ]

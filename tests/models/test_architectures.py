"""The shipped networks: shapes in 2D and 3D, and a head whose evidence adds up."""

import pytest
import torch

from camlucida.models.architectures import ResidualBlock, SmallResNet


@pytest.mark.parametrize(
    ("space", "size", "native"), [(2, (64, 48), (8, 6)), (3, (16, 32, 24), (2, 4, 3)), (2, (65, 47), (9, 6))]
)
def test_a_native_cell_is_two_to_the_stages_wide(space, size, native):
    network = SmallResNet(space=space, channels=1, findings=4, width=4, stages=3).eval()
    inputs = torch.rand(2, 1, *size)
    assert network.activations(inputs).shape == (2, 16, *native)
    assert network(inputs).shape == (2, 4)


@pytest.mark.parametrize("space", [2, 3])
def test_a_map_written_out_cell_by_cell_adds_up_to_the_logit(space):
    torch.manual_seed(1)
    network = SmallResNet(space=space, findings=3, width=4, stages=2).eval().double()
    inputs = torch.rand(1, 1, *[16] * space, dtype=torch.float64)
    active = network.activations(inputs)[0].flatten(1)
    logits = network(inputs)[0]
    for finding in range(3):
        total = network.head.bias[finding].item()
        for cell in range(active.shape[1]):
            for channel in range(active.shape[0]):
                weight = network.head.weight[finding, channel].item()
                total += weight * active[channel, cell].item() / active.shape[1]
        assert total == pytest.approx(logits[finding].item(), abs=1e-9)


def test_what_the_head_pools_is_never_negative():
    torch.manual_seed(2)
    assert SmallResNet(width=4, stages=2).eval().activations(torch.randn(2, 1, 32, 32)).min() >= 0


def test_a_volume_of_constant_slices_is_treated_as_the_image():
    """One code path: with kernels that look at their own slice only, 3D says what 2D says."""
    torch.manual_seed(3)
    flat, deep = (
        SmallResNet(space=2, width=4, stages=2).eval(),
        SmallResNet(space=3, width=4, stages=2).eval(),
    )
    image = torch.rand(1, 1, 32, 32)
    state = deep.state_dict()
    for name, value in flat.state_dict().items():
        if value.ndim == 4:
            state[name].zero_()
            state[name][:, :, state[name].shape[2] // 2] = value
        else:
            state[name].copy_(value)
    volume = image[:, :, None].expand(-1, -1, 4, -1, -1)
    torch.testing.assert_close(deep(volume), flat(image), atol=1e-5, rtol=0)


def test_a_block_without_a_change_of_shape_keeps_its_input_on_the_short_cut():
    block = ResidualBlock(2, 3, 3, 1).eval()
    torch.nn.init.zeros_(block.second[1].weight)
    inputs = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(block(inputs), inputs)


def test_another_number_of_axes_is_refused():
    with pytest.raises(ValueError, match="space is 4"):
        SmallResNet(space=4)

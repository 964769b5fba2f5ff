"""Small networks that need every kind of cut: after a module or a function, in place, shared, 2D, 3D."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """As torchvision's ResNet: one in-place ReLU module used in several places, GAP, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, 2, 1)
        self.third = nn.Conv2d(8, 8, 3, 1, 1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        x = self.relu(self.second(x))
        x = self.relu(self.third(x) + x)
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class Dense(nn.Module):
    """As torchvision's DenseNet: the last ReLU is a function, in place, after a module's output."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12)
        )
        self.classifier = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.features(x), inplace=True)
        return self.classifier(x.mean((2, 3)))


class Flat(nn.Module):
    """A flatten head: HiResCAM is faithful here, Grad-CAM is not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, 4, 1)
        self.fc = nn.Linear(4 * 6 * 7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(functional.relu(self.conv(x)).flatten(1))


class Deep(nn.Module):
    """A head that is not linear: two layers with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 6, 3, 2, 1), nn.SiLU(), nn.Conv2d(6, 6, 3, 2, 1), nn.SiLU())
        self.head = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Dropout(0.5), nn.Linear(8, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).flatten(2).mean(2))


class Skip(nn.Module):
    """The head reads an earlier tensor too, as a U-Net does: it takes no extra rows."""

    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Conv2d(1, 4, 3, 2, 1)
        self.late = nn.Conv2d(4, 4, 3, 2, 1)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        early = functional.relu(self.early(x))
        late = functional.relu(self.late(early))
        return self.fc(torch.cat([early.mean((2, 3)), late.mean((2, 3))], 1))


class Volume(nn.Module):
    """3D, anisotropic stride."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(1, 6, 3, (1, 2, 2), 1), nn.ReLU(), nn.Conv3d(6, 6, 3, 2, 1), nn.ReLU()
        )
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x).mean((2, 3, 4)))


class Sigmoid(nn.Module):
    """Ends in a sigmoid, squeezed to one number an image."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Dense()
        self.last = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.body(x))).squeeze(1)


class Softmax(nn.Module):
    """Ends in a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Dense()

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).softmax(dim=1)


class Transformer(nn.Module):
    """Patches, tokens and attention: its last spatial layer is its first."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.fc(functional.scaled_dot_product_attention(tokens, tokens, tokens).mean(1))


SHAPES: dict[type[nn.Module], tuple[int, ...]] = {
    Residual: (3, 33, 47),
    Dense: (1, 32, 24),
    Flat: (1, 24, 28),
    Deep: (1, 31, 29),
    Skip: (1, 24, 24),
    Volume: (1, 8, 17, 20),
    Transformer: (1, 32, 32),
    Sigmoid: (1, 32, 24),
    Softmax: (1, 32, 24),
}


def make(kind: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A network with fixed random weights and lively batch-norm statistics, in evaluation mode."""
    torch.manual_seed(seed)
    network = kind()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)  # type: ignore[arg-type]  # it tracks statistics
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return network.eval()


def images(kind: type[nn.Module], count: int = 1, seed: int = 1) -> Tensor:
    """Random inputs (count, channel, *space) of the size that this network takes."""
    return torch.randn(count, *SHAPES[kind], generator=torch.Generator().manual_seed(seed))

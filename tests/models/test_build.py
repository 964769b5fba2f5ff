import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from camlucida.errors import InvalidModelCard
from camlucida.models.build import build
from camlucida.settings import settings

CALLED = []


@pytest.fixture
def package(monkeypatch):
    """Makes an importable package with the given contents."""
    CALLED.clear()

    def make(name, /, **contents):
        for depth in range(1, len(name.split(".")) + 1):
            parent = ".".join(name.split(".")[:depth])
            if parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        module = sys.modules[name]
        for key, value in contents.items():
            if callable(value):
                value.__module__ = name
            monkeypatch.setattr(module, key, value, raising=False)  # a real package may be there
        return module

    return make


class Net(nn.Module):
    def __init__(self, width=3, op_threshs=None, apply_sigmoid=False):
        super().__init__()
        CALLED.append((op_threshs, apply_sigmoid))
        self.op_threshs, self.apply_sigmoid = op_threshs, apply_sigmoid
        self.conv = nn.Conv2d(1, width, 3)


def declared(width=3, weights="DEFAULT", pretrained=True) -> nn.Module:
    CALLED.append((weights, pretrained))
    return nn.Conv2d(1, width, 3)


def undeclared():
    CALLED.append("undeclared")
    return nn.Conv2d(1, 1, 1)


def test_a_shipped_network_by_its_name_or_its_path():
    arguments = {"space": 2, "channels": 1, "findings": 3, "width": 4, "stages": 1, "blocks": 1}
    one = build("SmallResNet", arguments)
    other = build("camlucida.models.architectures:SmallResNet", arguments)
    assert type(one) is type(other)
    assert not one.training
    assert one(torch.zeros(1, 1, 8, 8)).shape == (1, 3)


def test_a_class_of_any_package_is_built_with_its_arguments(package):
    package("foreign.networks", Net=Net)
    assert build("foreign.networks:Net", {"width": 5}).conv.out_channels == 5


def test_building_leaves_the_random_numbers_alone(package):
    package("foreign", Net=Net)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build("foreign:Net", {})
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    "path",
    ["os:system", "subprocess:Popen", "builtins:eval", "antigravity:fly_hash", "posix:system", "pty:spawn"],
)
def test_pythons_own_library_is_neither_called_nor_imported(path, monkeypatch):
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    with pytest.raises(InvalidModelCard, match="Python's own library"):
        build(path, {"command": "touch /tmp/x"})
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "path",
    [
        "torch:load",
        "torch.hub:load",
        "torch.nn:Module.to",
        "numpy:load",
        "torch:os",
        "foreign:undeclared",
        "foreign:declared",
        "foreign:instance",
        "torchvision.models:undeclared",
        "torchvision.datasets.utils:declared",
        "torchvision.models._hidden:declared",
        "torchvision.models:_private",
        "torchvision.models:get_model",
        "monai.losses.perceptual:Fetching",
        "torch.fx:GraphModule",
        "foreign:Script",
    ],
)
def test_what_is_no_network_is_not_called(path, package):
    package("foreign", undeclared=copy(undeclared), declared=copy(declared), Script=torch.jit.ScriptModule)
    sys.modules["foreign"].instance = Net()
    models = {"undeclared": copy(undeclared), "_private": copy(declared, "_private")}
    package("torchvision.models", **models, get_model=copy(declared, "get_model"))
    package("monai.losses.perceptual", Fetching=type("Fetching", (Net,), {}))
    package("torchvision.models._hidden", declared=copy(declared, "_declared"))
    package("torchvision.datasets.utils", declared=copy(declared))
    CALLED.clear()
    with pytest.raises(InvalidModelCard):
        build(path, {})
    assert CALLED == []


def copy(function, name=None):
    twin = type(function)(function.__code__, function.__globals__, name or function.__name__)
    twin.__defaults__, twin.__annotations__ = function.__defaults__, dict(function.__annotations__)
    return twin


def test_a_function_reached_through_a_known_package_but_at_home_elsewhere_is_not_called(package):
    stranger = copy(declared)
    package("foreign", declared=stranger)
    package("torchvision.models").declared = stranger
    with pytest.raises(InvalidModelCard, match=r"neither a torch.nn.Module class nor a function"):
        build("torchvision.models:declared", {})
    assert CALLED == []


def test_a_declared_function_of_a_known_package_is_called_with_downloads_off(package):
    package("torchvision.models", declared=copy(declared))
    assert build("torchvision.models:declared", {"width": 7}).out_channels == 7
    assert CALLED == [(None, False)]


def test_functions_of_a_package_named_in_the_settings_are_called(package, monkeypatch):
    package("hospital.networks", undeclared=copy(undeclared))
    with pytest.raises(InvalidModelCard, match="CAMLUCIDA_ARCHITECTURES=hospital"):
        build("hospital.networks:undeclared", {})
    monkeypatch.setenv("CAMLUCIDA_ARCHITECTURES", "other, hospital")
    settings.cache_clear()
    try:
        assert isinstance(build("hospital.networks:undeclared", {}), nn.Conv2d)
    finally:
        settings.cache_clear()


def test_what_a_function_gives_must_be_a_network(package, monkeypatch):
    package("hospital", text=copy(lambda: "resnet", "text"))
    monkeypatch.setenv("CAMLUCIDA_ARCHITECTURES", "hospital")
    settings.cache_clear()
    try:
        with pytest.raises(InvalidModelCard, match=r"gave a str, not a torch.nn.Module"):
            build("hospital:text", {})
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    "arguments",
    [
        {"weights": "IMAGENET1K_V1"},
        {"pretrained": True},
        {"width": "hf_hub:someone/model"},
        {"width": "someone/model"},
        {"width": "..\\model"},
        {"width": "other.PT"},
        {"cache_dir": "hub"},
        {"width": [{"backbone_path": "weights"}]},
    ],
)
def test_an_argument_that_would_fetch_something_is_refused(package, arguments):
    package("torchvision.models", declared=copy(declared))
    with pytest.raises(InvalidModelCard, match="leave it out"):
        build("torchvision.models:declared", arguments)
    assert CALLED == []


def test_arguments_that_only_sound_like_places_are_taken(package):
    class Paths(Net):
        def __init__(self, drop_path_rate=0.0, use_checkpoint=False, checkpoint_path="none", norm="batch"):
            super().__init__()
            self.taken = drop_path_rate, use_checkpoint, checkpoint_path, norm

    package("foreign", Paths=Paths)
    given = {"drop_path_rate": 0.1, "use_checkpoint": True, "norm": "instance"}
    assert build("foreign:Paths", given).taken == (0.1, True, "", "instance")


def test_torchxrayvision_gives_logits(package):
    class XrayNet(Net):
        def __init__(self, op_threshs=None, apply_sigmoid=False):
            super().__init__(3, op_threshs, apply_sigmoid)
            self.op_threshs, self.apply_sigmoid = "set by the class", True

    package("torchxrayvision.models", DenseNet=XrayNet)
    network = build("torchxrayvision.models:DenseNet", {})
    assert network.op_threshs is None
    assert network.apply_sigmoid is False


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(InvalidModelCard, match="module “no_such_package_here” is not installed"):
        build("no_such_package_here.networks:Net", {})


def test_a_package_that_fails_on_import_is_said(tmp_path, monkeypatch):
    (tmp_path / "fails_on_import.py").write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        InvalidModelCard, match="cannot be imported: RuntimeError: operator nms does not exist"
    ):
        build("fails_on_import:Net", {})


def test_a_name_that_is_not_there_is_said():
    with pytest.raises(InvalidModelCard, match="has no “SmallRasNet”"):
        build("SmallRasNet", {})


def test_arguments_that_do_not_fit_are_named(package):
    package("foreign", Net=Net)
    with pytest.raises(
        InvalidModelCard, match=r"does not take its \[architecture_arguments\] \(depth\).*TypeError"
    ):
        build("foreign:Net", {"depth": 5})

"""Networks that arrive as .onnx, turned into torch modules by onnx2torch: their layers can be watched then.

onnx2torch hands node names on to torch.fx, which writes them into Python source that it executes; and tensors
of an ONNX file may lie in any other file. So all names are made anew, of plain letters, and a file that is
not complete by itself is refused.
"""

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from torch import nn

from camlucida.errors import InvalidWeights, MissingExtra
from camlucida.settings import settings

_MOST_NODES = 100_000
_LONGEST_NAME = 200
_DOMAINS = {"", "ai.onnx"}
_OPSET = 17  # onnx2torch 1.5 knows no later versions of the operators
_INSTALL = "Install it with `pip install 'camlucida[onnx]'`; torchvision must be of the same kind as torch."


def load_onnx(path: Path) -> nn.Module:
    """The network in an .onnx file, in evaluation mode; its modules are named after the file's nodes.

    Raises
    ------
    InvalidWeights
        The file is damaged, too large, not complete by itself, or uses operators that cannot be converted.
    MissingExtra
        onnx or onnx2torch is not installed.
    """
    onnx, onnx2torch = _libraries()
    if path.stat().st_size > settings().max_file_bytes:
        raise InvalidWeights(
            f"“{path.name}” has {path.stat().st_size} bytes, more than the {settings().max_file_bytes} that "
            "are allowed; set CAMLUCIDA_MAX_FILE_BYTES if it is meant."
        )
    model = _read(onnx, path)
    _refuse_foreign(model, path.name)
    try:
        onnx.checker.check_model(model)
        model = _of_known_version(model)
        _plain(onnx, model.graph)
        _rename(model.graph)
        _refuse_unknown_operators(model, path.name)
        network: nn.Module = onnx2torch.convert(model)
    except InvalidWeights:
        raise
    except Exception as error:  # a graph that does not add up may fail anywhere in onnx or onnx2torch
        raise InvalidWeights(
            f"“{path.name}” cannot be converted ({type(error).__name__}: {_first_line(error)}); export it "
            f"again with opset_version={_OPSET}, or load the Python network with its state dict."
        ) from error
    return network.eval()


def _of_known_version(model: Any) -> Any:
    """The model in the last version of the operators that onnx2torch knows, if it has a later one."""
    if _version(model) <= _OPSET:
        return model
    from onnx import version_converter  # noqa: PLC0415 - an extra, and not loaded by onnx itself

    return version_converter.convert_version(model, _OPSET)


def _version(model: Any) -> int:
    versions = {one.domain: one.version for one in model.opset_import}
    return int(versions.get("", versions.get("ai.onnx", 1)))


def _libraries() -> tuple[Any, Any]:
    try:
        import onnx  # noqa: PLC0415 - an extra
        import onnx2torch  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra(
            f"To read .onnx, the Python package {error.name} is missing. {_INSTALL}"
        ) from error
    except RuntimeError as error:  # a torchvision that was built for another torch fails while it is imported
        raise MissingExtra(
            f"onnx2torch needs torchvision, which does not work here ({_first_line(error)}). {_INSTALL}"
        ) from error
    return onnx, onnx2torch


def _read(onnx: Any, path: Path) -> Any:
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf has errors of its own, by another name in each version
        raise InvalidWeights(f"“{path.name}” is no ONNX file, or is damaged; copy it again.") from error
    if not model.graph.node:
        raise InvalidWeights(f"“{path.name}” is no ONNX file, or holds an empty graph; export it again.")
    return model


def _refuse_foreign(model: Any, file: str) -> None:
    """Whatever would be looked up elsewhere: other files, other domains' operators, graphs within graphs."""
    graph = model.graph
    if len(graph.node) > _MOST_NODES:
        raise InvalidWeights(f"“{file}” has {len(graph.node)} nodes, more than {_MOST_NODES}.")
    if any(tensor.data_location or len(tensor.external_data) for tensor in _tensors(graph)):
        raise InvalidWeights(
            f"“{file}” keeps its weights in another file; write them into this one: "
            "torch.onnx.export(…, external_data=False), or onnx.save(onnx.load(FILE), NEW)."
        )
    domains = {node.domain for node in graph.node} - _DOMAINS
    if domains or model.functions or graph.sparse_initializer:
        what = f"operators of {', '.join(sorted(domains))[:80]}" if domains else "functions or sparse weights"
        raise InvalidWeights(f"“{file}” has {what}; export it with the operators of ai.onnx alone.")
    nested = {
        node.op_type for node in graph.node for one in node.attribute if one.HasField("g") or one.graphs
    }
    if nested:
        raise InvalidWeights(
            f"“{file}” has control flow ({', '.join(sorted(nested))[:80]}), which is no fixed network; "
            "export it with fixed shapes."
        )


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("sparse_tensor"):
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            yield from attribute.tensors


def _plain(onnx: Any, graph: Any) -> None:
    """Without two things that exporters write and onnx2torch does not know, though they change nothing."""
    weights = {one.name: one for one in graph.initializer}
    same: dict[str, str] = {}  # the legacy exporter copies equal weights by Identity
    for node in list(graph.node):
        node.input[:] = [same.get(name, name) for name in node.input]
        if node.op_type == "Identity" and node.input[0] in weights:
            same[node.output[0]] = node.input[0]
            graph.node.remove(node)
        if node.op_type == "Reshape" and node.input[1] in weights:
            shape = onnx.numpy_helper.to_array(weights[node.input[1]])
            if shape.all():  # what becomes of a zero in the shape does not matter where there is none
                kept = [one for one in node.attribute if one.name != "allowzero"]
                del node.attribute[:]
                node.attribute.extend(kept)


def _rename(graph: Any) -> None:
    """New names for all values (v0, v1, …), and for the nodes their own without what is no letter."""
    names: dict[str, str] = {"": ""}
    numbers = count()

    def value(name: str) -> str:
        if name not in names:
            names[name] = f"v{next(numbers)}"
        return names[name]

    del graph.value_info[:]  # found again by shape inference
    for one in (*graph.input, *graph.output, *graph.initializer):
        one.name = value(one.name)
    taken = set(dir(nn.Module())) | {"initializers"}
    for node in graph.node:
        node.input[:] = [value(name) for name in node.input]
        node.output[:] = [value(name) for name in node.output]
        node.name = _unused(node.name or node.op_type, taken)
        node.doc_string = ""


def _unused(name: str, taken: set[str]) -> str:
    """A name of letters, digits and underscores that no other has: "/layer1/conv" becomes "layer1_conv"."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name[:_LONGEST_NAME]).strip("_") or "node"
    plain = f"node_{plain}" if plain[0].isdigit() or plain in taken else plain
    candidate, number = plain, 1
    while candidate in taken:
        number += 1
        candidate = f"{plain}_{number}"
    taken.add(candidate)
    return candidate


def _refuse_unknown_operators(model: Any, file: str) -> None:
    from onnx2torch.node_converters import get_converter  # noqa: PLC0415 - an extra

    version = _version(model)
    unknown = []
    for operator in sorted({node.op_type for node in model.graph.node}):
        try:
            get_converter(operation_type=operator, version=version, domain="")
        except NotImplementedError:
            unknown.append(operator)
    if unknown:
        raise InvalidWeights(
            f"“{file}” uses {', '.join(unknown)[:200]} of opset {version}, which onnx2torch does not know; "
            "export it with another opset_version, or load the Python network with its state dict."
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:200]

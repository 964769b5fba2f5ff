"""Networks that arrive as a graph: the .pt2 of torch.export.save, read without running what it may hold.

torch.export.load (torch 2.13) trusts its archive: it unpickles sample inputs and custom objects, hands
symbolic sizes to sympy's parser (which calls eval), writes names into Python source that it executes, and
loads compiled libraries. So nothing of the archive is handed on as it is: the graph is checked string by
string, and a new archive is written, in memory, that holds the checked graph and raw tensor bytes alone.
"""

import io
import json
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from camlucida.errors import InvalidWeights
from camlucida.settings import settings

_LARGEST_JSON = 64_000_000  # bytes of the graph's description
_MOST_NODES = 100_000
_ITEM_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 2,
    7: 4,
    8: 8,
    12: 1,
    13: 2,
}  # torch._export.serde.schema.ScalarType

_OPERATOR = re.compile(r"torch\.ops\.aten\.(?!from_file\b)[a-zA-Z_]\w*\.\w+")
_UNCHECKED = (
    re.compile(  # operators that trust indices or packed bytes, and read and write beyond their memory
        r"torch\.ops\.aten\.(\w*(sparse|nested|fbgemm|int4|int8pack|dyn_quant|embedding_bag)\w*"
        r"|\w*_(coo|csr|csc|bsr|bsc)(_\w*)?|_?resize\w*|set_?)\."
    )
)
_ARITHMETIC = {
    f"_operator.{name}"
    for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "getitem", "eq", "ne", "ge", "le", "gt", "lt")
}
_NAME = re.compile(r"[A-Za-z0-9_.]{0,500}")
_WORD = re.compile(r"[a-z_]{0,20}")  # "constant", "none", "tanh": the only text that operators of a CNN take
_SIZE = re.compile(  # what a symbolic size is written with; no powers, which could grow without end
    r"Symbol\('[su]\d{1,6}'(, (positive|nonnegative|integer)=True)*\)|[su]\d{1,6}|\d{1,12}"
    r"|Integer|Add|Mul|Max|Min|FloorDiv|CeilDiv|CleanDiv|Mod|PythonMod"
    r"|(Strict)?(Less|Greater)Than|Equality|Unequality|[-+*(), ]|//"
)
_MODULE_STACK = re.compile(r"[\w.,;:@$\[\]<> ()'-]{0,20000}")
_PAYLOAD = re.compile(r"(weight|tensor)_\d{1,6}")
_VERSION = re.compile(r"[\w.+<= ]{0,40}")
_TREE_TYPES = {None, "builtins.tuple", "builtins.list", "builtins.dict"}


def load_exported(path: Path) -> nn.Module:
    """The network in a .pt2, with the names of its modules, in evaluation mode.

    Raises
    ------
    InvalidWeights
        The archive is damaged, too large, or holds anything but tensors and a graph of tensor operations.
    """
    archive = io.BytesIO(_checked(path))
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # torch logs a traceback for what becomes one sentence below
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own use of its deprecated LeafSpec
            return torch.export.unflatten(torch.export.load(archive))
    except Exception as error:  # a graph that does not add up may fail anywhere
        raise InvalidWeights(
            f"“{path.name}” cannot be loaded by torch {torch.__version__} ({type(error).__name__}); export "
            "it again with this version."
        ) from error
    finally:
        logger.setLevel(level)


def _checked(path: Path) -> bytes:
    """The bytes of a new archive with what was checked; nothing else gets through."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, path.name)
            return _rewritten(archive, entries)
    except _Refused as refusal:
        raise InvalidWeights(f"“{path.name}” is refused: {refusal}.") from refusal
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidWeights(f"“{path.name}” is no .pt2 of torch.export.save, or is damaged.") from error
    except (RecursionError, NotImplementedError, RuntimeError) as error:
        raise InvalidWeights(f"“{path.name}” is nested, packed or locked as no .pt2 is.") from error


class _Refused(Exception):  # noqa: N818 - the reason of a refusal; its sentence begins in _checked
    pass


def _entries(archive: zipfile.ZipFile, file: str) -> dict[str, zipfile.ZipInfo]:
    """The archive's entries by their names below its one root folder."""
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename.partition("/")[2]
        if name in entries:
            raise _Refused(f"it holds “{name}” twice")
        entries[name] = entry
    if "models/model.json" not in entries:
        raise _Refused("it has no models/model.json; write it with torch.export.save")
    foreign = [name for name in entries if name.startswith(("data/aotinductor/", "extra/")) or ".." in name]
    if foreign:
        raise _Refused(
            f"it holds “{foreign[0]}”, which is neither graph nor tensor; export it with torch.export.save"
        )
    if sum(entry.file_size for entry in entries.values()) > settings().max_file_bytes:
        raise _Refused(f"“{file}” grows beyond what CAMLUCIDA_MAX_FILE_BYTES allows")
    return entries


def _rewritten(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> bytes:
    graph = _graph(_json(archive, entries, "models/model.json"))
    new = io.BytesIO()
    with zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as clean:

        def put(name: str, content: bytes) -> None:
            clean.writestr(f"model/{name}", content)

        put("archive_format", b"pt2")
        put("archive_version", b"0")
        put("byteorder", b"little")
        put(".data/version", b"3\n")
        put("models/model.json", json.dumps(graph).encode())
        put("data/sample_inputs/model.pt", b"")  # torch would unpickle them
        for folder, config in (("weights", "model_weights"), ("constants", "model_constants")):
            name = f"data/{folder}/{config}_config.json"
            payloads = _payloads(_json(archive, entries, name), entries, f"data/{folder}")
            put(name, json.dumps(payloads).encode())
            for payload in {meta["path_name"] for meta in payloads["config"].values()}:
                put(f"data/{folder}/{payload}", archive.read(entries[f"data/{folder}/{payload}"]))
    return new.getvalue()


def _json(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], name: str) -> dict[str, Any]:
    if name not in entries:
        raise _Refused(f"it has no {name}; write it with torch.export.save of torch 2.9 or later")
    if entries[name].file_size > _LARGEST_JSON:
        raise _Refused(f"{name} is larger than {_LARGEST_JSON} bytes")
    content = json.loads(archive.read(entries[name]))
    if not isinstance(content, dict):
        raise _Refused(f"{name} is no JSON object")
    return content


def _payloads(
    config: dict[str, Any], entries: Mapping[str, zipfile.ZipInfo], folder: str
) -> dict[str, dict[str, Any]]:
    """The list of tensors, without any that would be unpickled or that claims more than its bytes."""
    _check(config)
    for name, meta in config["config"].items():
        if meta["use_pickle"] or meta["tensor_meta"] is None or not _PAYLOAD.fullmatch(meta["path_name"]):
            raise _Refused(f"“{name}” is a Python object, and reading it would run code")
        described = meta["tensor_meta"]
        sizes = [size["as_int"] for size in described["sizes"]]
        needed = prod(sizes) * _ITEM_BYTES.get(described["dtype"], 16)
        held = entries[f"{folder}/{meta['path_name']}"].file_size
        if any(size < 0 for size in sizes) or needed > max(held, 0):
            raise _Refused(f"“{name}” claims {needed} bytes and has {held}")
    return {"config": config["config"]}


def _graph(program: dict[str, Any]) -> dict[str, Any]:
    """The graph's description without what is not needed, every string of the rest checked."""
    program["guards_code"] = []  # torch would execute them
    for graph in _graphs(program):
        for node in graph["nodes"]:
            stack = node["metadata"].get("nn_module_stack", "")
            if not _MODULE_STACK.fullmatch(stack):
                raise _Refused("the path of a module is not made of names")
            node["metadata"] = {}
            _check_node(node)
            _check(node)
            node["metadata"] = {"nn_module_stack": stack} if stack else {}
    for entry in program["graph_module"]["module_call_graph"]:
        _check_signature(entry.get("signature"))
    _check({key: value for key, value in program.items() if key != "graph_module"})
    _check_parts(program["graph_module"])
    return program


def _graphs(program: dict[str, Any]) -> Iterator[dict[str, Any]]:
    graph = program["graph_module"]["graph"]
    if len(graph["nodes"]) > _MOST_NODES:
        raise _Refused(f"it has {len(graph['nodes'])} operations, more than {_MOST_NODES}")
    yield graph


def _check_parts(graph_module: dict[str, Any]) -> None:
    """All of the graph module but the operations and call signatures, which have rules of their own."""
    graph_module["metadata"] = {}
    graph_module["treespec_namedtuple_fields"] = {}
    graph = {key: value for key, value in graph_module["graph"].items() if key != "nodes"}
    _check(graph)
    _check(graph_module["signature"])
    for entry in graph_module["module_call_graph"]:
        _check({key: value for key, value in entry.items() if key != "signature"})


def _check_node(node: dict[str, Any]) -> None:
    target = node["target"]
    if not (isinstance(target, str) and (_OPERATOR.fullmatch(target) or target in _ARITHMETIC)):
        raise _Refused(f"its graph calls “{str(target)[:80]}”, which is no tensor operation of ATen")
    if _UNCHECKED.match(target):
        raise _Refused(f"its graph calls “{target[:80]}”, which does not check what it is given")
    for argument in node["inputs"]:
        if argument["name"] in {"training", "train"} and argument["arg"] == {"as_bool": True}:
            raise _Refused("it was exported in training mode; call eval() on the network and export it again")


def _check_signature(signature: dict[str, Any] | None) -> None:
    """How arguments are packed: tuples, lists and dicts only; other types would be looked up by import."""
    if signature is None:
        return
    for spec in ("in_spec", "out_spec"):
        _, tree = json.loads(signature[spec])
        _check_tree(tree)
    _check({key: value for key, value in signature.items() if key not in {"in_spec", "out_spec"}})


def _check_tree(tree: dict[str, Any]) -> None:
    if tree["type"] not in _TREE_TYPES:
        raise _Refused(f"it takes or returns a “{str(tree['type'])[:80]}”; export a network of plain tensors")
    context = tree["context"]
    _check(json.loads(context) if isinstance(context, str) else context)
    for child in tree["children_spec"]:
        _check_tree(child)


def _check(value: Any, key: str = "") -> None:
    """Refuse any text, at any depth, that is not of the kind that its key holds."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, "")
            _check(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str):
        _check_text(value, key)


def _check_text(text: str, key: str) -> None:
    if key == "expr_str":
        safe = len(text) <= 200 and not _SIZE.sub("", text) and "**" not in text
    elif key == "as_string":
        safe = bool(_WORD.fullmatch(text))
    elif key == "torch_version":
        safe = bool(_VERSION.fullmatch(text))
    elif key == "type" and text not in {"", "cpu"}:
        raise _Refused(f"it was exported on “{text[:20]}”; move the network to the CPU and export it again")
    else:
        safe = bool(_NAME.fullmatch(text))
    if not safe:
        raise _Refused(f"“{text[:80]}” is not a name or size as torch.export writes it")

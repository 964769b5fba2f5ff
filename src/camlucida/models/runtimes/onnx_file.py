"""A trunk as an ONNX file, the one form that both ONNX Runtime and OpenVINO read."""

import torch

from camlucida.errors import UnsuitableRuntime
from camlucida.models.split import EAGER, IMAGES, ROWS, Split, first_line, quiet

ACTIVATIONS, LOGITS = "activations", "logits"
MODULES = ("onnx", "onnxscript")
_LARGEST = 2**31 - 1  # bytes: what a protocol buffer holds


def onnx_file(split: Split) -> bytes:
    """The trunk, images (1, channel, *space) to activations (1, channel, *grid), with its weights.

    Raises
    ------
    UnsuitableRuntime
        It has an operation that ONNX lacks, or is too large for one file.
    """
    from onnx.utils import Extractor  # noqa: PLC0415 - an extra

    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                split.program,
                (split.images, split.rows),
                dynamo=True,
                verbose=False,
                input_names=[IMAGES, ROWS],
                output_names=[ACTIVATIONS, LOGITS],
            )
            whole = Extractor(program.model_proto)  # type: ignore[union-attr]  # with dynamo, always a program
            content: bytes = whole.extract_model([IMAGES], [ACTIVATIONS]).SerializeToString()
    except Exception as error:  # an exporter may fail in any way
        raise UnsuitableRuntime(
            f"This network cannot be written as ONNX ({type(error).__name__}: {first_line(error)}); {EAGER}."
        ) from error
    if len(content) > _LARGEST:
        raise UnsuitableRuntime(
            f"The part before the cut takes {len(content)} bytes, more than ONNX holds; {EAGER}."
        )
    return content

"""ONNX Runtime on the CPU."""

import torch
from torch import Tensor

from camlucida.models.runtimes.onnx_file import ACTIVATIONS, MODULES
from camlucida.models.runtimes.runtime import Exported, Runtime, Trunk
from camlucida.models.split import IMAGES


def make(exported: Exported, precision: str) -> Trunk:
    """The trunk in ONNX Runtime, with as many threads as torch has now."""
    import onnxruntime  # noqa: PLC0415 - an extra

    del precision  # it has one
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    # Between two images its threads would turn and wait, and take the processor from torch's.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(exported.onnx, options, providers=["CPUExecutionProvider"])

    def trunk(images: Tensor) -> Tensor:
        (activations,) = session.run([ACTIVATIONS], {IMAGES: images.numpy()})
        return torch.from_numpy(activations)

    return trunk


RUNTIME = Runtime("onnxruntime", "onnxruntime", ("onnxruntime", *MODULES), make)

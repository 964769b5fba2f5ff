"""OpenVINO on the CPU, in float32 unless bfloat16 is asked for."""

import torch
from torch import Tensor

from camlucida.models.runtimes.onnx_file import MODULES
from camlucida.models.runtimes.runtime import BFLOAT16, FLOAT32, Exported, Runtime, Trunk

_HINTS = {FLOAT32: "f32", BFLOAT16: "bf16"}


def make(exported: Exported, precision: str) -> Trunk:
    """The trunk in OpenVINO, with as many threads as torch has now."""
    import openvino  # noqa: PLC0415 - an extra

    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(exported.onnx),
        "CPU",
        {
            # Its own default is bfloat16 where the processor has it: maps then differ by about 1 %.
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # two processes would pin themselves to the same cores
        },
    )

    def trunk(images: Tensor) -> Tensor:
        return torch.from_numpy(compiled([images.numpy()])[0])

    return trunk


RUNTIME = Runtime("openvino", "openvino", ("openvino", *MODULES), make, precisions=(FLOAT32, BFLOAT16))

"""OpenVINO on the CPU, in float32 unless bfloat16 is asked for."""

import torch
from torch import Tensor

from camlucida.errors import UnsuitableRuntime
from camlucida.models.runtimes.onnx_file import MODULES
from camlucida.models.runtimes.runtime import BFLOAT16, FLOAT32, Exported, Runtime, Trunk

_HINTS = {FLOAT32: "f32", BFLOAT16: "bf16"}


def has_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor."""
    import openvino  # noqa: PLC0415 - an extra

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def make(exported: Exported, precision: str) -> Trunk:
    """The trunk in OpenVINO, with as many threads as torch has now."""
    import openvino  # noqa: PLC0415 - an extra

    core = openvino.Core()
    if precision == BFLOAT16 and not has_bfloat16():  # OpenVINO says it less clearly, or not
        raise UnsuitableRuntime(
            'This processor does not compute in bfloat16; runtime="openvino" computes in float32.'
        )
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

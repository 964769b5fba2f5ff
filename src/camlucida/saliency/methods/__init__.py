"""All methods, by their papers' names in lower case. A new method is one file here and one line below."""

from camlucida.errors import UnknownMethod
from camlucida.saliency.method import Method
from camlucida.saliency.methods import (
    ablation_cam,
    attention_rollout,
    cam,
    counterfactual_grad_cam,
    deconvolution,
    eigen_cam,
    finer_cam,
    fullgrad,
    grad_cam,
    grad_cam_plus_plus,
    gradient,
    gradient_shap,
    guided_backpropagation,
    guided_grad_cam,
    hirescam,
    input_x_gradient,
    integrated_gradients,
    kernel_shap,
    layercam,
    lime,
    occlusion,
    recipro_cam,
    score_cam,
    shapley_cam,
    smoothgrad,
    xgrad_cam,
)

_MODULES = (
    # class activation maps, by gradients through the head
    grad_cam,
    hirescam,
    grad_cam_plus_plus,
    xgrad_cam,
    layercam,
    shapley_cam,
    finer_cam,
    counterfactual_grad_cam,
    # class activation maps, without gradients
    cam,
    ablation_cam,
    recipro_cam,
    score_cam,
    eigen_cam,
    # a transformer's own attention
    attention_rollout,
    # attributions to the input's pixels
    fullgrad,
    gradient,
    input_x_gradient,
    smoothgrad,
    integrated_gradients,
    gradient_shap,
    deconvolution,
    guided_backpropagation,
    guided_grad_cam,
    # attributions to regions of the input, without gradients
    occlusion,
    lime,
    kernel_shap,
)

METHODS: dict[str, Method] = {module.METHOD.name.lower(): module.METHOD for module in _MODULES}


def find_method(name: str) -> tuple[str, Method]:
    """A method and its key in METHODS; case, hyphens, spaces and underscores do not matter.

    Raises
    ------
    UnknownMethod
        There is no such method; the message lists those that are.
    """
    for key, method in METHODS.items():
        if _plain(name) in map(_plain, (key, *method.aliases)):
            return key, method
    raise UnknownMethod(f"There is no method “{name}”; there are: {', '.join(METHODS)}.")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in "-_ ")

"""How a method is called where its mathematics is not at hand: in pictures, in reports, in the viewer.

A test holds these tables against the methods themselves.
"""

SPELLING = {
    "grad-cam": "Grad-CAM",
    "hirescam": "HiResCAM",
    "grad-cam++": "Grad-CAM++",
    "xgrad-cam": "XGrad-CAM",
    "layercam": "LayerCAM",
    "shapleycam": "ShapleyCAM",
    "finer-cam": "Finer-CAM",
    "counterfactual grad-cam": "Counterfactual Grad-CAM",
    "cam": "CAM",
    "ablation-cam": "Ablation-CAM",
    "recipro-cam": "Recipro-CAM",
    "score-cam": "Score-CAM",
    "eigen-cam": "Eigen-CAM",
    "attention rollout": "Attention Rollout",
    "fullgrad": "FullGrad",
    "gradient": "Gradient",
    "input x gradient": "Input x Gradient",
    "smoothgrad": "SmoothGrad",
    "integrated gradients": "Integrated Gradients",
    "gradientshap": "GradientSHAP",
    "deconvolution": "Deconvolution",
    "guided backpropagation": "Guided Backpropagation",
    "guided grad-cam": "Guided Grad-CAM",
    "occlusion": "Occlusion",
    "lime": "LIME",
    "kernelshap": "KernelSHAP",
}
"""Names as their papers write them, by their keys in METHODS."""

CLASS_AGNOSTIC = frozenset({"eigen-cam", "attention rollout"})
"""Methods whose map is the same for every finding, so that it explains none."""

OPPOSING = frozenset({"counterfactual grad-cam"})
"""Methods whose values above 0 are what argues against the finding."""

DEAR = frozenset(
    {
        "score-cam",
        "smoothgrad",
        "integrated gradients",
        "gradientshap",
        "occlusion",
        "lime",
        "kernelshap",
    }
)
"""Methods that ask the network dozens or hundreds of times: minutes for a large image on a processor."""

EXPLAINS_NO_FINDING = "Explains no finding: the map is the same for all of them."


def spelling(method: str) -> str:
    """The paper's spelling of a method's key; a method of your own keeps its key."""
    return SPELLING.get(method, method)

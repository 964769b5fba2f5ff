"""camlucida shows why a medical-imaging network says what it says.

>>> import camlucida
>>> image = camlucida.read_image("chest.dcm")  # doctest: +SKIP
>>> model = camlucida.load_model("phantom-radiograph")  # doctest: +SKIP
>>> result = camlucida.explain(model, image)  # doctest: +SKIP

Research software, not a medical device.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from camlucida.version import __version__

if TYPE_CHECKING:
    from camlucida.images.read import read_image
    from camlucida.models.load import load_model
    from camlucida.saliency.explain import explain, explain_batch
    from camlucida.saliency.methods import METHODS

_HOME = {
    "METHODS": "camlucida.saliency.methods",
    "explain": "camlucida.saliency.explain",
    "explain_batch": "camlucida.saliency.explain",
    "load_model": "camlucida.models.load",
    "read_image": "camlucida.images.read",
}

__all__ = ["METHODS", "__version__", "explain", "explain_batch", "load_model", "read_image"]


def __getattr__(name: str) -> Any:
    """Fetch a public name on first use: `import camlucida` must not load torch."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'camlucida' has no attribute {name!r}")

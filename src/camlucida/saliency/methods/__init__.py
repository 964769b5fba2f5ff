"""All methods, by their papers' names in lower case. A new method is one file here and one line below."""

from camlucida.errors import UnknownMethod
from camlucida.saliency.method import Method
from camlucida.saliency.methods import grad_cam, grad_cam_plus_plus, hirescam, layercam, score_cam

METHODS: dict[str, Method] = {
    "grad-cam": grad_cam.METHOD,
    "grad-cam++": grad_cam_plus_plus.METHOD,
    "hirescam": hirescam.METHOD,
    "layercam": layercam.METHOD,
    "score-cam": score_cam.METHOD,
}


def find_method(name: str) -> tuple[str, Method]:
    """A method and its key in METHODS; case, hyphens, spaces and underscores do not matter.

    Raises
    ------
    UnknownMethod
        There is no such method; the message lists those that are.
    """
    for key, method in METHODS.items():
        if _plain(key) == _plain(name):
            return key, method
    raise UnknownMethod(f"There is no method “{name}”; there are: {', '.join(METHODS)}.")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter not in "-_ ")

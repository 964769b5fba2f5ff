"""In which runtime a subject's network runs: as asked, or as the settings say."""

from camlucida.models.runtimes.fast import Eager, Fast, load
from camlucida.saliency.known_networks import known
from camlucida.saliency.subject import Subject
from camlucida.settings import settings


def running(subject: Subject, asked: str | None) -> Fast | Eager:
    """The runtime of this name; it is exported and looked at once per network, cut and input size.

    Raises
    ------
    UnsuitableRuntime, MissingExtra
        As `load`.
    """
    runtime = settings().runtime if asked is None else asked
    digest = subject.model.digest if subject.model else ""
    key = (runtime, subject.cut, tuple(subject.inputs.shape[1:]), subject.logits)
    return known(subject.network).runtime(
        key, lambda: load(subject.network, subject.inputs, subject.cut, subject.logits, runtime, digest)
    )

"""Every error that camlucida raises on purpose.

    CamlucidaError
    ├── InputError              something that came from outside cannot be used
    │   ├── UnreadableFile      damaged, truncated, or of a kind nobody here reads
    │   ├── FileTooLarge        beyond the bounds in settings.py
    │   ├── MissingGeometry     positions or spacing that are needed are not there
    │   ├── UnsuitableImage     readable, but not what this model takes
    │   └── NotDeidentified     a copy without identity cannot be made of it
    ├── InvalidSetting          an environment variable says something impossible
    ├── ModelError
    │   ├── InvalidModelCard    model.toml says something impossible
    │   ├── InvalidWeights      the weights cannot be read safely, or do not fit the architecture
    │   ├── UnknownModel        no such model is registered
    │   ├── ModelChanged        the files no longer have the digest they were registered with
    │   ├── UnsupportedNetwork  the network cannot be explained, and why
    │   └── UnsuitableRuntime   the network can be explained, but not in this runtime, and why
    ├── ExplainError
    │   ├── UnknownMethod
    │   ├── UnknownFinding
    │   ├── UnknownCheck
    │   ├── IncomparablePrior   the prior's map is of another model, method or finding
    │   ├── NoTargetLayer       no layer with spatial extent that the output depends on
    │   └── CohortInterrupted   a process that explains a cohort's shards has ended
    ├── StoreError
    │   ├── DamagedBlob         a kept file does not have its digest any more
    │   ├── DiskFull            no room in the home folder
    │   ├── NotAnswering        PostgreSQL or the S3-compatible store cannot be asked now
    │   ├── MustWait            too many tries to sign in have failed
    │   └── UnknownStudy        no study here, or more than one, is meant by what was said
    ├── PacsError
    │   ├── InvalidConfiguration  pacs.toml says something impossible
    │   ├── UnknownDestination    no destination of this name
    │   └── NotReached            the other side does not answer, or refuses us
    └── MissingExtra            an optional part is not installed

An error is a sentence with the value and the cure; it never holds patient data.
"""

import traceback


class CamlucidaError(Exception):
    """Something camlucida cannot do, said in one sentence."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class InputError(CamlucidaError):
    """The input cannot be used."""


class UnreadableFile(InputError):  # noqa: N818 - the sentence reads better without "Error"
    """The file is damaged or of a kind that camlucida does not read."""


class FileTooLarge(InputError):  # noqa: N818
    """The file is larger than the settings allow."""


class MissingGeometry(InputError):  # noqa: N818
    """The image lacks the positions or the spacing that this needs."""


class UnsuitableImage(InputError):  # noqa: N818
    """The model does not take this kind of image."""


class NotDeidentified(InputError):  # noqa: N818
    """A copy without identity cannot be made of this file."""


class InvalidSetting(CamlucidaError):  # noqa: N818
    """A setting of the environment has a value that it cannot have."""


class ModelError(CamlucidaError):
    """The model cannot be used."""


class InvalidModelCard(ModelError):  # noqa: N818
    """The model.toml is not valid."""


class InvalidWeights(ModelError):  # noqa: N818
    """The weights cannot be read safely, or do not fit the architecture."""


class UnknownModel(ModelError):  # noqa: N818
    """No such model is registered; `camlucida models list` shows those that are."""


class ModelChanged(ModelError):  # noqa: N818
    """The model's files have changed since they were registered; register them as a new version."""


class UnsupportedNetwork(ModelError):  # noqa: N818
    """The network cannot be explained."""


class UnsuitableRuntime(ModelError):  # noqa: N818
    """The network cannot be run in this runtime; runtime="eager" takes any network."""


class ExplainError(CamlucidaError):
    """The explanation cannot be computed."""


class UnknownMethod(ExplainError):  # noqa: N818
    """No such method; `camlucida methods` lists them."""


class UnknownFinding(ExplainError):  # noqa: N818
    """The model has no such finding."""


class UnknownCheck(ExplainError):  # noqa: N818
    """No such check; there are causal, stability and agreement."""


class IncomparablePrior(ExplainError):  # noqa: N818
    """The prior's map cannot be compared with this one."""


class NoTargetLayer(ExplainError):  # noqa: N818
    """The network has no layer with spatial extent that its output depends on."""


class CohortInterrupted(ExplainError):  # noqa: N818
    """A process that explained shards has ended, as when memory runs out; start with fewer --workers."""


class StoreError(CamlucidaError):
    """The store cannot be used."""


class DiskFull(StoreError):  # noqa: N818
    """The disk of the home folder is full; make room, and send or import again."""


class DamagedBlob(StoreError):  # noqa: N818
    """A kept file no longer has the content it was kept with.

    `digest` says which one, where it is known.
    """

    def __init__(self, message: str = "", digest: str = "") -> None:
        super().__init__(message)
        self.digest = digest


class NotAnswering(StoreError):  # noqa: N818
    """The database or the store of kept files does not answer; what waits is done when it does."""


class MustWait(StoreError):  # noqa: N818
    """Too many tries to sign in have failed."""

    def __init__(self, seconds: int = 1) -> None:
        super().__init__(f"Too many tries to sign in have failed; try again in {seconds} s.")
        self.seconds = seconds


class UnknownStudy(StoreError):  # noqa: N818
    """No study here has this key, Study Instance UID or accession number; `camlucida store size` has keys."""


class PacsError(CamlucidaError):
    """Something between the station and other DICOM nodes does not work."""


class InvalidConfiguration(PacsError):  # noqa: N818
    """The pacs.toml is not valid."""


class UnknownDestination(PacsError):  # noqa: N818
    """No such destination; `camlucida pacs show` lists those of pacs.toml."""


class NotReached(PacsError):  # noqa: N818
    """The other side does not answer, or refuses us."""


class MissingExtra(CamlucidaError):  # noqa: N818
    """An optional part of camlucida is not installed."""


def sentence(error: BaseException) -> str:
    """What to tell of an error: ours as it is; of any other only the kind, as its text may quote a header."""
    if isinstance(error, CamlucidaError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}."
    if isinstance(error, MemoryError):
        return "There is not enough memory for it."
    import structlog  # noqa: PLC0415 - whoever asks for help only needs none of it

    # Frames only: the error's text and the values in the frames may be a patient's.
    frames = traceback.format_tb(error.__traceback__)
    structlog.get_logger().debug("unexpected", error=type(error).__name__, frames=frames)
    return (
        f"camlucida met a fault of its own ({type(error).__name__}); please report it without patient data."
    )

"""`pacs.toml` in the home folder: where the station listens, what is for which model, where results go."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

import structlog
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from camlucida.errors import InvalidConfiguration

FILE = "pacs.toml"
LARGEST = 1_000_000  # bytes

_log = structlog.get_logger()

AeTitle = Annotated[str, StringConstraints(pattern=r"^[^\\\s](?:[^\\\n\r\f\x1b]{0,14}[^\\\s])?$")]
"""Application Entity title: 1 to 16 characters without backslash (PS3.5 6.2, AE)."""
Profile = Literal["clinical", "research", "ohif"]
Port = Annotated[int, Field(ge=0, le=65535)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Table):
    """Certificates of a DIMSE connection (PS3.15 B.12, BCP 195)."""

    certificate: Path
    key: Path
    authority: Path | None = None  # None: callers show none; whom we call is of the system's authorities


class Peer(_Table):
    """Who may call us; an empty address: from anywhere."""

    ae_title: AeTitle
    address: str = ""


class Listening(_Table):
    """`[listen]`: what the station accepts by itself."""

    ae_title: AeTitle = "CAMLUCIDA"
    host: str = "127.0.0.1"
    port: Port = 11112
    peers: tuple[Peer, ...] = ()  # empty: anyone on this machine; needed before other machines are let in
    tls: Tls | None = None
    associations: int = Field(default=16, ge=1, le=256)
    quiet_seconds: float = Field(default=10.0, ge=0, le=86400)
    folders: tuple[Path, ...] = ()  # watched


class _Receiver(_Table):
    profile: Profile = "clinical"
    give_up_hours: float = Field(default=72.0, gt=0, le=8760)  # of tries, until `camlucida pacs retry`


class Dimse(_Receiver):
    """`[destination.NAME]` with `kind = "dimse"`: a DICOM node."""

    kind: Literal["dimse"]
    ae_title: AeTitle
    host: str
    port: Port
    calling_ae_title: AeTitle = "CAMLUCIDA"
    tls: Tls | None = None


class DicomWeb(_Receiver):
    """`[destination.NAME]` with `kind = "dicomweb"`: the base URL of STOW-RS, QIDO-RS and WADO-RS."""

    kind: Literal["dicomweb"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")]
    user: str = ""
    password_variable: str = ""  # name of the environment variable that holds the password
    token_variable: str = ""  # name of the environment variable that holds a bearer token
    authority: Path | None = None  # certificate of the authority that signed the server's


Destination = Annotated[Dimse | DicomWeb, Field(discriminator="kind")]
Words = tuple[str, ...]


class Rule(_Table):
    """`[[rule]]`: the first whose conditions all hold decides. A condition lists what is accepted.

    Values are compared without regard to case; `*` stands for any characters and `?` for one. An absent
    condition always holds.
    """

    name: str = Field(min_length=1)
    modality: Words = ()
    body_part: Words = ()
    view: Words = ()
    manufacturer: Words = ()
    study_description: Words = ()
    series_description: Words = ()
    sender: Words = ()

    models: Words | None = None  # None: every registered model that is for such images
    not_for_us: str = ""  # the reason why such images are kept and not explained
    results: Profile | Literal["none"] | None = None  # None: the destination's profile, or clinical
    send_to: Words = ()  # names of destinations; none: results are kept here only

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.not_for_us and (self.models is not None or self.results is not None or self.send_to):
            raise ValueError("what is not for us has no models, no results and nothing to send")
        if self.results == "none" and self.send_to:
            raise ValueError('results = "none" leaves nothing to send; leave out send_to')
        return self


class Configuration(_Table):
    """The whole of `pacs.toml`."""

    listen: Listening = Listening()
    destination: dict[str, Destination] = {}
    rule: tuple[Rule, ...] = ()


class ConfigurationFile:
    """The `pacs.toml` of a home folder, read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises
        ------
        InvalidConfiguration
            As `read_configuration`.
        """
        self._folder = folder
        self._seen = self._state()
        self._current = read_configuration(folder)

    def current(self) -> Configuration:
        """What the file says now, or, where it has become invalid, what it said last; that is logged once."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            try:
                self._current = read_configuration(self._folder)
            except InvalidConfiguration as error:
                _log.error("pacs.toml is not taken over", reason=str(error))
            else:
                _log.info("pacs.toml was read again")
        return self._current

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = (self._folder / FILE).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read_configuration(folder: Path) -> Configuration:
    """The configuration of a home folder; the defaults where there is no file.

    Raises
    ------
    InvalidConfiguration
        The file cannot be read, is not TOML, has an unknown word or an impossible value, or a rule names no
        destination.
    """
    path = folder / FILE
    try:
        content = _content(path)
        found = Configuration.model_validate(tomllib.loads(content))
    except OSError as error:
        raise InvalidConfiguration(f"{path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{path} is not TOML: {error}.") from error
    except ValidationError as error:
        raise InvalidConfiguration(f"{path}: {_first(error)}") from error
    _check_names(path, found)
    return found


def _content(path: Path) -> str:
    """The file's text; nothing where there is no file."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InvalidConfiguration(f"{path} has more than {LARGEST} bytes.")
    return content.decode("utf-8")


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    words = "there is no such word" if first["type"] == "extra_forbidden" else first["msg"]
    more = error.error_count() - 1
    return f"{place}: {words}{f' (and {more} more)' if more else ''}; see docs/reference/pacs-toml.md."


def _check_names(path: Path, found: Configuration) -> None:
    names = [rule.name for rule in found.rule]
    for name in names:
        if names.count(name) > 1:
            raise InvalidConfiguration(f"{path}: more than one rule is called “{name}”.")
    for rule in found.rule:
        for name in rule.send_to:
            if name not in found.destination:
                known = ", ".join(found.destination) or "none"
                raise InvalidConfiguration(
                    f"{path}: the rule “{rule.name}” sends to “{name}”, which is no destination; "
                    f"there are: {known}."
                )

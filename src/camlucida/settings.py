"""Every setting: default, environment variable, meaning.

Each field `x` is read from the environment variable `CAMLUCIDA_X`.
"""

import ipaddress
from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from camlucida.errors import InvalidSetting


def default_home() -> Path:
    """Where studies, models and maps are kept unless told otherwise."""
    return Path.home() / ".local" / "share" / "camlucida"


class Settings(BaseSettings):
    """All settings of camlucida; the field's description is its documentation."""

    model_config = SettingsConfigDict(env_prefix="CAMLUCIDA_", frozen=True, hide_input_in_errors=True)

    home: Path = Field(
        default_factory=default_home, description="Folder with the database and all kept files."
    )
    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="`postgresql://user:password@host/name` of a PostgreSQL database; empty: SQLite in the "
        "home folder.",
    )
    blobs_url: str = Field(
        default="",
        pattern=r"^(s3://[^\s@?#]+)?$",
        description="`s3://bucket/prefix` of an S3-compatible store for all kept files, with the credentials "
        "and the endpoint in AWS's own variables; empty: a folder in the home folder.",
    )
    blobs_cache_bytes: int = Field(
        default=10_000_000_000,
        gt=0,
        description="With `CAMLUCIDA_BLOBS_URL`: so many bytes of copies may lie in the home folder, for "
        "what reads files piece by piece; the oldest go first.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8765, ge=0, le=65535, description="Port of the server; 0 takes a free one.")
    public_url: str = Field(
        default="",
        pattern=r"^(https://[^/\s@]+)?$",
        description="`https://name` under which a reverse proxy of yours shows the station. Only with it may "
        "the server listen on an address that other machines reach; its name is then accepted, too.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the server's certificate and those above it: the server then speaks "
        "HTTPS, and may listen on an address that other machines reach.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM file with the private key of `tls_certificate`, not encrypted."
    )
    ohif_origins: str = Field(
        default="",
        description="Comma-separated `https://name` of OHIF viewers elsewhere that may read the station with "
        "an access token; none by default.",
    )
    session_hours: float = Field(
        default=12.0, gt=0, description="Hours after which a signed-in browser has to sign in again."
    )
    audit_key: Path | None = Field(
        default=None,
        description="File with the private key that signs the checkpoints of the audit trail; by default "
        "`audit.key` in the home folder, made at first need.",
    )
    audit_syslog: str = Field(
        default="",
        pattern=r"^((udp|tcp|tls)://[^/\s@]+)?$",
        description="`udp://host:port`, `tcp://host:port` or `tls://host:port` of a syslog server that gets "
        "the audit trail as DICOM audit messages (PS3.15 A.5), too; none by default.",
    )
    audit_syslog_ca: Path | None = Field(
        default=None,
        description="File with the certificates that the syslog server's is checked against; by default "
        "those that the operating system trusts.",
    )
    writes_per_minute: int = Field(
        default=3000,
        gt=0,
        description="Requests that change something which one user or access token may send in a minute, in "
        "each server process; more are answered 429.",
    )
    oidc_issuer: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#@]+)?$",
        description="`https://…` of the OpenID provider whose access tokens are taken; empty: none. http "
        "only on this machine.",
    )
    oidc_audience: str = Field(
        default="", description="What the provider calls this station: the `aud` of its tokens."
    )
    oidc_jwks_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s@]+)?$",
        description="Where the provider's keys are; empty: asked of the provider (OpenID Connect Discovery).",
    )
    oidc_name_claim: str = Field(
        default="preferred_username", description="The claim with a user's name; without it, `sub` is taken."
    )
    oidc_roles_claim: str = Field(
        default="roles",
        description="The claim with a user's roles; `realm_access.roles` is `roles` within `realm_access`.",
    )
    oidc_roles: str = Field(
        default="",
        description="What the provider's roles are here, as `radiologists=reader,it=operator admin`; empty: "
        "the roles' own names are taken.",
    )
    device: str = Field(default="auto", description="`auto`, `cpu` or `cuda`: where networks run.")
    runtime: str = Field(
        default="eager",
        description="`eager` (torch), `onnxruntime`, `openvino`, `inductor` or `auto`: where the part of a "
        "network before the target layer runs.",
    )
    explanation_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="Seconds after which the computing of one explanation is ended, unless the model's card "
        "says another limit; 0: never.",
    )
    explanation_memory_gb: float = Field(
        default=0.0,
        ge=0,
        description="Memory in GB (1e9 bytes) of a process that computes, above which it is ended, unless "
        "the model's card says another limit; 0: nine tenths of the machine's or the container's.",
    )
    max_file_bytes: int = Field(
        default=2_000_000_000, gt=0, description="Larger input files are refused before they are read."
    )
    max_pixels: int = Field(
        default=600_000_000,
        gt=0,
        description="Images with more values (all frames, all channels) are refused.",
    )
    least_free_bytes: int = Field(
        default=500_000_000,
        ge=0,
        description="With less room on the disk of the home folder, `/readyz` says that the station is not "
        "ready.",
    )
    log_format: str = Field(
        default="text",
        pattern=r"^(text|json)$",
        description="`text` for people, `json` for programs: one object a line on stderr.",
    )
    architectures: str = Field(
        default="",
        description="Comma-separated Python packages whose functions may be named as a model's architecture, "
        "beside those that are known to camlucida.",
    )


@cache
def settings() -> Settings:
    """The settings of this process, read once from the environment.

    Raises
    ------
    InvalidSetting
        One has a value that it cannot have; the value itself, which may hold a password, is not said.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSetting(_first(error)) from None


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    # What is asked of an address is said by the description better than by its pattern.
    why = "" if first["type"] == "string_pattern_mismatch" else f" ({first['msg'].casefold()})"
    meaning = Settings.model_fields[name].description
    return f"CAMLUCIDA_{name.upper()} cannot be used as it is{why}. It is: {meaning}"


def is_encrypted() -> bool:
    """Whether browsers reach the station by HTTPS: its own, or that of a reverse proxy."""
    return bool(settings().public_url or settings().tls_certificate)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

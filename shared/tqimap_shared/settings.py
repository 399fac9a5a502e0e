"""Every setting of both programs, from `<config dir>/tqimap.toml`, environment and secret files.

pydantic-settings, because it is a well-kept library that layers a file, the environment and secret
directories over one typed schema. Order, strongest first: `TQIMAP_SECTION__KEY` in the environment,
a file `tqimap_section__key` in systemd's credentials directory or in /run/secrets, the TOML file,
the default.
"""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tqimap_shared import log
from tqimap_shared.errors import NotWritable, SettingsError
from tqimap_shared.mailbox import Mailbox
from tqimap_shared.sections import (
    DEFAULT_REDIS,
    Dashboard,
    Fetch,
    Files,
    Limits,
    Policy,
    Redis,
    ThreatQ,
    Worker,
)
from tqimap_shared.values import CONNECTOR


if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = [
    "CONNECTOR",
    "DEFAULT_REDIS",
    "Dashboard",
    "Fetch",
    "Files",
    "Limits",
    "Mailbox",
    "Policy",
    "Redis",
    "Settings",
    "ThreatQ",
    "Worker",
    "in_secret_file",
    "load",
]


FILE_NAME = "tqimap.toml"
ENV_PREFIX = "TQIMAP_"


class Settings(BaseSettings):
    """All sections of tqimap.toml."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
    )

    threatq: ThreatQ = ThreatQ()
    redis: Redis = Field(default_factory=Redis)  # anew each time: it looks at REDIS_URL
    mailbox: list[Mailbox] = []
    fetch: Fetch = Fetch()
    worker: Worker = Worker()
    dashboard: Dashboard = Dashboard()
    files: Files = Files()
    limits: Limits = Limits()
    policy: Policy = Policy()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: environment, secret files, then the TOML file given to __init__."""
        del env_settings, dotenv_settings, file_secret_settings
        return _Variables(settings_cls), _SecretFiles(settings_cls), init_settings


class _Variables(EnvSettingsSource):
    """The environment; what is no JSON is named by its key alone, as it may be a secret."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: object) -> object:
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            raise ValueError(field_name) from None


class _SecretFiles(_Variables):
    """The secret files, as if each were a variable of its name.

    Ours alone are opened, where pydantic-settings would read all that lies in such a directory:
    what is there for other programs may be closed to us.
    """

    def _load_env_vars(self) -> dict[str, str | None]:
        return {path.name.lower(): _secret(path) for path in _secret_files()}


def _secret_files() -> list[Path]:
    """List our secret files; of two with one name the later counts."""
    found = []
    for directory in _secret_directories():
        with suppress(OSError):
            found += sorted(directory.iterdir())
    return [one for one in found if one.name.upper().startswith(ENV_PREFIX)]


def _secret(path: Path) -> str:
    try:
        return path.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SettingsError(str(path), "is not UTF-8 text.") from None


def load(directory: Path) -> Settings:
    """Read the settings of the configuration *directory*; its tqimap.toml may be missing.

    Raises NotWritable without the directory, and SettingsError, whose sentence names every fault.
    Hides all secrets from the log.
    """
    # access first: is_dir raises where a directory above is closed
    if not (os.access(directory, os.X_OK) and directory.is_dir()):
        raise NotWritable(
            f"config directory {directory}", "is not there, or closed to this user; see -c."
        )
    path = directory / FILE_NAME
    faults = _unknown()
    try:
        settings = Settings(**_read(path))
    except ValidationError as error:
        faults += [_fault(one["loc"], one["msg"]) for one in error.errors(include_input=False)]
    except ValueError as error:
        faults.append(f"{error.__cause__}: must be JSON outside {FILE_NAME}")
    if faults:
        raise SettingsError(str(path), "; ".join(faults) + ".")
    log.hide(*_secrets(settings))
    return settings


def in_secret_file(section: str, key: str) -> bool:
    """Say whether a setting comes from a secret file."""
    name = f"{ENV_PREFIX}{section}__{key}".lower()
    return any(path.name.lower() == name for path in _secret_files())


def _secret_directories() -> list[Path]:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return [*([Path(credentials)] if credentials else []), Path("/run/secrets")]


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o007:
                raise SettingsError(
                    str(path), f"is open to every user of this machine; run: chmod 600 {path}"
                )
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"is not valid TOML ({error}).") from None


def _fault(location: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in location)
    if message == "Extra inputs are not permitted":
        message = "unknown key"
    return f"{name}: {message.removeprefix('Value error, ')}"


def _unknown() -> list[str]:
    """Name what looks like ours in the environment and among the secret files, and is not."""
    known = {
        f"{ENV_PREFIX}{section}{'__' + key if key else ''}".upper()
        for section, field in Settings.model_fields.items()
        for key in ["", *getattr(field.annotation, "model_fields", ())]
    }
    variables = [
        f"{name}: unknown variable in the environment"
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
    ]
    files = [path for path in _secret_files() if path.name.upper() not in known]
    return variables + [f"{path}: unknown secret file" for path in files]


def _secrets(model: BaseModel) -> list[str]:
    """Collect every secret value anywhere in *model*."""
    found: list[str] = []
    for name, value in model:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, SecretStr):
                secret = one.get_secret_value()
                found += _passwords(secret) if name == "url" else [secret]
            elif isinstance(one, BaseModel):
                found += _secrets(one)
    return found


def _passwords(url: str) -> list[str]:
    """Return the password of *url* as it stands there and decoded; the rest stays legible."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return [url]
    return [password, unquote(password)]

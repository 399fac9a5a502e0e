"""Every setting of both programs, from `<config dir>/tqimap.toml`, environment and secret files.

pydantic-settings, because it is a well-kept library that layers a file, the environment and secret
directories over one typed schema. Order, strongest first: `TQIMAP_SECTION__KEY` in the environment,
a file `tqimap_section__key` in systemd's credentials directory or in /run/secrets, the TOML file,
the default.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tqimap_shared import log
from tqimap_shared.errors import SettingsError
from tqimap_shared.sections import (
    CONNECTOR,
    DEFAULT_REDIS,
    Dashboard,
    Fetch,
    Files,
    Limits,
    Mailbox,
    Policy,
    Redis,
    ThreatQ,
    Worker,
)


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
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: environment, secret files, then the TOML file given to __init__."""
        del dotenv_settings
        secrets = NestedSecretsSettingsSource(
            file_secret_settings,
            secrets_dir=_secret_directories(),
            secrets_dir_missing="ok",
            secrets_prefix=ENV_PREFIX.lower(),
            secrets_nested_delimiter="__",
        )
        return env_settings, secrets, init_settings


def load(directory: Path) -> Settings:
    """Read the settings of the configuration *directory*; its tqimap.toml may be missing.

    Raises SettingsError, whose sentence names every fault. Hides all secrets from the log.
    """
    path = directory / FILE_NAME
    faults = _unknown_variables()
    try:
        settings = Settings(**_read(path))
    except ValidationError as error:
        faults += [_fault(one["loc"], one["msg"]) for one in error.errors(include_input=False)]
    except ValueError:
        # pydantic-settings' own error carries the value, which may be a secret
        faults.append("a variable in the environment that must be JSON is not")
    if faults:
        raise SettingsError(str(path), "; ".join(faults) + ".")
    log.hide(*_secrets(settings))
    return settings


def in_secret_file(section: str, key: str) -> bool:
    """Say whether a setting comes from a secret file."""
    name = f"{ENV_PREFIX}{section}__{key}".lower()
    return any((directory / name).exists() for directory in _secret_directories())


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


def _unknown_variables() -> list[str]:
    known = {
        f"{ENV_PREFIX}{section}{'__' + key if key else ''}".upper()
        for section, field in Settings.model_fields.items()
        for key in ["", *getattr(field.annotation, "model_fields", ())]
    }
    return [
        f"{name}: unknown variable in the environment"
        for name in sorted(os.environ)
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
    ]


def _secrets(model: BaseModel) -> list[str]:
    """Collect every secret value anywhere in *model*."""
    found: list[str] = []
    for _, value in model:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, SecretStr):
                secret = one.get_secret_value()
                # of a URL only the password: the rest must stay legible in the log
                found.append((urlsplit(secret).password or "") if "://" in secret else secret)
            elif isinstance(one, BaseModel):
                found += _secrets(one)
    return found

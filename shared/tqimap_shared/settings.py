"""Every setting of both programs, from `<config dir>/tqimap.toml`, environment and secret files.

pydantic, because it checks a typed schema and names every fault at once. Order, strongest first:
`TQIMAP_SECTION__KEY` in the environment, a file `tqimap_section__key` in systemd's credentials
directory or in /run/secrets, the TOML file, the default. Laid over one another here: to import
pydantic-settings for that took 26 ms of each run of the fetcher, 4 % of one that finds no mail.
"""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

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
    from collections.abc import Iterable, Mapping

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

Layer = dict[str, Any]


class Settings(BaseModel):
    """All sections of tqimap.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    threatq: ThreatQ = ThreatQ()
    redis: Redis = Field(default_factory=Redis)  # anew each time: it looks at REDIS_URL
    mailbox: list[Mailbox] = []
    fetch: Fetch = Fetch()
    worker: Worker = Worker()
    dashboard: Dashboard = Dashboard()
    files: Files = Files()
    limits: Limits = Limits()
    policy: Policy = Policy()


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
    if not directory.is_dir():
        raise NotWritable(f"config directory {directory}", "is not there; see -c.")
    path = directory / FILE_NAME
    faults = _unknown()
    secrets = {one.name: _secret(one) for one in _secret_files()}
    layers = _read(path), _sorted(secrets, faults), _sorted(os.environ, faults)
    try:
        settings = Settings.model_validate(_over_one_another(layers))
    except ValidationError as error:
        faults += [_fault(one["loc"], one["msg"]) for one in error.errors(include_input=False)]
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


def _sorted(variables: Mapping[str, str], faults: list[str]) -> Layer:
    """Sort *variables* into sections and keys; whole sections, and lists, are written as JSON."""
    found: Layer = {}
    for name in sorted(variables, key=str.lower):  # a section comes before its keys
        section, _, key = name.lower().removeprefix(ENV_PREFIX.lower()).partition("__")
        annotation = _known().get(name.upper())
        if annotation is None:
            continue  # somebody else's, or a fault that `_unknown` names
        value: object = variables[name]
        if not key or get_origin(annotation) is list:
            try:
                value = json.loads(variables[name])
            except ValueError:
                faults.append(f"{key or section}: must be JSON outside {FILE_NAME}")
                continue
        found = _over_one_another((found, {section: {key: value} if key else value}))
    return found


def _over_one_another(layers: Iterable[Layer]) -> Layer:
    """Lay *layers* over one another, key by key, the last of them uppermost."""
    found: Layer = {}
    for layer in layers:
        for section, upper in layer.items():
            lower = found.get(section)
            if isinstance(lower, dict) and isinstance(upper, dict):
                found[section] = lower | upper
            else:
                found[section] = upper
    return found


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


@cache
def _known() -> dict[str, Any]:
    """Return the type of every section and every setting, by its variable's name."""
    sections = Settings.model_fields.items()
    found = {f"{ENV_PREFIX}{name}".upper(): field.annotation for name, field in sections}
    for name, field in sections:
        for key, one in getattr(field.annotation, "model_fields", {}).items():
            found[f"{ENV_PREFIX}{name}__{key}".upper()] = one.annotation
    return found


def _unknown() -> list[str]:
    """Name what looks like ours in the environment and among the secret files, and is not."""
    known = _known()
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

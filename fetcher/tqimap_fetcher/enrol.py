"""The first run: ask a person for what the settings lack, and keep the answers.

tomlkit, because the standard library reads TOML but does not write it, and because it alone keeps
what an operator wrote, comments and order included.
"""

from __future__ import annotations

import getpass
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr, ValidationError

from tqimap_fetcher.connector import known_status
from tqimap_fetcher.replace import replace
from tqimap_shared.errors import SettingsError
from tqimap_shared.settings import ENV_PREFIX, FILE_NAME, in_secret_file
from tqimap_shared.threatq import Session, address


if TYPE_CHECKING:
    from tqimap_shared.settings import Settings, ThreatQ

PROMPTS = {
    "host": "ThreatQ Host: ",
    "client_id": "Client ID: ",
    "email": "E-Mail Address: ",
    "password": "Password: ",
    "status": "Status: ",
}


def complete(settings: Settings, *, root: Path | None = None, name: str | None = None) -> Settings:
    """Return *settings* with what they lack for ThreatQ, asked for at the terminal.

    *root* and *name* (-f and --files) win over the [files] section. Status is asked for together
    with something else only: it has a default. Answers are checked against the appliance.
    Raises SettingsError where there is no terminal to ask at, NotWritable for the root, and
    whatever a login may raise.
    """
    files = settings.files.overridden(root=root, name=name)
    threatq = settings.threatq
    if threatq.missing():
        threatq = _asked(threatq)
    return settings.model_copy(update={"files": files, "threatq": threatq})


def _asked(settings: ThreatQ) -> ThreatQ:
    wanted = [one.removeprefix("threatq.") for one in settings.missing()]
    if not sys.stdin.isatty():
        raise SettingsError("first run", _without_terminal(wanted))
    if "status" not in settings.model_fields_set:
        wanted.append("status")
    for key in PROMPTS:
        if key in wanted:
            settings = _answered(settings, key)
    with Session(settings) as session:
        return _with_known_status(session, settings)


def _without_terminal(keys: list[str]) -> str:
    names = ", ".join(f"threatq.{key} ({ENV_PREFIX}THREATQ__{key.upper()})" for key in keys)
    return (
        f"needs {names}: set them in {FILE_NAME} or the environment, or start it once at a "
        "terminal, where it asks."
    )


def _answered(settings: ThreatQ, key: str) -> ThreatQ:
    """Ask for one setting until the answer can be used."""
    while True:
        answer = _ask(key)
        if not answer and key == "status":
            return settings
        try:
            changed = type(settings).model_validate(_plain(settings) | {key: answer})
            if key == "host":
                address(changed.host)
        except ValidationError as error:
            _tell(error.errors(include_input=False)[0]["msg"].removeprefix("Value error, "))
        except SettingsError as error:
            _tell(str(error))
        else:
            if answer.strip():
                return settings.model_copy(update={key: getattr(changed, key)})


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


def _ask(key: str) -> str:
    try:
        if key == "password":
            return getpass.getpass(PROMPTS[key])
        return input(PROMPTS[key]).strip()
    except EOFError:
        raise SettingsError("first run", "ended before every question was answered.") from None


def _with_known_status(session: Session, settings: ThreatQ) -> ThreatQ:
    """Take the appliance's spelling of the status; ask again for one that it does not know."""
    while True:
        try:
            status = known_status(session, settings.status)
        except SettingsError as error:
            _tell(str(error))
            default = type(settings).model_fields["status"].default
            settings = _answered(settings.model_copy(update={"status": default}), "status")
        else:
            return settings.model_copy(update={"status": status})


def lacking(directory: Path) -> bool:
    """Say whether neither *directory*'s tqimap.toml nor secret files hold what a login needs."""
    kept = tomllib.loads(_text(directory / FILE_NAME)).get("threatq", {})
    return not ("host" in kept or in_secret_file("threatq", "host"))


def write(directory: Path, settings: Settings) -> None:
    """Put what *settings* say of ThreatQ and of files into *directory*'s tqimap.toml.

    So a later run needs neither the terminal nor the environment of the first. What secret files
    hold stays there alone; all else in the file stays as it is. The file is replaced at once, mode
    0600. Raises NotWritable.
    """
    import tomlkit  # noqa: PLC0415 - a first run's only

    path = directory / FILE_NAME
    content = tomlkit.parse(_text(path))
    for name in ("threatq", "files"):
        if news := _news(name, getattr(settings, name)):
            content.setdefault(name, tomlkit.table()).update(news)
    replace(path, tomlkit.dumps(content).encode())


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _news(section: str, settings: BaseModel) -> dict[str, Any]:
    """Return what was set in a section, by whatever means, as TOML can hold it."""
    return {
        key: str(value) if isinstance(value, Path) else value
        for key, value in _plain(settings).items()
        if key in settings.model_fields_set
        and value is not None
        and not in_secret_file(section, key)
    }


def _plain(settings: BaseModel) -> dict[str, Any]:
    """Return the settings with their secrets opened."""
    return {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in settings
    }

"""What a section is, and what a setting's value may be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from tqimap_shared import linear


CONNECTOR = "Intelligence Mailbox"
MIB = 2**20


class Section(BaseModel):
    """A table of tqimap.toml; unknown keys are faults, and values never stand in messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _one_line(value: str) -> str:
    # such a value would end an IMAP or SOCKS command early and begin another
    if any(c in value for c in "\r\n\0"):
        raise ValueError("must not contain line breaks or NUL")
    return value.strip()


def _one_line_secret(value: SecretStr) -> SecretStr:
    if any(c in value.get_secret_value() for c in "\r\n\0"):
        raise ValueError("must not contain line breaks or NUL")
    return value


def _host(value: str) -> str:
    if value.count(":") == 1 or "/" in value or "[" in value:
        raise ValueError("must be a host name or an address, without scheme, port or brackets")
    return value


def _inside(value: str) -> str:
    path = Path(value)
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ValueError("must name a directory below the root")
    return str(path)


def expression(rule: str) -> str:
    """Return the regular expression that *rule* is, empty if it is a text to look for."""
    return rule[1:].removesuffix("/") if rule.startswith("/") else ""


def _text_rule(value: str) -> str:
    if fault := linear.fault(expression(value.removeprefix("!"))):
        raise ValueError(fault)
    return value


Line = Annotated[str, AfterValidator(_one_line)]
Host = Annotated[Line, AfterValidator(_host)]
Secret = Annotated[SecretStr, AfterValidator(_one_line_secret)]
TextRule = Annotated[Line, AfterValidator(_text_rule)]
Inside = Annotated[Line, AfterValidator(_inside)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
NO_SECRET = SecretStr("")

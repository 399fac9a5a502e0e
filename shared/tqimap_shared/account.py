"""How a mailbox is reached and signed in to: the first half of a [[mailbox]] table."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotation
from typing import Literal

from pydantic import Field

from tqimap_shared.values import CONNECTOR, NO_SECRET, Line, Port, Secret, Section


class Account(Section):
    """How to reach a mailbox, and to sign in."""

    name: Line = Field(CONNECTOR, min_length=1, description="name; the UI's by default")
    enabled: bool = Field(default=True, description="fetch from it")
    server: Line = Field("", description="IMAP host name")
    port: Port | None = Field(None, description="IMAP port (993 for tls, 143 otherwise)")
    security: Literal["tls", "starttls", "none"] = Field("tls", description="how to encrypt")
    verify: bool = Field(default=True, description="check certificate and host name")
    ca_file: Path | None = Field(None, description="certificates to trust instead of the system's")
    username: Line = Field("", description="IMAP user name")
    password: Secret = Field(NO_SECRET, description="IMAP password")
    proxy_address: Line = Field("", description="SOCKS proxy; empty for a direct connection")
    proxy_port: Port | None = Field(None, description="SOCKS port (1080)")
    proxy_type: Literal["socks4", "socks4a", "socks5", "socks5h"] = Field(
        "socks5",
        description="a and h: the proxy resolves the name",
    )
    proxy_username: Line = Field("", description="SOCKS user name")
    proxy_password: Secret = Field(NO_SECRET, description="SOCKS password")

"""How a mailbox is reached and signed in to: the first half of a [[mailbox]] table."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotation
from pathlib import Path  # noqa: TC003 - likewise
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from tqimap_shared.values import CONNECTOR, NO_SECRET, Count, Host, Line, Port, Secret, Section


FILED_SECRETS = ("password", "client_secret", "refresh_token")


class Account(Section):
    """How to reach a mailbox, and to sign in."""

    name: Line = Field(CONNECTOR, min_length=1, description="name; the UI's by default")
    enabled: bool = Field(default=True, description="fetch from it")
    server: Host = Field("", description="IMAP host name")
    port: Port | None = Field(None, description="IMAP port (993 for tls, 143 otherwise)")
    security: Literal["tls", "starttls", "none"] = Field("tls", description="how to encrypt")
    verify: bool = Field(default=True, description="check certificate and host name")
    ca_file: Path | None = Field(None, description="certificates to trust instead of the system's")
    username: Line = Field("", description="IMAP user name")
    password: Secret = Field(NO_SECRET, description="IMAP password")
    password_file: Path | None = Field(None, description="file that holds it instead")
    auth: Literal["auto", "plain", "login", "xoauth2", "oauthbearer"] = Field(
        "auto", description="how to sign in; auto: as the settings below and the server allow"
    )
    tenant: Line = Field("", description="Microsoft 365 tenant, by id or domain: token from there")
    client_id: Line = Field("", description="application that asks for the token")
    client_secret: Secret = Field(NO_SECRET, description="its secret")
    client_secret_file: Path | None = Field(None, description="file that holds it instead")
    client_certificate_file: Path | None = Field(
        None, description="certificate and key in PEM, instead of a secret (Microsoft)"
    )
    refresh_token: Secret = Field(NO_SECRET, description="a person's consent to the application")
    refresh_token_file: Path | None = Field(None, description="file that holds it instead")
    service_account_file: Path | None = Field(None, description="Google service account's JSON key")
    token_url: Line = Field(
        "",
        description="where tokens come from, if not from login.microsoftonline.com (with tenant) "
        "or oauth2.googleapis.com/token",
    )
    scope: Line = Field("", description="what the token is for; Microsoft's or Google's IMAP scope")
    secret_expires: date | None = Field(
        None, description="day on which password, secret or token end; warned of ahead"
    )
    secret_warn_days: Count = Field(30, description="days before that from which runs warn")
    proxy_address: Line = Field("", description="SOCKS proxy; empty for a direct connection")
    proxy_port: Port | None = Field(None, description="SOCKS port (1080)")
    proxy_type: Literal["socks4", "socks4a", "socks5", "socks5h"] = Field(
        "socks5",
        description="a and h: the proxy resolves the name",
    )
    proxy_username: Line = Field("", description="SOCKS user name")
    proxy_password: Secret = Field(NO_SECRET, description="SOCKS password")

    @property
    def by_token(self) -> bool:
        """Whether an access token serves for the sign-in."""
        if self.auth != "auto":
            return self.auth in {"xoauth2", "oauthbearer"}
        return bool(self.tenant or self.service_account_file) or self.has("refresh_token")

    def has(self, secret: str) -> bool:
        """Say whether *secret* is set, or a file for it."""
        value: SecretStr = getattr(self, secret)
        return bool(value.get_secret_value() or getattr(self, f"{secret}_file"))

    def lacking(self) -> list[str]:
        """Name the settings that a login needs and that are empty."""
        lacking = [name for name in ("server", "username") if not getattr(self, name)]
        if not self.by_token:
            return lacking + ([] if self.has("password") else ["password"])
        if self.service_account_file:
            return lacking
        lacking += [] if self.client_id else ["client_id"]
        if self.tenant and self.client_certificate_file:
            return lacking
        either = ("client_secret", "refresh_token") if self.tenant else ("refresh_token",)
        return lacking + ([] if any(map(self.has, either)) else [" or ".join(either)])

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        for name in FILED_SECRETS:
            value: SecretStr = getattr(self, name)
            if value.get_secret_value() and getattr(self, f"{name}_file"):
                raise ValueError(f"set {name} or {name}_file, not both")
        return self

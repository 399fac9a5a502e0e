"""The session with a ThreatQ appliance that fetcher and processor share.

requests, because ThreatQ's API is plain HTTPS with JSON and requests is the client that operators
of such appliances know; what it leaves open (deadlines, size limits, trust) is closed here.
"""

from tqimap_shared.threatq.address import address
from tqimap_shared.threatq.answers import (
    Busy,
    Forbidden,
    Invalid,
    NotAllowed,
    NotFound,
    Record,
    indispensable,
    untrusted,
)
from tqimap_shared.threatq.session import Session, proxied, warn_unverified
from tqimap_shared.threatq.token import Token


__all__ = [
    "Busy",
    "Forbidden",
    "Invalid",
    "NotAllowed",
    "NotFound",
    "Record",
    "Session",
    "Token",
    "address",
    "indispensable",
    "proxied",
    "untrusted",
    "warn_unverified",
]

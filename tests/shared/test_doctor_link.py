"""A row of links, and what is said of a certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from tqimap_shared.doctor.link import Said, certificate, walk
from tqimap_shared.errors import Denied


def certified(days: int, *, verify: bool) -> Said:
    """Return what is said of a certificate that is good for so many *days*."""
    authority = trustme.CA()
    ends = datetime.now(UTC) + timedelta(days, hours=1)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.test", not_after=ends).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    if not verify:
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    ours, theirs = socket.socketpair()
    other = threading.Thread(target=lambda: server.wrap_socket(theirs, server_side=True).close())
    other.start()
    with client.wrap_socket(ours, server_hostname="mail.test") as tls:
        said = certificate(tls)
    other.join()
    return said


@pytest.mark.parametrize(("days", "warns"), [(90, False), (21, False), (20, True), (0, True)])
def test_a_certificate_that_ends_soon_is_warned_of(days: int, *, warns: bool) -> None:
    """From three weeks before its end."""
    said = certified(days, verify=True)
    assert f"certificate of mail.test, {days} days left" in said.sentence
    assert said.warns == warns


def test_an_unchecked_certificate_is_warned_of() -> None:
    """Then nothing is known of it."""
    said = certified(90, verify=False)
    assert said.warns
    assert "NOT checked" in said.sentence


def test_a_row_ends_with_its_first_fault() -> None:
    """What is behind it is not tried, for it could only fail by that fault."""

    def fails() -> Said:
        raise Denied("door", "is locked.")

    steps = [("one", lambda: Said("holds.")), ("two", fails), ("three", fails)]
    found = [(one.name, one.state, one.status) for one in walk("part", steps)]
    assert found == [("one", "ok", 0), ("two", "failed", 77)]

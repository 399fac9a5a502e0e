"""The stand-in keeps what it has answered for, whatever kills it, and its certificate too."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from fixtures.threatq import running


if TYPE_CHECKING:
    from fixtures.threatq import StandIn


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a place for a state file."""
    return tmp_path / "deep" / "state.db"


def _port(threatq: StandIn) -> int:
    port = urlsplit(threatq.url).port
    assert port is not None
    return port


def _kill(threatq: StandIn) -> None:
    threatq.process.send_signal(signal.SIGKILL)
    threatq.process.wait(120)


def test_everything_survives_a_kill(state: Path) -> None:
    """After a kill -9 the same file and port serve the same data, tokens and settings."""
    with running(state) as threatq:
        token = threatq.token()
        threatq.settings(limit=7)
        threatq.api("POST", "indicators", {"value": "a.example", "type": "FQDN"})
        fields = [{"key": "imap_server", "label": "IMAP Server", "value": "x"}]
        document = {"name": "F", "category": "ThreatQ Labs", "custom_fields": fields}
        threatq.api("POST", "connectors", document)
        threatq.inject("500")
        authority, port = Path(threatq.ca_file).read_bytes(), _port(threatq)
        _kill(threatq)
    with running(state, port=port) as threatq:
        assert Path(threatq.ca_file).read_bytes() == authority
        assert threatq.counts() == {"files": 0, "indicators": 1, "relations": 0}
        assert threatq.control("GET", "settings")["limit"] == 7
        feed = threatq.feed("F")
        assert feed is not None
        assert feed["custom_fields"][0]["value"] == "x"
        headers = {"Authorization": f"Bearer {token}"}
        assert threatq.request("GET", "/api/indicators", headers=headers).status_code == 200


def test_what_was_answered_survives_a_kill_in_full_flight(state: Path) -> None:
    """Killed while posts come in, it has every indicator whose post was answered."""
    answered: list[str] = []
    with running(state) as threatq:
        headers = {"Authorization": f"Bearer {threatq.token()}"}

        def post() -> None:
            with requests.Session() as session:
                for number in range(100_000):
                    item = {"value": f"n{number}.example", "type": "FQDN"}
                    try:
                        answer = session.post(
                            f"{threatq.url}/api/indicators",
                            json=item,
                            headers=headers,
                            verify=threatq.ca_file,
                            timeout=120,
                        )
                    except requests.RequestException:
                        return
                    assert answer.status_code == 201
                    answered.append(item["value"])

        thread = threading.Thread(target=post)
        thread.start()
        while len(answered) < 20 and thread.is_alive():
            thread.join(0.01)
        _kill(threatq)
        thread.join(20)
    assert len(answered) >= 20
    with running(state) as threatq:
        listed = threatq.api("GET", "indicators?limit=1000")["data"]
        kept = {row["value"] for row in listed}
        assert set(answered[:1000]) <= kept
        assert threatq.counts()["indicators"] - len(answered) in {0, 1}


def test_certificate_names(state: Path) -> None:
    """The certificate is good for localhost, 127.0.0.1 and ::1, and only under its authority."""
    with running(state) as threatq:
        context = ssl.create_default_context(cafile=threatq.ca_file)
        for name in ("localhost", "127.0.0.1", "::1"):
            with (
                socket.create_connection(("127.0.0.1", _port(threatq)), 20) as plain,
                context.wrap_socket(plain, server_hostname=name) as secured,
            ):
                assert secured.version() in {"TLSv1.2", "TLSv1.3"}
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(threatq.url, timeout=120)


def test_certificates_elsewhere(state: Path, tmp_path: Path) -> None:
    """The certificate can be kept in a directory of its own, its key for the owner only."""
    directory = tmp_path / "certificates"
    with running(state, "--certificates", str(directory)) as threatq:
        assert Path(threatq.ca_file) == directory / "ca.pem"
        assert (directory / "server.pem").stat().st_mode & 0o077 == 0


def test_connections_are_kept(threatq: StandIn) -> None:
    """Requests of one session use one connection, after refusals too."""
    with requests.Session() as session:
        ports = set()
        for path in ("/sandbox/counts", "/api/indicators", "/sandbox/counts"):
            answer = session.get(
                threatq.url + path, verify=threatq.ca_file, timeout=120, stream=True
            )
            kept = answer.raw.connection
            assert kept is not None
            ports.add(kept.sock.getsockname()[1])
            assert answer.content
        assert len(ports) == 1


def test_a_silent_client_holds_up_nobody(threatq: StandIn) -> None:
    """A client that connects and says nothing, or speaks plain HTTP, delays no one else."""
    where = ("127.0.0.1", _port(threatq))
    with socket.create_connection(where, 20), socket.create_connection(where, 20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = threatq.request("GET", "/sandbox/counts", timeout=4)
        assert answer.status_code == 200


def test_it_ends_when_told(threatq: StandIn) -> None:
    """SIGTERM ends it with status 0."""
    threatq.process.terminate()
    assert threatq.process.wait(120) == 0


def test_lifetime_of_tokens_by_option(state: Path) -> None:
    """The lifetime of tokens can be given on the command line."""
    with running(state, "--expires", "17") as threatq:
        assert threatq.control("GET", "settings")["expires_in"] == 17


def test_misspelt_settings(threatq: StandIn) -> None:
    """A setting that does not exist, or has another type, is refused."""
    for document in ({"limt": 1}, {"limit": "1"}):
        assert threatq.request("PUT", "/sandbox/settings", json=document).status_code == 400

"""`explain`: the JSON contract, the table for people, and files that cannot be read."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fixtures import zygote
from fixtures.built_mail import mail, mixed, part, zipped

from tqimap_processor import admin, explain


if TYPE_CHECKING:
    from pathlib import Path

RAW = mixed(
    b"Content-Type: text/plain\r\n\r\nsee hxxp://drop-zone[.]com/a and 10.0.0.1",
    part(zipped(("h.txt", b"8.8.4.4")), "application/zip", name="[red]h.zip"),
)


def _run(*words: str) -> int:
    with zygote.instead():
        return explain.run(admin.parser_of("explain").parse_args(words))


@pytest.fixture
def eml(tmp_path: Path) -> Path:
    """Return a file that holds a mail."""
    path = tmp_path / "one.eml"
    path.write_bytes(RAW)
    return path


def test_json_has_the_stable_shape(eml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a mail, with exactly the promised keys."""
    assert _run("-c", str(eml.parent), "--json", str(eml), str(eml)) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    told = json.loads(first)
    assert list(told) == ["message", "artefacts", "findings"]
    assert list(told["message"]) == ["sha256", "message_id", "subject", "from", "date", "size"]
    assert told["message"]["from"] == "ann@sender-house.com"
    assert told["message"]["date"] == "2026-03-02T08:00:00+00:00"
    for one in told["artefacts"]:
        assert list(one) == [
            "id",
            "parent",
            "name",
            "how",
            "kind",
            "declared_type",
            "size",
            "sha256",
            "problems",
        ]
    assert [one["id"] for one in told["artefacts"]] == ["0", "1", "2", "2.1"]
    for one in told["findings"]:
        assert list(one) == ["type", "value", "decision", "reason", "flags", "found"]
        assert one["decision"] in {"upload", "review", "skip"}
        for place in one["found"]:
            assert list(place) == ["artefact", "where", "start", "end", "text"]


def test_json_says_where_and_why(eml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A finding has its place as written, and a skipped one its reason."""
    _run("-c", str(eml.parent), "--json", str(eml))
    findings = {one["value"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["http://drop-zone.com/a"]["found"] == [
        {
            "artefact": "1",
            "where": "text",
            "start": 4,
            "end": 28,
            "text": "hxxp://drop-zone[.]com/a",
        }
    ]
    assert findings["http://drop-zone.com/a"]["flags"] == ["defanged"]
    assert findings["10.0.0.1"]["decision"] == "skip"
    assert "private" in findings["10.0.0.1"]["reason"]


def test_lists_of_the_configuration_apply(eml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lists in tqimap.toml decide here as they do in the worker."""
    config = eml.parent / "tqimap.toml"
    config.write_text('[policy]\nallow = ["8.8.4.0/24"]\n')
    config.chmod(0o600)
    _run("-c", str(eml.parent), "--json", str(eml))
    findings = {one["value"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["8.8.4.4"]["decision"] == "skip"


def test_missing_file_does_not_stop_the_others(
    eml: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One clear line names the file, the others are explained, and the status is not zero."""
    gone = str(eml.parent / "gone.eml")
    assert _run("-c", str(eml.parent), "--json", gone, str(eml.parent), str(eml)) == 1
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1
    assert told.err.splitlines()[0] == f"{gone}: cannot be read (No such file or directory)."
    assert len(told.err.splitlines()) == 2


def test_hyphen_is_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail can be piped in."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail(b"1.1.1.1"))))
    assert _run("-c", str(tmp_path), "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["message"]["subject"] == "Look at this"


def test_table_is_safe_for_a_terminal(eml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters and markup in a mail do not act on the terminal."""
    eml.write_bytes(RAW.replace(b"Look at this", b"\x1b[2J [bold]look"))
    assert _run("-c", str(eml.parent), str(eml)) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "[bold]look" in told
    assert "[red]h.zip" in told
    assert "drop-zone" in told


def test_module_runs_as_a_program(eml: Path) -> None:
    """The whole of it works in a process of its own, and bad settings are one clear line."""
    command = [sys.executable, "-m", "tqimap_processor.admin", "explain", "--json", str(eml)]
    done = subprocess.run(command, cwd=eml.parent, capture_output=True, check=True)
    assert json.loads(done.stdout)["message"]["size"] == len(RAW)
    config = eml.parent / "tqimap.toml"
    config.write_text("[policy]\nalow = []\n")
    config.chmod(0o600)
    failed = subprocess.run(command, cwd=eml.parent, capture_output=True, check=False)
    assert failed.returncode == 78
    assert b"policy.alow: unknown key" in failed.stderr


def test_a_reader_that_has_seen_enough_is_no_fault(eml: Path) -> None:
    """`tqimap-admin explain ... | head -1` ends quietly, however much is left to say."""
    with subprocess.Popen(
        [sys.executable, "-m", "tqimap_processor.admin", "explain", "--json", *[str(eml)] * 60],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_outline_shows_findings_where_they_stand(
    eml: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under each artefact stand its problems and what is to be kept, whole; skips are by reason."""
    monkeypatch.delenv("COLUMNS", raising=False)
    link = "http://drop-zone.com/" + "x" * 300
    text = f"see {link} and 10.0.0.1".encode()
    locked = part(zipped(("a.txt", b"x"))[:-40], "application/zip", name="../h.zip")
    eml.write_bytes(mixed(b"Content-Type: text/plain\r\n\r\n" + text, locked))
    assert _run("-c", str(eml.parent), str(eml)) == 0
    lines = capsys.readouterr().out.splitlines()
    reason = "skipped (1): A private or reserved address means nothing outside its network."
    marks = ("0 mail", "1 text", link, "2 zip ../h.zip", "! name-traversal", "! malformed", reason)
    places = [next(n for n, line in enumerate(lines) if mark in line) for mark in marks]
    assert places == sorted(places)
    assert "text · Found in text" in lines[places[2] + 1]
    assert lines[places[-1] + 1].split() == ["IP", "Address", "10.0.0.1"]

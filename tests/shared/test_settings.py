"""The settings: layers, faults, secrets."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from tqimap_shared import log, settings, store
from tqimap_shared.errors import NotWritable, SettingsError


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every test without settings in the environment."""
    for name in ("REDIS_URL", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def write(directory: Path, text: str, mode: int = 0o600) -> None:
    """Write *text* as the configuration of *directory*."""
    path = directory / settings.FILE_NAME
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def test_missing_file_gives_defaults(tmp_path: Path) -> None:
    """A directory without tqimap.toml yields the defaults, and says what a login needs."""
    loaded = settings.load(tmp_path)
    assert loaded.redis.url.get_secret_value() == settings.DEFAULT_REDIS
    assert loaded.threatq.missing() == [
        "threatq.host",
        "threatq.client_id",
        "threatq.email",
        "threatq.password",
    ]


def test_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment beats a secret file, which beats the TOML file, which beats the default."""
    write(tmp_path, '[threatq]\nhost = "file"\nemail = "file"\npassword = "file-file"\n')
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "tqimap_threatq__password").write_text("from-credentials")
    (credentials / "tqimap_threatq__email").write_text("credentials")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("TQIMAP_THREATQ__EMAIL", "environment")
    threatq = settings.load(tmp_path).threatq
    assert (threatq.host, threatq.email) == ("file", "environment")
    assert threatq.password.get_secret_value() == "from-credentials"
    assert threatq.status == "Active"


def test_all_faults_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message names unknown keys, wrong types, wrong ranges and unknown variables together."""
    write(
        tmp_path,
        'colour = 1\n[threatq]\nhots = "x"\nverify = "maybe"\n'
        '[[mailbox]]\nport = 99999\nusername = "a\\nb"\n',
    )
    monkeypatch.setenv("TQIMAP_THREATQ__HOTS", "x")
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path)
    for name in (
        "colour: unknown key",
        "threatq.hots: unknown key",
        "threatq.verify",
        "mailbox.0.port",
        "mailbox.0.username: must not contain line breaks or NUL",
        "TQIMAP_THREATQ__HOTS: unknown variable",
    ):
        assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("[threatq\n", 0o600, "is not valid TOML"),
        ("", 0o644, "is open to every user"),
        ("", 0o602, "is open to every user"),
    ],
)
def test_unusable_file(tmp_path: Path, text: str, mode: int, words: str) -> None:
    """A file that is no TOML, or that everybody may read or write, is refused."""
    write(tmp_path, text, mode)
    with pytest.raises(SettingsError, match=words):
        settings.load(tmp_path)


def test_directory_in_place_of_file(tmp_path: Path) -> None:
    """What cannot be read as a file is one clear fault."""
    (tmp_path / settings.FILE_NAME).mkdir(mode=0o700)
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.load(tmp_path)


def test_a_directory_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """What the system will not even look at is a fault of -c, and none of ours."""
    with pytest.raises(NotWritable, match="see -c"):
        settings.load(tmp_path / ("x" * 300))


def test_faults_show_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value is never repeated: it may be a secret under the wrong key."""
    write(tmp_path, '[threatq]\npasword = "hunter2-file"\n[[mailbox]]\npassword = 7331733\n')
    monkeypatch.setenv("TQIMAP_WORKER", "hunter2-environment")
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path)
    for secret in ("hunter2", "7331733"):
        assert secret not in str(caught.value)


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a directory of secret files, as systemd does."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    return directory


def test_secret_files_hold_anything(tmp_path: Path, credentials: Path) -> None:
    """One line break at the end is not part of a secret, spaces are; mailboxes are a JSON list."""
    (credentials / "tqimap_threatq__password").write_text(" s p \r\n")
    (credentials / "tqimap_mailbox").write_text('[{"name": "abuse", "password": "schlüssel"}]\n')
    (credentials / "somebody-elses").write_bytes(b"\xff" * 100)
    loaded = settings.load(tmp_path)
    assert loaded.threatq.password.get_secret_value() == " s p "
    assert loaded.mailbox[0].password.get_secret_value() == "schlüssel"
    assert settings.in_secret_file("threatq", "password")
    assert not settings.in_secret_file("threatq", "email")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("tqimap_threatq__hots", b"x", "hots: unknown secret file"),
        ("tqimap_mailbox", b'[{"password": "hunter2"', "mailbox: must be JSON"),
        ("tqimap_threatq__password", b"\xffhunter2", "password: is not UTF-8 text"),
        ("tqimap_threatq__password", b"hunter2\nhunter2\n", "must not contain line breaks"),
    ],
)
def test_faulty_secret_files_are_named(
    tmp_path: Path, credentials: Path, name: str, content: bytes, words: str
) -> None:
    """What is wrong with a secret file is said, without what is in it."""
    (credentials / name).write_bytes(content)
    with pytest.raises(SettingsError, match=words) as caught:
        settings.load(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_mailboxes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without a file gives mailboxes as JSON."""
    monkeypatch.setenv("TQIMAP_MAILBOX", '[{"name": "abuse", "server": "imap.test"}]')
    (mailbox,) = settings.load(tmp_path).mailbox
    assert (mailbox.name, mailbox.server, mailbox.folder) == ("abuse", "imap.test", "INBOX")


@pytest.mark.parametrize("server", ["imap.test:143", "imaps://imap.test", "[::1]:993"])
def test_a_server_is_a_name_or_an_address_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    """A port that stands with the name is a fault of the settings, not a name without address."""
    monkeypatch.setenv("TQIMAP_MAILBOX", json.dumps([{"server": server}]))
    with pytest.raises(SettingsError, match=r"mailbox\.0\.server: must be a host name"):
        settings.load(tmp_path)
    monkeypatch.setenv("TQIMAP_MAILBOX", '[{"server": "::1", "port": 993}]')
    assert settings.load(tmp_path).mailbox[0].server == "::1"


def test_lists_and_sections_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A section and a list are JSON there; a key beats its section, and both the file's keys."""
    write(tmp_path, '[worker]\nqueue = "file"\njob_timeout = 77\nretries = [9]\n')
    monkeypatch.setenv("TQIMAP_WORKER", '{"queue": "section", "raw_days": 3, "retries": [8]}')
    monkeypatch.setenv("tqimap_worker__RETRIES", "[1, 2]")
    worker = settings.load(tmp_path).worker
    assert (worker.queue, worker.job_timeout, worker.raw_days) == ("section", 77, 3)
    assert list(worker.retries) == [1, 2]
    monkeypatch.setenv("TQIMAP_WORKER__RETRIES", "1, 2")
    with pytest.raises(SettingsError, match=r"retries: must be JSON outside tqimap\.toml"):
        settings.load(tmp_path)


def test_secrets_are_hidden_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once loaded, a secret is blotted out of every line, whoever logs it."""
    secrets = 'password = "correct horse"\nproxy_password = "what://[ever"\n'
    log.hide("horse", "correct")
    write(tmp_path, f"[[mailbox]]\n{secrets}")
    monkeypatch.setenv("REDIS_URL", "redis://user:b%40ttery@staple/0")
    settings.load(tmp_path)
    log.configure("test", log.STDOUT, 3)
    logger = logging.getLogger("somebody.else")
    logger.warning("LOGIN u 'correct horse' b%40ttery b@ttery what://[ever staple")
    line = capsys.readouterr().out
    assert "LOGIN u '***' *** *** *** staple" in line


def test_a_url_that_is_none_is_a_fault_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip in Redis' URL is one sentence, without the password in it."""
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@[::1/0")
    with pytest.raises(SettingsError, match=r"redis\.url") as caught:
        store.connect(settings.load(tmp_path).redis)
    assert "hunter2" not in str(caught.value)


def test_a_log_on_a_full_disk_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the log loses is said in one line, without what was to be logged."""
    (tmp_path / "full.log").symlink_to("/dev/full")
    log.configure("full", str(tmp_path))
    for _ in range(3):
        logging.getLogger("test").warning("the word is %s", "hunter2")
    log.configure("test")
    assert capsys.readouterr().err == (
        "The log cannot be written (No space left on device); the work goes on.\n"
    )


def test_log_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks in a logged text, tracebacks included, do not make a second line."""
    log.configure("test", log.STDOUT, 1)
    try:
        int("a\r\nb")
    except ValueError:
        logging.getLogger("x").exception("failed\nforged line")
    assert capsys.readouterr().out.count("\n") == 1


def test_log_file_and_verbosity(tmp_path: Path) -> None:
    """A directory gets a file per program; verbosity 2 shows Info and not Debug."""
    log.configure("tqIMAP", str(tmp_path), 2)
    logging.getLogger("x").info("shown")
    logging.getLogger("x").debug("not shown")
    text = (tmp_path / "tqIMAP.log").read_text()
    assert "x INFO: shown" in text
    assert "not shown" not in text
    log.configure("tqIMAP")

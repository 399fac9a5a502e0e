"""The first run: what is asked, what is checked, what is written."""

from __future__ import annotations

import os
import stat
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from fixtures.terminal import converse
from fixtures.threatq_client import account
from pydantic import SecretStr

from tqimap_fetcher import enrol
from tqimap_shared import settings as settings_module
from tqimap_shared.errors import Denied, NotWritable, SettingsError
from tqimap_shared.settings import FILE_NAME, Files, Mailbox, Settings, ThreatQ
from tqimap_shared.threatq import Session


if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.terminal import Dialogue
    from fixtures.threatq import StandIn

ENROL = """
import sys, pathlib
from tqimap_fetcher import enrol
from tqimap_shared import settings
directory = pathlib.Path(sys.argv[1])
try:
    enrol.write(directory, enrol.complete(settings.load(directory)))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
print("written")
"""


def enrolled(
    directory: Path, threatq: StandIn, *answers: tuple[str, str], **environment: str
) -> Dialogue:
    """Enrol on a terminal; the stand-in's certificate is trusted through the environment."""
    known = {"PATH": os.environ["PATH"], "TQIMAP_THREATQ__CA_FILE": threatq.ca_file}
    return converse([sys.executable, "-c", ENROL, str(directory)], answers, known | environment)


def written(directory: Path) -> dict[str, dict[str, object]]:
    """Read the tqimap.toml that was written."""
    path = directory / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return tomllib.loads(path.read_text())


def login(threatq: StandIn) -> list[tuple[str, str]]:
    """Answer the four questions about the login."""
    return [
        ("ThreatQ Host: ", threatq.url),
        ("Client ID: ", threatq.client_id),
        ("E-Mail Address: ", threatq.email),
        ("Password: ", threatq.password),
    ]


def test_the_first_run_asks_as_the_product_did(threatq: StandIn, tmp_path: Path) -> None:
    """Five questions in the known order and wording; the password is not echoed."""
    dialogue = enrolled(tmp_path, threatq, *login(threatq), ("Status: ", "review"))
    assert dialogue.status == 0, dialogue.shown
    assert dialogue.shown == (
        f"ThreatQ Host: {threatq.url}\nClient ID: {threatq.client_id}\n"
        f"E-Mail Address: {threatq.email}\nPassword: \nStatus: review\nwritten\n"
    )
    assert written(tmp_path)["threatq"] == {
        "host": threatq.url,
        "client_id": threatq.client_id,
        "email": threatq.email,
        "password": threatq.password,
        "status": "Review",
        "ca_file": threatq.ca_file,
    }
    assert settings_module.load(tmp_path).threatq.missing() == []


def test_only_what_the_settings_lack_is_asked(threatq: StandIn, tmp_path: Path) -> None:
    """Environment and file count; a status that is set is not asked for."""
    path = tmp_path / FILE_NAME
    path.touch(0o600)
    path.write_text(f'[threatq]\nhost = "{threatq.url}"\nstatus = "Active"\n')
    dialogue = enrolled(
        tmp_path,
        threatq,
        ("Client ID: ", threatq.client_id),
        ("Password: ", threatq.password),
        TQIMAP_THREATQ__EMAIL=threatq.email,
    )
    assert dialogue.status == 0, dialogue.shown
    assert dialogue.shown.startswith("Client ID: ")
    assert "Status" not in dialogue.shown


def test_answers_that_cannot_be_used_are_asked_again(threatq: StandIn, tmp_path: Path) -> None:
    """An http address, an empty answer, a status that ThreatQ does not have."""
    _, *rest = login(threatq)
    dialogue = enrolled(
        tmp_path,
        threatq,
        ("ThreatQ Host: ", "http://threatq.example.org"),
        ("ThreatQ Host: ", ""),
        ("ThreatQ Host: ", threatq.url),
        *rest,
        ("Status: ", "Hot"),
        ("Status: ", ""),
    )
    assert dialogue.status == 0, dialogue.shown
    assert "must be https" in dialogue.shown
    assert "it has Active, Expired" in dialogue.shown
    assert written(tmp_path)["threatq"]["status"] == "Active"


def test_a_wrong_password_writes_nothing(threatq: StandIn, tmp_path: Path) -> None:
    """The answers are tried before they are kept."""
    dialogue = enrolled(
        tmp_path, threatq, *login(threatq)[:3], ("Password: ", "wrong"), ("Status: ", "")
    )
    assert dialogue.status == 1
    assert "Denied" in dialogue.shown
    assert not (tmp_path / FILE_NAME).exists()


def test_the_end_of_input_is_told(threatq: StandIn, tmp_path: Path) -> None:
    """Ctrl-D leaves with a sentence, not a traceback."""
    dialogue = enrolled(tmp_path, threatq, ("ThreatQ Host: ", "\x04"))
    assert "SettingsError: first run: ended" in dialogue.shown


def test_without_a_terminal_the_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service or container has nobody to ask: the variables are named."""
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: PTH123, SIM115 - pytest's stdin is none
    with pytest.raises(SettingsError) as caught:
        enrol.complete(Settings(threatq=ThreatQ(host="h", email="e")))
    assert "threatq.client_id (TQIMAP_THREATQ__CLIENT_ID)" in str(caught.value)
    assert "threatq.password (TQIMAP_THREATQ__PASSWORD)" in str(caught.value)
    assert "EMAIL" not in str(caught.value)
    sys.stdin.close()


def test_complete_settings_are_not_asked_for(threatq: StandIn, tmp_path: Path) -> None:
    """-f and --files win over the file; nothing is sent."""
    given = Settings(threatq=account(threatq), files=Files(name="old"))
    done = enrol.complete(given, root=tmp_path, name="new")
    assert done.threatq == given.threatq
    assert done.files == Files(root=tmp_path, name="new")
    assert threatq.journal() == []
    with pytest.raises(SettingsError, match="--files"):
        enrol.complete(given, name="../out")


def settings(**threatq: object) -> Settings:
    """Make settings as a first run ends with."""
    complete = {"host": "h", "client_id": "c", "email": "e", "password": SecretStr("pass")}
    return Settings(threatq=ThreatQ.model_validate({**complete, **threatq}))


def test_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    """Sections, keys and comments of the operator's survive, values of ours are added."""
    path = tmp_path / FILE_NAME
    path.touch(0o600)
    path.write_text(
        '# ours\n[threatq]\ntlp = "RED"  # agreed\nhost = "old"\n# theirs\n'
        '[[mailbox]]\nname = "Two"\nserver = "s"\n[fetch]\nwindow = 2\n'
    )
    enrol.write(tmp_path, settings())
    text = (tmp_path / FILE_NAME).read_text()
    assert text.startswith('# ours\n[threatq]\ntlp = "RED"  # agreed\nhost = "h"\n')
    assert "\n# theirs\n" in text
    content = written(tmp_path)
    assert content["threatq"] == {
        "tlp": "RED",
        "host": "h",
        "client_id": "c",
        "email": "e",
        "password": "pass",
    }
    assert content["fetch"] == {"window": 2}
    loaded = settings_module.load(tmp_path)
    assert loaded.mailbox == [Mailbox(name="Two", server="s")]


def test_secrets_of_secret_files_stay_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password from systemd's credentials is not copied into the configuration."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "tqimap_threatq__password").write_text("from a secret file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    enrol.write(tmp_path, settings(password=SecretStr("from a secret file")))
    assert "secret" not in (tmp_path / FILE_NAME).read_text()


def test_the_file_is_replaced_at_once(tmp_path: Path) -> None:
    """A link to the file stays a link; no temporary file stays behind."""
    target = tmp_path / "elsewhere.toml"
    target.touch(0o600)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / FILE_NAME).symlink_to(target)
    enrol.write(tmp_path / "config", settings())
    assert (tmp_path / "config" / FILE_NAME).is_symlink()
    assert tomllib.loads(target.read_text())["threatq"]["host"] == "h"
    assert sorted(one.name for one in tmp_path.rglob("*")) == [
        "config",
        "elsewhere.toml",
        FILE_NAME,
    ]


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The sentence names the file that cannot be written."""
    with pytest.raises(NotWritable, match=FILE_NAME):
        enrol.write(tmp_path / "nowhere", settings())


def test_wrong_credentials_of_the_settings_are_no_matter_of_enrolling(threatq: StandIn) -> None:
    """Settings that are complete are tried by whoever uses them."""
    wrong = Settings(threatq=account(threatq, password=SecretStr("wrong")))
    assert enrol.complete(wrong).threatq == wrong.threatq
    with pytest.raises(Denied), Session(wrong.threatq) as session:
        session.login()

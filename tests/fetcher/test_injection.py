"""CR, LF and NUL never reach a command: neither from the settings nor past them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args, get_origin

import pytest
from fixtures.imap_script import PASSWORD
from pydantic import SecretStr, ValidationError

from tqimap_fetcher.mailbox import open_mailbox
from tqimap_shared.errors import StopProcess
from tqimap_shared.settings import Fetch, Mailbox


if TYPE_CHECKING:
    from collections.abc import Callable

    from fixtures.imap_script import ScriptedImap

BREAKS = ["a\rb", "a\nb", "a\r\nX1 LOGOUT", "a\0b"]
LOGIN_ONLY = b"* CAPABILITY IMAP4rev1\r\n@ OK done\r\n"


def texts() -> dict[str, bool]:
    """Return the settings of a mailbox that are text, and whether they are lists of it."""
    found = {}
    for name, field in Mailbox.model_fields.items():
        several = get_origin(field.annotation) is list
        kind = get_args(field.annotation)[0] if several else field.annotation
        if getattr(kind, "__origin__", kind) in (str, SecretStr):  # in lists it is annotated
            found[name] = several
    return found


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("name", texts())
def test_no_text_of_a_mailbox_holds_a_break(name: str, value: str) -> None:
    """Whatever text is added to a mailbox's settings, it is one line."""
    with pytest.raises(ValidationError, match="line breaks or NUL"):
        Mailbox.model_validate({name: [value] if texts()[name] else value})


def test_texts_of_a_mailbox_are_known() -> None:
    """The settings that reach commands are among those that are looked at above."""
    known = {"server", "username", "password", "folder", "folders", "done_folder", "failed_folder"}
    assert known <= texts().keys()


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("name", ["username", "password"])
def test_a_break_that_came_past_the_settings_is_not_sent(
    imap_script: Callable[..., ScriptedImap], name: str, value: str
) -> None:
    """The connection itself refuses it, and does not show it."""
    server = imap_script({"CAPABILITY": LOGIN_ONLY})
    given = value if name == "username" else SecretStr(value)
    mailbox = server.mailbox().model_copy(update={name: given})
    with (
        pytest.raises(StopProcess, match="line break or NUL") as caught,
        open_mailbox(mailbox, Fetch()),
    ):
        pass
    assert not any(b"LOGIN" in line or b"LOGOUT" in line for line in server.lines)
    assert PASSWORD not in str(caught.value)
    assert value not in str(caught.value)


@pytest.mark.parametrize("value", BREAKS)
def test_a_folder_with_a_break_is_one_argument(
    imap_script: Callable[..., ScriptedImap], value: str
) -> None:
    """Folder names are encoded before they are sent: a break becomes part of the name."""
    server = imap_script()
    mailbox = server.mailbox().in_folder(value)
    with open_mailbox(mailbox, Fetch()):
        pass
    commands = [line.split(b" ")[1] for line in server.lines if b" SELECT " in line]
    assert commands == [b"SELECT"]
    assert not any(line.split(b" ")[0] in (b"X1", b'b"') for line in server.lines)

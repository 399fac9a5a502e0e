"""Hostile and broken servers: a run with one ends soon, in an error of ours, without secrets."""

from __future__ import annotations

import imaplib
import inspect
import itertools
import pickle
import resource
import sys
import time
from typing import TYPE_CHECKING

import pytest
from fixtures.imap_script import DECENT, MAILS, PASSWORD, ScriptedImap, fetched
from imapclient import IMAPClient

from tqimap_fetcher.fetch import Tally, fetch
from tqimap_fetcher.mailbox import open_mailbox
from tqimap_fetcher.patience import ServerMisbehaved
from tqimap_fetcher.refusal import Throttled
from tqimap_shared.errors import StopProcess, TqimapError, TryLater
from tqimap_shared.settings import Fetch, Limits


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fixtures.imap_script import Answer

    from tqimap_shared.envelope import Envelope

IMPATIENT = Fetch(idle_timeout=0.5, command_timeout=1, connect_timeout=2)
DONE = b"@ OK done\r\n"
FIRST = fetched(1, MAILS[1])


def run(server: ScriptedImap, settings: Fetch = IMPATIENT) -> tuple[Tally, list[Envelope]]:
    """Fetch once from *server*."""
    came: list[Envelope] = []
    with open_mailbox(server.mailbox(), settings) as session:
        tally = fetch(session, came.extend, settings=settings, limits=Limits())
    return tally, came


def drip(data: bytes, pause: float = 0.1) -> Iterator[bytes]:
    """Give *data* a byte at a time, each within the idle timeout."""
    for number in range(len(data)):
        time.sleep(pause)
        yield data[number : number + 1]


def endlessly(line: bytes) -> Iterator[bytes]:
    """Repeat *line*, in pieces of some size."""
    return itertools.repeat(line * 500)


LITERAL, LINE = "a literal beyond the limit", "a line beyond the limit"
LINES, ANSWER = "an answer of many lines beyond the limit", "an answer beyond the limit"
SLOW, SILENT, ENDED = "answers too slowly", "stopped answering", "ended the connection"
SAYS = {
    "a literal of 4 GB": LITERAL,
    "a literal of 200 GB": LITERAL,
    "a literal of 5,000 digits": LITERAL,
    "a long literal before the login": LITERAL,
    "a long literal while searching": LITERAL,
    "a long literal with sizes": LITERAL,
    "endless lines after the login": LINES,
    "endless lines with sizes": LINES,
    "endless lines with bodies": LINES,
    "endless mails that nobody asked for": ANSWER,
    "endless continuations at the login": LINES,
    "a line of 3 MB": LINE,
    "a search line of 9 MB": LINE,
    "a line without end": LINE,
    "many parentheses": LINE,
    "a quick drip": SLOW,
    "silence": SILENT,
    "silence in a literal": SILENT,
    "endless literals in one answer": LINES,
    "a bare line feed behind a mail": ENDED,
    "hanging up in an answer": ENDED,
    "hanging up behind a literal": ENDED,
    "hanging up in a literal": ENDED,
    "hanging up": ENDED,
    "good-bye in the middle": ENDED,
}
"""What the error says, where just one bound can end the case."""

EVIL: dict[str, tuple[str, object]] = {
    "a literal of 4 GB": ("BODY", b"* 1 FETCH (UID 1 BODY[] {4294967296}\r\nx"),
    "a literal of 200 GB": ("BODY", b"* 1 FETCH (UID 1 BODY[] {200000000000}\r\nx"),
    "a literal of 5,000 digits": ("BODY", b"* 1 FETCH (UID 1 BODY[] {" + b"9" * 5000 + b"}\r\n"),
    "a long literal before the login": ("CAPABILITY", b"* CAPABILITY {2000000000}\r\nx"),
    "a long literal while searching": ("SEARCH", b"* SEARCH {70000}\r\n" + b"1" * 70_000),
    "a long literal with sizes": ("SIZE", b"* 1 FETCH (UID {70000}\r\n" + b"1" * 70_000),
    "endless greetings": ("GREETING", endlessly(b"* OK wait\r\n")),
    "endless lines before the login": ("CAPABILITY", endlessly(b"* OK wait\r\n")),
    "endless lines after the login": ("SELECT", endlessly(b"* 1 EXISTS\r\n")),
    "endless lines with sizes": ("SIZE", endlessly(b"* 1 FETCH (UID 1 FLAGS ())\r\n")),
    "endless lines with bodies": ("BODY", endlessly(b"* OK [ALERT] wait\r\n")),
    "endless mails that nobody asked for": (
        "BODY",
        itertools.repeat(fetched(9, b"z" * 1_000_000)),
    ),
    "endless continuations at the login": ("AUTHENTICATE", endlessly(b"+ \r\n")),
    "a line of 3 MB": ("SELECT", b"* OK " + b"a" * 3_000_000 + b"\r\n"),
    "a search line of 9 MB": ("SEARCH", b"* SEARCH" + b" 1" * 4_500_000 + b"\r\n"),
    "a line without end": ("BODY", endlessly(b"a")),
    "parentheses": ("BODY", b"* 1 FETCH (UID 1 BODY[] " + b"(" * 30_000 + b"\r\n" + DONE),
    "many parentheses": ("BODY", b"* 1 FETCH (UID 1 BODY[] " + b"(" * 500_000 + b"\r\n" + DONE),
    "a drip in a mail": ("BODY", drip(FIRST * 20)),
    "a drip in a line": ("SEARCH", drip(b"* SEARCH " + b"1 " * 500)),
    "a quick drip": ("BODY", drip(FIRST.replace(b"{", b"{99") * 2000, pause=0.003)),
    "silence": ("SELECT", b""),
    "endless literals in one answer": (
        "BODY",
        itertools.chain([b"* 1 FETCH (UID 1 X"], endlessly(b" {1}\r\na")),
    ),
    "silence in a literal": ("BODY", b"* 1 FETCH (UID 1 BODY[] {23}\r\nSubj"),
    "hanging up in a literal": ("BODY", [b"* 1 FETCH (UID 1 BODY[] {23}\r\nSubj", None]),
    "hanging up in an answer": ("BODY", [b"* 1 FETCH (UID 1", None]),
    "hanging up behind a literal": ("BODY", [b"* 1 FETCH (UID 1 X {1}\r\na", None]),
    "hanging up": ("SEARCH", None),
    "hanging up at once": ("GREETING", None),
    "good-bye in the middle": ("BODY", b"* BYE go away\r\n"),
    "good-bye as greeting": ("GREETING", b"* BYE full\r\n"),
    "an answer without text": ("SEARCH", b"* SEARCH 1\r\n@ OK\r\n"),
    "the tag of another": ("SEARCH", b"* SEARCH 1\r\nZZZZ9 OK done\r\n"),
    "a bare line feed behind a mail": (
        "BODY",
        b"* 1 FETCH (UID 1 BODY[] {23}\r\n%s)\n%s" % (MAILS[1], DONE),
    ),
    "bare line feeds": ("SEARCH", b"* SEARCH 1\n@ OK done\n"),
    "a mail longer than announced": ("BODY", b"* 1 FETCH (UID 1 BODY[] {3}\r\nabcdef\r\n" + DONE),
    "HTTP": ("GREETING", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "no capabilities": ("CAPABILITY", DONE),
    "another protocol version": ("CAPABILITY", b"* CAPABILITY IMAP2\r\n" + DONE),
    "sizes that are no numbers": ("SIZE", b"* 1 FETCH (UID x RFC822.SIZE y\r\n@ BAD no\r\n"),
    "an unknown command": ("BODY", b"@ BAD what?\r\n"),
    "8-bit text": ("SEARCH", b"* \xff\xfe\x00 1\r\n@ \xff\r\n"),
}


@pytest.mark.parametrize("case", EVIL)
def test_an_evil_answer_ends_soon_in_an_error_of_ours(
    imap_script: Callable[..., ScriptedImap], case: str
) -> None:
    """Whatever comes, the run ends in seconds, with little memory, in an error that may heal."""
    command, answer = EVIL[case]
    server = imap_script({command: answer})
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TryLater) as caught:
        run(server)
    assert time.monotonic() - begin < 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024  # KiB
    assert "mailbox test (127.0.0.1:" in str(caught.value)
    assert SAYS.get(case, "") in str(caught.value)
    assert PASSWORD not in repr(caught.value)


ODD = {
    "trailing UID": b"* 1 FETCH (BODY[] {%d}\r\n%s UID 1 FLAGS (\\Seen))\r\n",
    "flags before": b"* 1 FETCH (FLAGS (\\Recent $x) UID 1 BODY[] {%d}\r\n%s)\r\n",
    "a string before": b'* 1 FETCH (X "01-Jan-2026" UID 1 BODY[] {%d}\r\n%s)\r\n',
    "a string behind": b'* 1 FETCH (BODY[] {%d}\r\n%s X "UID 5 " UID 1)\r\n',
    "another literal before": b"* 1 FETCH (X {3}\r\nabc UID 1 BODY[] {%d}\r\n%s)\r\n",
    "small letters": b"* 1 FETCH (uid 1 body[] {%d}\r\n%s)\r\n",
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_but_honest_answer_is_read(
    imap_script: Callable[..., ScriptedImap], case: str
) -> None:
    """Servers order their answers differently, and say things that nobody asked."""
    body = ODD[case] % (len(MAILS[1]), MAILS[1])
    server = imap_script({"BODY": b"* 9 EXISTS\r\n* OK still here\r\n" + body + DONE})
    tally, came = run(server)
    assert [one.raw for one in came] == [MAILS[1]]
    assert tally == Tally(2, 1, len(MAILS[1]), 1, 0, 0, absent=(2,))


def test_a_quoted_body_is_read(imap_script: Callable[..., ScriptedImap]) -> None:
    """A short body may come as a quoted string."""
    server = imap_script({"BODY": b'* 1 FETCH (UID 1 BODY[] "a \\"b\\"")\r\n' + DONE})
    assert [one.raw for one in run(server)[1]] == [b'a "b"']


NOTHING = {
    "NIL": b"* 1 FETCH (UID 1 BODY[] NIL)\r\n",
    "empty literal": b"* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\n",
    "empty string": b'* 1 FETCH (UID 1 BODY[] "")\r\n',
    "no answer": b"",
    "flags only": b"* 1 FETCH (UID 1 FLAGS ())\r\n",
    "no UID": b"* 1 FETCH (BODY[] {3}\r\nabc)\r\n",
    "vanished": b"* 1 EXPUNGE\r\n",
}


@pytest.mark.parametrize("end", [b"@ OK done\r\n", b"@ NO some are gone\r\n"])
@pytest.mark.parametrize("case", NOTHING)
def test_a_mail_without_bytes_is_counted_and_not_marked(
    imap_script: Callable[..., ScriptedImap], case: str, end: bytes
) -> None:
    """OK does not mean data: such a mail is missing, the others come, only they are marked."""
    server = imap_script({"BODY": NOTHING[case] + fetched(2, MAILS[2]) + end})
    tally, came = run(server)
    assert (tally.fetched, tally.missing) == (1, 1)
    assert [one.location.uid for one in came] == [2]
    stores = [line.split(b" ", 1)[1] for line in server.lines if b"STORE" in line]
    assert stores == [b"UID STORE 2 +FLAGS.SILENT (\\Seen $tqimap-taken)\r\n"]


def test_bodies_of_others_and_doubles_are_dropped(
    imap_script: Callable[..., ScriptedImap],
) -> None:
    """The first body of a UID that was asked for counts, everything else does not."""
    bodies = [(9, b"other"), (1, MAILS[1]), (1, b"again"), (2, MAILS[2])]
    server = imap_script({"BODY": b"".join(fetched(*one) for one in bodies) + DONE})
    _, came = run(server)
    assert {one.location.uid: one.raw for one in came} == MAILS


def test_a_size_that_lies_changes_nothing(imap_script: Callable[..., ScriptedImap]) -> None:
    """A mail larger than its size is cut where the limit says; one smaller comes whole."""
    sizes = b"* 1 FETCH (UID 1 RFC822.SIZE 3)\r\n* 2 FETCH (UID 2 RFC822.SIZE 999999999999)\r\n"
    large = b"x" * 5000
    server = imap_script(
        {"SIZE": sizes + DONE, "BODY": fetched(1, large) + fetched(2, MAILS[2]) + DONE}
    )
    came: list[Envelope] = []
    with open_mailbox(server.mailbox(), IMPATIENT) as session:
        tally = fetch(session, came.extend, settings=IMPATIENT, limits=Limits(raw=1000))
    assert [one.raw for one in came] == [large[:1000], MAILS[2]]
    assert (tally.fetched, tally.oversize) == (2, 2)
    assert any(b"UID FETCH 2 (UID BODY.PEEK[]<0.1000>)" in line for line in server.lines)


def test_a_search_in_several_lines_is_read(imap_script: Callable[..., ScriptedImap]) -> None:
    """Some servers cut a long SEARCH answer into lines."""
    server = imap_script({"SEARCH": b"* SEARCH 2\r\n* SEARCH 1\r\n" + DONE})
    assert run(server)[0].fetched == 2


def test_150_000_unread_mails_are_found(imap_script: Callable[..., ScriptedImap]) -> None:
    """Plain imaplib fails at a line of a million bytes; here the setting counts."""
    uids = b" ".join(b"%d" % uid for uid in range(1_000_000, 1_150_000))
    server = imap_script({"SEARCH": b"* SEARCH " + uids + b"\r\n" + DONE})
    with open_mailbox(server.mailbox(), IMPATIENT) as session:
        assert session.unseen() == list(range(1_000_000, 1_150_000))


@pytest.mark.parametrize("command", ["SELECT", "SEARCH"])
def test_a_large_folder_may_be_read_in_silence(
    imap_script: Callable[..., ScriptedImap], command: str
) -> None:
    """Until it has an index a server may say nothing for longer than fetch.idle_timeout."""

    def thinking() -> Iterator[bytes]:
        time.sleep(2 * settings.idle_timeout)
        yield DECENT[command]

    settings = Fetch(idle_timeout=0.4, command_timeout=30)
    assert run(imap_script({command: thinking()}), settings)[0].fetched == 2


def test_a_slow_line_is_not_a_drip(imap_script: Callable[..., ScriptedImap]) -> None:
    """A mail may take longer than command_timeout if its bytes keep coming fast enough."""
    body = b"x" * 40_000

    def slowly() -> Iterator[bytes]:
        answer = fetched(1, body) + DONE
        for start in range(0, len(answer), 2000):
            time.sleep(0.1)
            yield answer[start : start + 2000]

    server = imap_script({"BODY": slowly()})
    begin = time.monotonic()
    assert [one.raw for one in run(server)[1]] == [body]
    assert time.monotonic() - begin > IMPATIENT.command_timeout


BACKOFF = b"NO Request is throttled. Suggested Backoff Time: 299961 milliseconds\r\n"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("AUTHENTICATE", b"@ " + BACKOFF),
        ("SELECT", b"@ BAD" + BACKOFF[2:]),
        ("SEARCH", b"@ " + BACKOFF),
        ("SIZE", [b"@ " + BACKOFF + b"* BYE\r\n", None]),
        ("BODY", FIRST + b"@ " + BACKOFF),
        ("STORE", b"@ " + BACKOFF),
        ("BODY", b"* BYE" + BACKOFF[2:]),
    ],
)
def test_throttling_is_told_with_its_seconds(
    imap_script: Callable[..., ScriptedImap], command: str, answer: Answer
) -> None:
    """Exchange says for how long it wants to be left alone; that survives pickling."""
    with pytest.raises(Throttled) as caught:
        run(imap_script({command: answer}))
    assert caught.value.seconds == pytest.approx(299.961)
    assert pickle.loads(pickle.dumps(caught.value)).seconds == pytest.approx(299.961)
    assert "300 seconds" in str(caught.value)


@pytest.mark.parametrize("answer", [b"@ NO cannot\r\n", b"@ BAD what?\r\n", None])
def test_a_refused_mark_is_not_overlooked(
    imap_script: Callable[..., ScriptedImap], answer: bytes | None
) -> None:
    """A run whose marks were not all accepted does not end well."""
    with pytest.raises(TryLater):
        run(imap_script({"STORE": answer}))


def test_a_folder_that_becomes_read_only_stops(imap_script: Callable[..., ScriptedImap]) -> None:
    """A READ-ONLY notice on the way ends the run before anything is marked in vain."""
    server = imap_script({"SEARCH": b"* OK [READ-ONLY] now\r\n" + DECENT["SEARCH"]})
    with pytest.raises(StopProcess, match="read-only"):
        run(server)


def test_nothing_is_logged_of_what_passes(
    imap_script: Callable[..., ScriptedImap], caplog: pytest.LogCaptureFixture
) -> None:
    """Even at level DEBUG no line shows the password or a mail."""
    caplog.set_level(1)
    run(imap_script())
    assert PASSWORD not in caplog.text
    assert "first" not in caplog.text


def test_no_audit_hook_and_no_command_log_sees_the_password(
    imap_script: Callable[..., ScriptedImap],
) -> None:
    """Plain imaplib tells audit hooks what it sends, and keeps it; this one does neither."""
    heard: list[object] = []
    # a hook stays for good: it must do nothing once this test is over
    hearing = [True]
    sys.addaudithook(
        lambda event, data: heard.append(data) if hearing and event == "imaplib.send" else None
    )
    server = imap_script({"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n" + DONE})
    with open_mailbox(server.mailbox(), IMPATIENT) as session:
        assert session._imap.debug == 0
        assert session._imap._cmd_log == {}
    hearing.clear()
    assert any(PASSWORD.encode() in line for line in server.lines)
    assert heard == []


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (imaplib.IMAP4, "_create_socket", ["self", "timeout"]),
        (imaplib.IMAP4, "open", ["self", "host", "port", "timeout"]),
        (imaplib.IMAP4, "_command", ["self", "name", "args"]),
        (imaplib.IMAP4, "_simple_command", ["self", "name", "args"]),
        (imaplib.IMAP4, "_quote", ["self", "arg"]),
        (imaplib.IMAP4, "_log", ["self", "line"]),
        (imaplib.IMAP4, "_get_capabilities", ["self"]),
        (imaplib.IMAP4, "read", ["self", "size"]),
        (imaplib.IMAP4, "readline", ["self"]),
        (imaplib.IMAP4, "send", ["self", "data"]),
        (imaplib.IMAP4, "shutdown", ["self"]),
        (IMAPClient, "_create_IMAP4", ["self"]),
    ],
)
def test_the_libraries_keep_the_names_we_rely_on(
    owner: type, name: str, parameters: Sequence[str]
) -> None:
    """An upgrade that renames one of them or changes its parameters fails here first."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_the_library_reads_by_our_methods_only() -> None:
    """The parser calls readline and read, and keeps tags where we look for them."""
    parser = inspect.getsource(getattr(imaplib.IMAP4, "_get_response"))  # noqa: B009 - untyped
    line = inspect.getsource(getattr(imaplib.IMAP4, "_get_line"))  # noqa: B009 - untyped
    assert "self._get_line()" in parser
    assert "self.readline()" in line
    assert "self.read(size)" in parser
    assert "self.tagged_commands[tag] =" in parser
    assert "self._imap.debug = 5" in inspect.getsource(IMAPClient.__init__)


def test_misbehaviour_is_an_error_that_may_heal() -> None:
    """The next run tries again: the server may have been repaired."""
    assert issubclass(ServerMisbehaved, TryLater)
    assert issubclass(Throttled, TqimapError)

"""Hostile code inside an opener: what it tries fails, and the mail is read all the same.

Each attack is made twice: locked in, and without the layers that stop it, where it must succeed; so
no attack fails here for a reason of its own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from fixtures import evil
from fixtures.built_archives import sevenzipped
from fixtures.built_mail import mixed, part
from fixtures.zygote import forked, instead
from rq.timeouts import JobTimeoutException, UnixSignalDeathPenalty

from tqimap_processor import child, contain, jail, jail_landlock, jail_seccomp, jobs
from tqimap_processor.contain_time import MailTime
from tqimap_processor.openers import OPENERS
from tqimap_processor.pipeline import examine
from tqimap_sandbox import arrival
from tqimap_shared.settings import Limits, Policy, Settings, ThreatQ


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tqimap_processor.artefact import Artefact
    from tqimap_processor.report import Report

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

GIF = b"GIF89a\n"
SECONDS = 120
# what never ends is ended by one of these
BRIEF: dict[str, dict[str, int]] = {
    "loop": {"opener_seconds": 1, "opener_wall": 100},
    "loop_in_c": {"opener_seconds": 1, "opener_wall": 100},
    "sleep": {"opener_wall": 5},
}
# attack, the layers of which each suffices
ATTACKS: dict[str, set[str]] = {
    "read_file": {"files"},
    "list_root": {"files"},
    "read_parents_environment": {"files", "privileges"},
    "connect_tcp": {"files", "calls"},
    "send_udp": {"calls"},
    "connect_unix": {"calls"},
    "write_file": {"files", "calls"},
    "fill_disk": {"files", "calls", "limits"},
    "execute": {"files", "calls"},
    "fork": {"calls", "limits"},
    "signal_parent": {"files", "calls"},
    "trace_parent": {"files", "calls", "privileges"},
    "allocate": {"limits"},
    "raise_limits": {"privileges", "limits"},
    "find_secrets": {"inheritance"},
    "find_descriptors": {"inheritance"},
    "keep_in_memory": {"calls"},
}
# limits are none where they may be lifted, and privileges of no use where there are no limits
TOGETHER = {"raise_limits"}
# root's processes are not counted
UNBOUND = {("fork", "limits")} if os.geteuid() == 0 else set()
LAYERS: dict[str, tuple[Any, str, Any]] = {
    "files": (jail_landlock, "restrict", lambda *_: True),
    "calls": (jail_seccomp, "restrict", lambda **_: True),
    "limits": (jail, "_limit", lambda _: None),
    "privileges": (jail, "_give_up_privileges", lambda _: None),
    "inheritance": (jail, "_forget", lambda _: None),
}
# attack, what is said of its artefact
DEATHS = {
    "abort": "aborted (SIGABRT)",
    "crash": "a wild memory access (SIGSEGV)",
    "leave": "ended with status 1",
    "loop": "out of processor time (SIGXCPU)",
    "loop_in_c": "out of processor time (SIGXCPU)",
    "sleep": "no answer in time",
    "close_everything": "ended with status 1",
    "close_and_stay": "stopped",
    "chatter": "a broken answer",
}


@pytest.fixture(autouse=True)
def _kernel() -> None:
    with forked(Limits()) as zygote:
        lacking = contain.missing(Limits(), zygote)
    if lacking and os.environ.get("CI") != "true":
        pytest.skip(f"needs {' and '.join(lacking)}")
    assert not lacking


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    before = set(children(os.getpid()))
    yield
    assert set(children(os.getpid())) <= before


def fields(path: Path) -> list[str]:
    """Return state, parent and group in a file of /proc; empty if the process has ended."""
    try:
        return path.read_text("utf-8").rpartition(")")[2].split()[:3]
    except OSError:
        return ["", "", ""]


def children(of: int) -> list[Path]:
    """Return the files in /proc of the living children of a process."""
    return [p for p in Path("/proc").glob("[0-9]*/stat") if fields(p)[1] == str(of)]


def descendants(of: int) -> list[Path]:
    """Return the files in /proc of the children's children."""
    return [two for one in children(of) for two in children(int(one.parent.name))]


class Target:
    """What the attacks aim at, and what shows that one hit."""

    def __init__(self, directory: Path) -> None:
        self.signalled = False
        self.file = directory / "left-behind"
        self.unix = directory / "socket"
        self.inherited = self.file.with_name("inherited").open("wb")
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(str(self.unix))
        self.local.listen()

    def wish(self, attack: str) -> str:
        """Return what an attack has to know."""
        return {
            "connect_tcp": str(self.tcp.getsockname()[1]),
            "send_udp": str(self.udp.getsockname()[1]),
            "connect_unix": str(self.unix),
            "find_descriptors": str(self.inherited.fileno()),
            "signal_parent": str(os.getpid()),
        }.get(attack, str(self.file))

    def close(self) -> None:
        """Give everything up."""
        for one in (self.inherited, self.tcp, self.udp, self.local):
            one.close()


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """Set up what is attacked."""
    monkeypatch.setenv(evil.SECRET, "secret")
    made = Target(tmp_path)
    before = signal.signal(signal.SIGUSR1, lambda *_: setattr(made, "signalled", True))
    try:
        yield made
    finally:
        signal.signal(signal.SIGUSR1, before)
        made.close()


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let every GIF be opened by an attack."""

    def choose(attack: str) -> None:
        monkeypatch.setitem(OPENERS, "gif", getattr(evil, attack))

    return choose


def carrying(*payloads: bytes) -> bytes:
    """Return a mail with GIFs of these payloads between a body and a text file."""
    return mixed(
        b"Content-Type: text/plain\r\n\r\nsee hxxp://before-it[.]com/a",
        *(part(GIF + one, "image/gif", name=f"{n}.gif") for n, one in enumerate(payloads)),
        part(b"see hxxp://after-it[.]com/b", "text/plain", name="after.txt"),
    )


def examined(raw: bytes, *beat: Callable[[], None], **limits: int) -> Report:
    """Examine a mail locked in."""
    most = Limits(**limits)
    with forked(most) as zygote:
        read = partial(contain.examine, limits=most, policy=Policy(), zygote=zygote)
        return read(raw, beat=beat[0]) if beat else read(raw)


def attacked(report: Report) -> Artefact:
    """Check that all the rest was read, and return the artefact that attacked."""
    found = {one.value for one in report.decisions}
    assert {"http://before-it.com/a", "http://after-it.com/b"} <= found
    (one,) = [one for one in report.artefacts if one.kind == "gif"]
    rest = [p.kind for each in report.artefacts if each is not one for p in each.problems]
    assert not rest
    return one


def succeeded(artefact: Artefact, target: Target) -> bool:
    """Tell whether an attack reached what it wanted."""
    texts = [span.text for span in artefact.spans]
    return "done" in texts or target.file.exists() or target.signalled


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_fails(attack: str, target: Target, arm: Callable[[str], None]) -> None:
    """What a mail's code tries to do to the machine is refused, and costs its own artefact."""
    arm(attack)
    report = examined(carrying(target.wish(attack).encode()))
    one = attacked(report)
    assert not succeeded(one, target)
    assert [problem.kind for problem in one.problems] == ["opener-failed"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_succeeds_without_protection(
    attack: str,
    target: Target,
    arm: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same attack is able to do what it is stopped from where its layers are missing."""
    arm(attack)
    for layer in ATTACKS[attack]:
        monkeypatch.setattr(*LAYERS[layer])
    report = examined(carrying(target.wish(attack).encode()))
    (one,) = [one for one in report.artefacts if one.kind == "gif"]
    assert succeeded(one, target)


@pytest.mark.parametrize(
    ("attack", "layer"),
    [
        (name, layer)
        for name, layers in ATTACKS.items()
        for layer in sorted(layers)
        if name not in TOGETHER and (name, layer) not in UNBOUND
    ],
)
def test_one_layer_suffices(
    attack: str,
    layer: str,
    target: Target,
    arm: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of the layers named for an attack stops it, were the others missing."""
    arm(attack)
    for other in ATTACKS[attack] - {layer}:
        monkeypatch.setattr(*LAYERS[other])
    one = attacked(examined(carrying(target.wish(attack).encode())))
    assert not succeeded(one, target) or (attack == "fill_disk" and not target.file.stat().st_size)


@pytest.mark.parametrize("attack", DEATHS)
def test_death_costs_one_artefact(attack: str, arm: Callable[[str], None]) -> None:
    """An opener that dies, hangs or babbles is told of; what it had is swept for readable text."""
    arm(attack)
    one = attacked(examined(carrying(b"http://inside-it.com/x"), **BRIEF.get(attack, {})))
    assert [(p.kind, p.detail) for p in one.problems] == [("opener-crashed", DEATHS[attack])]
    assert "http://inside-it.com/x" in one.spans[0].text


@pytest.mark.parametrize(
    ("attack", "kind"), [("multiply", "opener-failed"), ("multiply_less", "too-many")]
)
def test_children_without_end(attack: str, kind: str, arm: Callable[[str], None]) -> None:
    """A thousand million children end as a problem, as do some millions."""
    arm(attack)
    report = examined(carrying(b""))
    (one,) = [one for one in report.artefacts if one.kind == "gif"]
    assert [problem.kind for problem in one.problems] == [kind]
    assert {"http://before-it.com/a", "http://after-it.com/b"} <= {
        one.value for one in report.decisions
    }


def test_restarts_are_counted(arm: Callable[[str], None]) -> None:
    """After as many deaths as a mail may cause, the rest of it is not opened; texts are kept."""
    arm("abort")
    report = examined(carrying(*(b"%d" % n for n in range(6))), restarts=2)
    kinds = [one.problems[0].kind for one in report.artefacts if one.kind == "gif"]
    assert kinds == ["opener-crashed"] * 3 + ["not-read"] * 3
    assert "http://before-it.com/a" in {one.value for one in report.decisions}


def test_time_is_for_the_whole_mail(arm: Callable[[str], None]) -> None:
    """When the time for a mail is used up, what was opened by then is searched all the same."""
    arm("loop")
    # the first one uses up all of it
    limits = {"opener_seconds": 1, "opener_wall": 100, "mail_seconds": 1, "restarts": 50}
    report = examined(carrying(*(b"%d" % n for n in range(5))), **limits)
    kinds = [one.problems[0].kind for one in report.artefacts if one.kind == "gif"]
    assert set(kinds) == {"opener-crashed", "out-of-time"}
    assert kinds == sorted(kinds), "the first ones are tried"
    assert "http://before-it.com/a" in {one.value for one in report.decisions}


def test_search_that_dies_costs_the_findings_of_one_artefact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A text whose search kills the process is told of; the others are searched."""

    def search(text: str) -> list[object]:
        if "kill" in text:
            os.abort()
        return cast("list[object]", original(text))

    original = vars(child)["extract"]
    monkeypatch.setattr(child, "extract", search)
    report = examined(
        mixed(
            b"Content-Type: text/plain\r\n\r\nhttp://before-it.com/a",
            part(b"kill", "text/plain", name="a.txt"),
            part(b"http://after-it.com/b", "text/plain", name="b.txt"),
        )
    )
    problems = {one.name: [(p.kind, p.detail) for p in one.problems] for one in report.artefacts}
    assert problems["a.txt"] == [("search-crashed", "aborted (SIGABRT)")]
    assert {"http://before-it.com/a", "http://after-it.com/b"} <= {
        one.value for one in report.decisions
    }


def test_7zz_runs_locked_in() -> None:
    """What 7zz opens is opened as it is without protection."""
    archive = sevenzipped("7z", ("a.txt", b"hxxp://in-7z[.]com/a"), ("b.txt", b"8.8.4.4"))
    raw = mixed(part(archive, "application/x-7z-compressed", name="a.7z"))
    report = examined(raw)
    assert report == examine(raw, limits=Limits(), policy=Policy())
    assert [one.name for one in report.artefacts] == ["", "a.7z", "a.txt", "b.txt"]


def test_missing_protection_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A kernel without Landlock or seccomp is told of when the worker starts; it goes on."""
    settings = Settings(threatq=ThreatQ(host="threatq.example"))
    with instead():
        jobs.prepare(settings)
    assert not caplog.records
    monkeypatch.setattr(jail_landlock, "abi", lambda: 0)
    monkeypatch.setattr(jail_seccomp, "restrict", lambda **_: False)
    with instead():
        jobs.prepare(settings)
    jobs.end()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "Landlock (files) and seccomp (system calls)" in record.getMessage()
    assert examined(carrying()).decisions


@pytest.mark.parametrize("path", sorted(arrival.MAILS.glob("*.eml")), ids=lambda path: path.stem)
def test_sample_is_read_alike(path: Path) -> None:
    """A mail yields locked in exactly what it yields without protection."""
    raw = path.read_bytes()
    assert examined(raw) == examine(raw, limits=Limits(), policy=Policy())


@pytest.mark.parametrize("is_safe", [True, False])
def test_process_for_7zz_starts_nothing_else(
    is_safe: bool,  # noqa: FBT001 - a parameter of the test
    arm: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where 7zz may be started, nothing else may, which is Landlock's doing."""
    arm("escape_with_7zz")
    if not is_safe:
        monkeypatch.setattr(*LAYERS["files"])
    one = attacked(examined(carrying(b"")))
    assert ("done" in [span.text for span in one.spans]) is not is_safe


def test_nothing_started_outlives_the_mail(
    arm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process left behind where 7zz may be started, as its own session, ends all the same."""
    arm("escape_the_group")
    monkeypatch.setattr("tqimap_processor.contain_cell.BEAT", 0.05)
    seen: set[Path] = set()
    # servers of other tests are children of this process too, and have children of their own
    before = set(children(os.getpid()))

    def look() -> None:
        for zygote in set(children(os.getpid())) - before:
            seen.update(descendants(int(zygote.parent.name)))

    attacked(examined(carrying(b""), look, opener_wall=5, unpacker_wall=1))
    assert seen
    until(lambda: all(fields(path)[0] in {"", "Z"} for path in seen))


def test_rqs_deadline_ends_it(arm: Callable[[str], None]) -> None:
    """The deadline of the job strikes while one waits, and leaves no process behind."""
    arm("sleep")
    deadline = UnixSignalDeathPenalty(1, JobTimeoutException)  # type: ignore[no-untyped-call]  # rq left it untyped
    with pytest.raises(JobTimeoutException), deadline:
        examined(carrying(b""), opener_wall=60)


def test_signs_of_life_are_given_meanwhile(
    arm: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a slow mail hears of it often enough to keep a lease."""
    arm("sleep")
    monkeypatch.setattr("tqimap_processor.contain_cell.BEAT", 0.1)
    beats: list[float] = []
    examined(carrying(b""), lambda: beats.append(time.monotonic()), opener_wall=1)
    assert len(beats) >= 3


def test_killed_worker_takes_its_process_along(arm: Callable[[str], None]) -> None:
    """When the worker is killed, the process that opened its mail ends too."""
    arm("sleep")
    worker = os.fork()
    if not worker:
        try:
            examined(carrying(b""), opener_wall=60)
        finally:
            os._exit(0)

    cells = partial(descendants, worker)
    until(cells)
    (process,) = cells()
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    until(lambda: fields(process)[0] in {"", "Z"})


def until(true: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_searching_has_its_share_of_the_time_whatever_opening_took() -> None:
    """Time that opening used beyond its share is not taken from searching."""
    used = 0.0
    left = MailTime(Limits(mail_seconds=40, wall=400), lambda: used)
    assert left.to_open().cpu == 30
    assert left.left().cpu == 40
    used = 41.0
    assert left.to_open().cpu < 0
    assert left.to_search().cpu == 10
    used = 50.0
    assert left.to_search().cpu == 1
    brief = MailTime(Limits(mail_seconds=40, wall=400), lambda: used - 50)
    assert brief.to_search().cpu == 40, "what opening did not need is left for searching"


def test_a_worker_never_loads_a_parser() -> None:
    """What holds the credentials has no parser in its memory, not even after a mail was read."""
    program = (
        "import sys, tqimap_processor.cli\n"
        "from tqimap_processor.contain import examiner\n"
        "from tqimap_shared.settings import Limits, Policy\n"
        "with examiner(Limits(), Policy()) as examine:\n"
        "    report = examine(sys.stdin.buffer.read())\n"
        "print(*{one.kind for one in report.artefacts}, *sys.modules)\n"
    )
    raw = carrying().replace(b"text/plain", b"text/html", 1)
    done = subprocess.run(
        [sys.executable, "-c", program], input=raw, capture_output=True, check=True
    )
    told = set(done.stdout.decode().split())
    assert told >= {"mail", "html", "tqimap_processor.policy"}
    rooms = {"extract.scan", "openers.registry", "openers.html", "mime", "message"}
    parsers = {f"tqimap_processor.{one}" for one in rooms}
    assert told & (parsers | {"mailparser", "turbohtml", "PIL", "pypdfium2"}) == set()

"""Read hostile bytes in processes that are locked in and may die.

The worker keeps the tree, the budgets and what was found; a locked-in process gets the bytes of one
artefact, or its texts, and answers. One that dies, hangs or answers nonsense costs that artefact:
it is swept for what is readable in it, and the next one gets a new process. 7zz is a program, so it
runs in a second kind of process, which may start that one program and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tqimap_processor import (
    child_wire,
    contain_answers,
    header,
    pipeline,
)
from tqimap_processor.artefact import Opened, Problem
from tqimap_processor.child_wire import WireError
from tqimap_processor.contain_cell import Cell, CrashError
from tqimap_processor.contain_time import MailTime
from tqimap_processor.openers import sevenzip
from tqimap_processor.report import Message
from tqimap_processor.zygote import GoneError, Zygote
from tqimap_shared.errors import TryLater


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tqimap_processor.artefact import Artefact
    from tqimap_processor.child_wire import Frame
    from tqimap_processor.contain_time import Seconds
    from tqimap_processor.extract import Finding
    from tqimap_processor.openers import Source
    from tqimap_processor.report import Report
    from tqimap_processor.zygote import Family
    from tqimap_shared.settings import Limits, Policy

_T = TypeVar("_T")


def _no_beat() -> None:
    pass


def examine(
    raw: bytes,
    *,
    limits: Limits,
    policy: Policy,
    zygote: Zygote,
    beat: Callable[[], None] = _no_beat,
) -> Report:
    """Do as `pipeline.examine`, with everything that touches hostile bytes locked in.

    The processes for that come from *zygote*; *beat* is called every few seconds meanwhile. Raises
    TryLater if no process could be started.
    """
    with _told(), Contained(limits, zygote.family(), beat) as reader:
        report = pipeline.examine(raw, limits=limits, policy=policy, reader=reader)
    lost = reader.lost
    artefacts = tuple(
        replace(one, problems=(*one.problems, *lost[one.id])) if one.id in lost else one
        for one in report.artefacts
    )
    return replace(report, artefacts=artefacts)


@contextmanager
def examiner(limits: Limits, policy: Policy) -> Iterator[Callable[[bytes], Report]]:
    """Yield `examine` with a zygote of its own; for programs that are no workers."""
    with Zygote.spawned(limits) as zygote:
        yield partial(examine, limits=limits, policy=policy, zygote=zygote)


def missing(limits: Limits, zygote: Zygote) -> tuple[str, ...]:
    """Return what of the protection this system does not offer, by trying; raises TryLater."""
    with _told(), Contained(limits, zygote.family(), _no_beat) as reader:
        return reader.cell("").missing


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except GoneError as error:
        raise TryLater("parsing", f"no process can be started ({error}).") from None


class Contained:
    """A `Reader` that lets locked-in processes read one mail; as a context it ends them.

    *lost* holds, by artefact, the problems that came up after the artefact was opened.
    """

    def __init__(self, limits: Limits, family: Family, beat: Callable[[], None]) -> None:
        self.lost: dict[str, list[Problem]] = defaultdict(list)
        self._limits = limits
        self._family = family
        self._beat = beat
        self._cells: dict[str, Cell] = {}
        self._spent = 0.0
        self._crashes = {"open": 0, "search": 0}
        self._time = MailTime(limits, self._used)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for cell in self._cells.values():
            cell.close()
        self._family.close()

    def envelope(self, raw: bytes, limits: Limits) -> Message:
        """Read the envelope of *raw*; where that fails, know its hash and size."""
        bare = Message(hashlib.sha256(raw).hexdigest(), len(raw))
        head = header.cut(header.block(raw), limits)
        try:
            found = self._ask(
                {"ask": "envelope"}, head, self._time.left(), contain_answers.envelope
            )
        except CrashError as crash:
            self.lost["0"].append(Problem("header-unread", crash.how))
            return bare
        return replace(bare, **found)

    def open(self, kind: str, source: Source) -> Opened:
        """Open an artefact; if that kills its process, sweep it."""
        if len(source.data) > self._limits.memory:
            return Opened(problems=(Problem("too-large", f"not opened: {len(source.data)} bytes"),))
        if refused := self._refusal("open", self._time.to_open()):
            return Opened(problems=(refused,))
        try:
            return self._opened(kind, source)
        except CrashError as crash:
            self._crashes["open"] += 1
            problem = Problem("opener-crashed", crash.how)
        try:
            swept = self._open(kind, source, sweep=True)
        except CrashError:
            return Opened(problems=(problem,))
        return replace(swept, problems=(problem, *swept.problems))

    def findings(self, artefact: Artefact) -> Iterable[Iterable[Finding]]:
        """Search the texts of *artefact*; if that kills its process, go without the rest."""
        texts = [span.text for span in artefact.spans]
        if not texts:
            return
        left = self._time.to_search()
        if refused := self._refusal("search", left):
            self.lost[artefact.id].append(refused)
            return
        lengths, data = child_wire.join(texts)
        try:
            frames = self._frames({"ask": "findings", "lengths": lengths}, data, left)
            yield from contain_answers.findings(frames, texts)
        except (CrashError, WireError) as error:
            self._forget("")
            self._crashes["search"] += 1
            how = error.how if isinstance(error, CrashError) else "a broken answer"
            self.lost[artefact.id].append(Problem("search-crashed", how))

    def cell(self, program: str) -> Cell:
        """Return a living process, which may start *program* if there is one; raises TryLater."""
        cell = self._cells.get(program)
        if cell is None:
            # 7zz limits itself, which it may only do downwards
            least = self._limits.unpacker_cpu + 2.0 if program else 1.0
            seconds = max(least, self._time.left().cpu)
            programs = (program,) if program else ()
            try:
                cell = Cell(self._family, seconds=seconds, beat=self._beat, programs=programs)
            except (CrashError, OSError) as error:
                raise TryLater("parsing", f"no process could be started ({error}).") from None
            self._cells[program] = cell
        return cell

    def _opened(self, kind: str, source: Source) -> Opened:
        opened = self._open(kind, source)
        program = sevenzip.binary()
        asked = (opened.problems, *(one.problems for one in opened.children))
        if program is None or not any(sevenzip.NEEDED in problems for problems in asked):
            return opened
        return self._open(kind, source, program=program)

    def _open(self, kind: str, source: Source, *, sweep: bool = False, program: str = "") -> Opened:
        request = {
            "ask": "open",
            "kind": kind,
            "sweep": sweep,
            "room": source.room,
            "declared_type": source.declared_type,
            "parameters": dict(source.parameters),
            "passwords": source.passwords,
            "text": source.text,
            "children": source.children,
        }
        # a character is at most four bytes
        room = max(source.room, 4 * source.text)
        return self._ask(
            request,
            source.data,
            self._time.left() if sweep else self._time.to_open(),
            lambda frames: contain_answers.opened(frames, source),
            room=room,
            program=program,
        )

    def _ask(
        self,
        fields: dict[str, Any],
        data: bytes,
        left: Seconds,
        parse: Callable[[Iterator[Frame]], _T],
        *,
        room: int = 0,
        program: str = "",
    ) -> _T:
        try:
            return parse(self._frames(fields, data, left, room=room, program=program))
        except WireError:
            self._forget(program)
            raise CrashError("a broken answer") from None

    def _frames(
        self,
        fields: dict[str, Any],
        data: bytes,
        left: Seconds,
        *,
        room: int = 0,
        program: str = "",
    ) -> Iterator[Frame]:
        limits = self._limits
        wall = limits.opener_wall + (limits.unpacker_wall if program else 0)
        fields["seconds"] = min(limits.opener_seconds, left.cpu)
        try:
            yield from self.cell(program).ask(fields, data, room=room, seconds=min(wall, left.wall))
        except CrashError:
            self._forget(program)
            raise

    def _refusal(self, phase: str, left: Seconds) -> Problem | None:
        """Say why no more artefacts are read, if so."""
        if self._crashes[phase] > self._limits.restarts:
            return Problem("not-read", f"{self._crashes[phase]} processes died over this mail")
        if min(left) <= 0:
            return Problem("out-of-time", "not read: the time for this mail is used up")
        return None

    def _forget(self, program: str) -> None:
        cell = self._cells.pop(program, None)
        if cell is not None:
            cell.end()
            self._spent += cell.used()

    def _used(self) -> float:
        return self._spent + sum(cell.used() for cell in self._cells.values())

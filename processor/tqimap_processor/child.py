"""What runs in a locked-in process: requests over the line, each answered by frames.

Nothing here is trusted by the other end: see `contain_answers` for what it makes of the frames.
"""

from __future__ import annotations

import os
from io import FileIO
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn

from tqimap_processor import child_wire, jail, message
from tqimap_processor.extract import extract
from tqimap_processor.openers import Source, open_artefact, open_inside
from tqimap_processor.openers.allowance import within
from tqimap_processor.openers.raw import open_raw


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tqimap_processor.artefact import Opened, Problem, Span
    from tqimap_processor.extract import Finding
    from tqimap_processor.jail import Terms
    from tqimap_shared.settings import Limits

Answer = tuple[dict[str, Any], bytes]


def run(terms: Terms) -> NoReturn:
    """Be the child: lock this process in, say what of that failed, and serve until the line ends.

    Never returns, whatever happens: the code of the worker above on the stack must not run here.
    """
    status = 1
    try:
        missing = jail.enter(terms)
        line = _Line(terms.line)
        line.write({"ready": list(missing)})
        _serve(line, terms.limits, may_start=bool(terms.programs))
        status = 0
    finally:
        os._exit(status)


class _Line:
    """This end of the line. Plain reads and writes: the jail knows no other calls."""

    def __init__(self, descriptor: int) -> None:
        self._file = FileIO(descriptor, "r+", closefd=False)

    def read(self, size: int) -> bytes:
        data = bytearray(size)
        view, got = memoryview(data), 0
        while got < size:
            step = self._file.readinto(view[got:])
            if not step:
                os._exit(0)  # the worker is done with this mail
            got += step
        return bytes(data)

    def write(self, fields: dict[str, Any], data: bytes = b"") -> None:
        for piece in (child_wire.pack(fields, data), data):
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) :]


def _serve(line: _Line, limits: Limits, *, may_start: bool) -> None:
    while True:
        fields, data = child_wire.unpack(line.read, 2**32)
        jail.allow(fields.pop("seconds"))
        for answer in _answers(fields, data, limits, may_start=may_start):
            line.write(*answer)
        line.write({"end": True})


def _answers(
    fields: dict[str, Any], data: bytes, limits: Limits, *, may_start: bool
) -> Iterator[Answer]:
    match fields.pop("ask"):
        case "envelope":
            yield _envelope(data, limits)
        case "findings":
            texts = child_wire.split(fields["lengths"], data)
            yield from _findings(map(extract, texts))
        case "open":
            kind, sweep = fields.pop("kind"), fields.pop("sweep")
            passwords = tuple(fields.pop("passwords"))
            source = Source(data, limits, passwords=passwords, **fields)
            if sweep:
                yield from _opened(within(open_raw(source), source))
            else:
                yield from _opened((open_artefact if may_start else open_inside)(kind, source))


def _envelope(data: bytes, limits: Limits) -> Answer:
    found = message.envelope(data, limits)
    return {
        "message_id": found.message_id,
        "subject": found.subject,
        "sender": found.sender,
        "recipients": found.recipients,
        "date": found.date and found.date.isoformat(),
    }, b""


def _opened(opened: Opened) -> Iterator[Answer]:
    for spans in _batches(opened.spans):
        lengths, data = child_wire.join([one.text for one in spans])
        places = [one.where for one in spans]
        how = {"hidden": [one.hidden for one in spans], "typed": [one.typed for one in spans]}
        yield {"spans": lengths, "where": places, **how}, data
    for child in opened.children:
        about = (child.name, child.how, child.declared_type)
        more = {"problems": _pairs(child.problems), "parameters": child.parameters}
        yield {"child": about, **more}, child.data
    yield {"problems": _pairs(opened.problems)}, b""


def _pairs(problems: tuple[Problem, ...]) -> list[tuple[str, str]]:
    return [(one.kind, one.detail) for one in problems]


def _batches(spans: tuple[Span, ...]) -> Iterator[list[Span]]:
    batch: list[Span] = []
    size = 0
    for span in spans:
        batch.append(span)
        size += len(span.where) + len(span.text)
        if size >= child_wire.BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _findings(found: Iterable[Iterable[Finding]]) -> Iterator[Answer]:
    batch: list[tuple[Any, ...]] = []
    size = 0
    for number, hits in zip(count(), found, strict=False):
        for hit in hits:
            kind, value, start, end, flags, attributes = hit
            batch.append((number, kind, value, start, end, sorted(flags), attributes))
            size += 100 + len(value)
            if size >= child_wire.BATCH:
                yield {"findings": batch, "searched": number}, b""
                batch, size = [], 0
    yield {"findings": batch, "searched": None}, b""

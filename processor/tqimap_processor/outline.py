"""Show a report in a terminal: the tree of artefacts, each with its problems and its findings.

rich draws it. What will be uploaded or reviewed stands where it was found, whole, to be copied;
what is skipped follows by reason. A finding stands once, at the place that tells most of it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from tqimap_processor.report import Action


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType

    from tqimap_processor.artefact import Artefact, Problem
    from tqimap_processor.report import Decision, Report


_STYLES = {Action.UPLOAD: "bold green", Action.REVIEW: "yellow", Action.SKIP: "dim"}
_PLACES = 3  # of a finding that are named
_PIPED = 1_000  # columns where nobody sees them: no value is broken over lines
_HARMLESS = "duplicate"  # said of an artefact, but nothing wrong with it


def console() -> Console:
    """Return a console that breaks no lines unless somebody looks at them."""
    found = Console(highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = _PIPED
    return found


def show(screen: Console, name: str, report: Report) -> None:
    """Print *report* about the mail in the file *name*."""
    screen.print(Text(_plain(name), "bold"))
    screen.print(_head(report))
    screen.print(_tree(report))
    screen.print(_skipped(report))


def _head(report: Report) -> RenderableType:
    message = report.message
    date = f"{message.date:%Y-%m-%d %H:%M:%S %Z}" if message.date else "none that can be read"
    fields = {
        "Subject": message.subject,
        "From": message.sender,
        "To": ", ".join(message.recipients),
        "Date": date,
        "Message-ID": message.message_id,
        "SHA-256": message.sha256,
        "Found": _count(report),
    }
    lines = (Text.assemble((f"{key:12}", "dim"), _plain(text)) for key, text in fields.items())
    return _indented(Group(*lines, Text()), 2)


def _count(report: Report) -> str:
    number = Counter(one.action for one in report.decisions)
    troubled = sum(any(p.kind != _HARMLESS for p in one.problems) for one in report.artefacts)
    return (
        f"{number[Action.UPLOAD]} to upload, {number[Action.REVIEW]} to review,"
        f" {number[Action.SKIP]} skipped, in {len(report.artefacts)} artefacts"
        f", {troubled} with problems"
    )


def _tree(report: Report) -> RenderableType:
    found = defaultdict[str, list["Decision"]](list)
    for finding in report.decisions:
        if finding.action != Action.SKIP:
            found[_home(finding)].append(finding)
    mail, *others = report.artefacts
    root = Tree(_node(mail, found[mail.id]), guide_style="dim")
    nodes = {mail.id: root}
    for one in others:
        nodes[one.id] = nodes[one.parent or mail.id].add(_node(one, found[one.id]))
    return Group(root, Text())


def _home(finding: Decision) -> str:
    """Return the artefact under which *finding* is shown: where a person put it, if one did."""
    places = finding.found
    written = (one for one in places if "header " not in one.where)
    return next(written, places[0]).artefact if places else "0"


def _node(artefact: Artefact, found: list[Decision]) -> RenderableType:
    order = list(Action)
    ranked = sorted(found, key=lambda one: order.index(one.action))
    lines: list[RenderableType] = [Group(_title(artefact), *map(_problem, artefact.problems))]
    for said, alike in groupby(ranked, key=lambda one: _said(one, artefact.id)):
        lines += [*map(_finding, alike), _indented(Text(said, "dim"), 10)]
    return Group(*lines)


def _title(artefact: Artefact) -> Text:
    about = [artefact.how, _size(artefact.size)]
    if artefact.declared_type and artefact.how not in {"mail", "body"}:
        about.append(f"declared {artefact.declared_type}")
    return Text.assemble(
        (f"{artefact.id} ", "bold"),
        (artefact.kind, "bold cyan"),
        (f" {_plain(artefact.name)}" if artefact.name else "", "bold"),
        (f"  {_plain(', '.join(about))}", "dim"),
        overflow="fold",
    )


def _problem(problem: Problem) -> RenderableType:
    said = f"{problem.kind}: {problem.detail}" if problem.detail else problem.kind
    return _indented(Text(f"! {_plain(said)}", "dim" if problem.kind == _HARMLESS else "red"), 2)


def _finding(finding: Decision) -> RenderableType:
    line = Text.assemble(
        (f"{finding.action.value:7}", _STYLES[finding.action]),
        (f" {finding.type}  ", "dim"),
        _plain(finding.value),
        overflow="fold",
    )
    return _indented(line, 2)


def _said(finding: Decision, home: str) -> str:
    """Return where *finding* stands and why it is kept: what findings may have in common."""
    places = _plain(", ".join(_places(finding, home)))
    return " · ".join(filter(None, (places, finding.reason, *sorted(finding.flags))))


def _places(finding: Decision, home: str) -> Iterator[str]:
    """Yield the places of *finding*, those in the artefact *home* first, and how many more."""
    told = [one.where if one.artefact == home else f"{one.artefact} {one.where}"
            for one in sorted(finding.found, key=lambda one: one.artefact != home)]  # fmt: skip
    places = list(dict.fromkeys(told))
    yield from places[:_PLACES]
    if more := len(places[_PLACES:]):
        yield f"{more} more place{'s' if more > 1 else ''}"
    written = next((one.text for one in finding.found if one.text), finding.value)
    if "defanged" in finding.flags and written != finding.value:
        yield f"written {written}"


def _skipped(report: Report) -> RenderableType:
    reasons = defaultdict[str, list["Decision"]](list)
    for one in report.decisions:
        if one.action == Action.SKIP:
            reasons[one.reason].append(one)
    return Group(*(each for reason, some in reasons.items() for each in _reason(reason, some)))


def _reason(reason: str, skipped: Iterable[Decision]) -> Iterator[RenderableType]:
    values = defaultdict[str, list[str]](list)
    for one in skipped:
        values[one.type].append(_plain(one.value))
    count = sum(map(len, values.values()))
    yield Text(f"skipped ({count}): {_plain(reason)}", "dim")
    for kind, some in values.items():
        yield _indented(Text(f"{kind}  {', '.join(some)}", "dim", overflow="fold"), 2)


def _indented(line: RenderableType, columns: int) -> RenderableType:
    return Padding(line, (0, 0, 0, columns), expand=False)


def _size(size: int) -> str:
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} KB" if size < 10_000_000 else f"{size / 1_000_000:.0f} MB"


def _plain(text: str) -> str:
    """Return *text* without control or bidi characters, which would act on the terminal."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)

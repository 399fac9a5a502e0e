"""Open a mail: our own walk over the standard library's tree of parts.

mail-parser's lists of bodies and attachments merge nested mails into the outer one and lose binary
parts without a name; here every part stays where it is and keeps its bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from tqimap_processor import charset, message, mime
from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.detect import detect


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tqimap_processor.mime import Node, Part
    from tqimap_processor.openers.source import Source


_NESTED = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/partial",
        "message/news",
        "text/rfc822-headers",
        "message/rfc822-headers",
    }
)
_ENVELOPE = re.compile(rb"(?m)^From [^\r\n]{1,200}\d\r?\n(?=[!-9;-~]{1,76}:)")
_BODY_KINDS = frozenset({"text", "html", "mail", "unknown", "empty"})
_PARAMETERS = ("charset", "format", "delsp")
# these say how to read a part and hold no place of their own; the tree shows what they say
_STRUCTURE = frozenset(
    {"content-type", "content-transfer-encoding", "content-disposition", "content-id"}
)


def open_mail(source: Source) -> Opened:
    """Return the header fields as spans and the parts as children.

    Of a header over a limit the rest is left out. A mail whose body is over a limit is not parsed:
    its raw bytes become one span, `raw`.
    """
    if source.declared_type != "message/rfc822" and (mails := _several(source.data)):
        return Opened(children=mails)
    raw, cut = message.shortened(message.clean(source.data), source.limits)
    if problem := message.over_limit(raw, source.limits):
        swept = charset.decode(raw[: source.limits.artefact_text])
        return Opened(spans=(Span("raw", swept),), problems=(*cut, problem))
    root = mime.parse(raw, source.limits.part_field_bytes)
    tree = list(mime.nodes(root, source.limits.part_field_bytes))
    return Opened(
        spans=(*_header(root), *_edges(tree)),
        children=tuple(child for node in tree for child in _children(node)),
        problems=(*cut, *_defects([root, *(node.part for node in tree)])),
    )


def _several(data: bytes) -> tuple[Child, ...]:
    """Return the mails of a mailbox in a file (mbox), or nothing if it holds but one."""
    if not data.startswith(b"From "):
        return ()
    starts = [one.start() for one in _ENVELOPE.finditer(data)]
    pairs = pairwise((*starts, len(data)))
    mails = (data[start:end] for start, end in pairs) if len(starts) > 1 else ()
    return tuple(Child("", one, "nested-mail", "message/rfc822") for one in mails)


def _header(root: Part) -> Iterator[Span]:
    count: Counter[str] = Counter()
    for name, value in root.fields():
        count[name] += 1
        number = f" {count[name]}" if count[name] > 1 else ""
        yield Span(f"header {name}{number}", value)


def _edges(tree: list[Node]) -> Iterator[Span]:
    """Yield what stands beside the parts' contents: their own fields, preambles, epilogues."""
    for node in tree:
        place = f"part {node.path} " if node.path else ""
        if place:
            for name, value in node.part.fields():
                if name not in _STRUCTURE or node.part.declared_type == "message/external-body":
                    yield Span(f"{place}header {name}", value)
        for edge in ("preamble", "epilogue"):
            if text := (getattr(node.part, edge) or "").strip():
                yield Span(f"{place}{edge}", mime.printable(text), hidden=True)


def _children(node: Node) -> Iterator[Child]:
    part = node.part
    if part.is_multipart():
        return
    content = part.content()
    how = _how(node, content)
    unnamed = "" if how == "body" else f"part-{node.path or 1}"
    parameters = ((name, part.parameter(name)) for name in _PARAMETERS)
    yield Child(
        part.file_name or unnamed,
        content,
        how,
        part.declared_type,
        parameters=tuple(pair for pair in parameters if pair[1]),
    )


def _how(node: Node, content: bytes) -> str:
    part = node.part
    declared = part.declared_type
    if declared in _NESTED:
        return "nested-mail"
    if part.disposition == "attachment":
        return "attachment"
    textual = declared.startswith(("text/", "message/", "multipart/"))
    if textual and (not part.file_name or not node.path):
        return "body" if detect(content, declared) in _BODY_KINDS else "attachment"
    return "inline" if part.disposition == "inline" or "content-id" in part else "attachment"


def _defects(parts: list[Part]) -> Iterator[Problem]:
    names = dict.fromkeys(type(defect).__name__ for part in parts for defect in part.defects)
    for name in names:
        yield Problem("malformed", name.removesuffix("Defect"))

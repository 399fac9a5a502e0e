"""Read mails, PDFs and pages with what tqimap is compared with: a program of its own.

It runs in an environment that the project's never sees, so nothing of the project is imported.
"""

from __future__ import annotations

import email
import email.policy
import importlib
import io
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.openers_serving import links, serve


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.openers_serving import Reader

Foreign: TypeAlias = Any  # these libraries are nowhere where types are checked
_PAGES = 200
_LINKS = frozenset(
    {
        *("href", "src", "srcset", "action", "formaction", "data", "poster", "background"),
        *("cite", "ping", "longdesc", "lowsrc", "dynsrc", "xlink:href"),
    }
)


def _eml_parser() -> Reader:
    module: Foreign = importlib.import_module("eml_parser")

    def read(data: bytes) -> list[str]:
        parser = module.EmlParser(include_raw_body=True, include_attachment_data=True)
        bodies = parser.decode_email_bytes(data).get("body", [])
        found = _in(one.get("content", "") for one in bodies)
        return [*found, *(uri for one in bodies for uri in links(" ".join(one.get("uri", []))))]

    return read


def _mail_parser() -> Reader:
    module: Foreign = importlib.import_module("mailparser")

    def read(data: bytes) -> list[str]:
        parsed = module.parse_from_bytes(data)
        [(one["filename"], one["payload"]) for one in parsed.attachments]
        return _in([*parsed.text_plain, *parsed.text_html, *parsed.text_not_managed])

    return read


def _fast_mail_parser() -> Reader:
    module: Foreign = importlib.import_module("fast_mail_parser")

    def read(data: bytes) -> list[str]:
        parsed = module.parse_email(data)
        return _in([*parsed.text_plain, *parsed.text_html])

    return read


def _flanker() -> Reader:
    mime: Foreign = importlib.import_module("flanker.mime")

    def read(data: bytes) -> list[str]:
        parts = mime.from_string(data).walk(with_self=True)
        return _in(part.body for part in parts if part.content_type.main == "text")

    return read


def _compat32() -> Reader:
    def read(data: bytes) -> list[str]:
        return _in(
            _decoded(part) for part in email.message_from_bytes(data).walk() if _is_text(part)
        )

    return read


def _default_policy() -> Reader:
    def read(data: bytes) -> list[str]:
        parsed = email.message_from_bytes(data, policy=email.policy.default)
        return _in(part.get_content() for part in parsed.walk() if _is_text(part))

    return read


def _is_text(part: Foreign) -> bool:
    return bool(part.get_content_maintype() == "text")


def _decoded(part: Foreign) -> str:
    data = part.get_payload(decode=True) or b""
    try:
        return str(data, part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        return str(data, "latin-1")


def _in(bodies: Foreign) -> list[str]:
    texts = (one if isinstance(one, str) else str(one or b"", "latin-1") for one in bodies)
    return sorted(set().union(*map(links, texts)))


def _pypdfium2() -> Reader:
    pdfium: Foreign = importlib.import_module("pypdfium2")
    raw: Foreign = importlib.import_module("pypdfium2.raw")
    ctypes: Foreign = importlib.import_module("ctypes")

    def read(data: bytes) -> list[str]:
        pdf = pdfium.PdfDocument(data)
        return [uri for number in range(min(len(pdf), _PAGES)) for uri in uris(pdf, pdf[number])]

    def uris(pdf: Foreign, page: Foreign) -> Iterator[str]:
        position, link = ctypes.c_int(0), raw.FPDF_LINK()
        while raw.FPDFLink_Enumerate(page, position, link):
            action = raw.FPDFLink_GetAction(link)
            size = raw.FPDFAction_GetURIPath(pdf, action, None, 0) if action else 0
            if size > 1:
                buffer = ctypes.create_string_buffer(size)
                raw.FPDFAction_GetURIPath(pdf, action, buffer, size)
                yield buffer.value.decode("latin-1")

    return read


def _pypdf() -> Reader:
    module: Foreign = importlib.import_module("pypdf")

    def read(data: bytes) -> list[str]:
        pages = module.PdfReader(io.BytesIO(data)).pages
        return [uri for number in range(min(len(pages), _PAGES)) for uri in uris(pages[number])]

    def uris(page: Foreign) -> Iterator[str]:
        for one in page.get("/Annots") or ():
            action = one.get_object().get("/A")
            if action is not None and "/URI" in action.get_object():
                yield _text(action.get_object()["/URI"])

    return read


def _pdfminer() -> Reader:
    page: Foreign = importlib.import_module("pdfminer.pdfpage").PDFPage
    resolve: Foreign = importlib.import_module("pdfminer.pdftypes").resolve1

    def read(data: bytes) -> list[str]:
        pages = page.get_pages(io.BytesIO(data), maxpages=_PAGES)
        return [uri for one in pages for uri in uris(one)]

    def uris(one: Foreign) -> Iterator[str]:
        for annotation in map(resolve, resolve(one.annots) or ()):
            action = resolve((annotation or {}).get("A")) or {}
            if uri := resolve(action.get("URI")):
                yield _text(uri)

    return read


def _pymupdf() -> Reader:
    module: Foreign = importlib.import_module("pymupdf")

    def read(data: bytes) -> list[str]:
        pages = module.open(stream=data, filetype="pdf").pages(0, _PAGES)
        return [one["uri"] for page in pages for one in page.get_links() if one.get("uri")]

    return read


def _pikepdf() -> Reader:
    module: Foreign = importlib.import_module("pikepdf")

    def read(data: bytes) -> list[str]:
        pdf = module.open(io.BytesIO(data))
        return [uri for one in pdf.objects for uri in uris(one, 0)]

    def uris(one: Foreign, depth: int) -> Iterator[str]:
        if depth > 4 or not isinstance(one, module.Array | module.Dictionary | module.Stream):
            return
        if isinstance(one, module.Array):
            inner = [each for each in one if not each_is_indirect(each)]
        else:
            if "/URI" in one and isinstance(one["/URI"], module.String):
                yield _text(bytes(one["/URI"]))
            inner = [one[key] for key in one.keys() if not each_is_indirect(one[key])]  # noqa: SIM118
        for each in inner:
            yield from uris(each, depth + 1)

    def each_is_indirect(one: Foreign) -> bool:
        return bool(getattr(one, "is_indirect", False))

    return read


def _text(value: Foreign) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _html5lib() -> Reader:
    module: Foreign = importlib.import_module("html5lib")

    def read(data: bytes) -> list[str]:
        tree = module.parse(data.decode(), treebuilder="etree", namespaceHTMLElements=False)
        return [value for element in tree.iter() for value in _targets(element.attrib)]

    return read


def _targets(attributes: dict[Foreign, str]) -> Iterator[str]:
    for name, value in attributes.items():
        plain = value.translate({9: None, 10: None, 13: None}).strip()
        scheme = plain.partition(":")[0].lower()
        if str(name).rpartition("}")[2] not in _LINKS or not plain or plain.startswith("#"):
            continue
        if scheme not in {"cid", "data", "javascript", "vbscript"}:
            yield plain


READERS: dict[str, Callable[[], Reader]] = {
    "eml_parser": _eml_parser,
    "mail-parser": _mail_parser,
    "fast-mail-parser": _fast_mail_parser,
    "flanker": _flanker,
    "email compat32": _compat32,
    "email default": _default_policy,
    "pypdfium2": _pypdfium2,
    "pypdf": _pypdf,
    "pdfminer.six": _pdfminer,
    "pymupdf": _pymupdf,
    "pikepdf": _pikepdf,
    "html5lib": _html5lib,
}


if __name__ == "__main__":
    serve(READERS)

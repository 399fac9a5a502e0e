"""Open a PDF: text by page, links, actions, embedded files, form fields, and a raw sweep beside it.

pypdfium2, because of five libraries it reads 1,123 PDFs fastest and with most of the links; with
the sweep it misses one of 199. PDFium ends its process when memory runs out, so the sweep comes
first and says whether PDFium is to be let near the file at all.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING

from tqimap_processor.artefact import Child, Opened, Problem, Span
from tqimap_processor.openers import pdf_hidden, pdf_page, pdf_sweep
from tqimap_processor.openers.pdf_codes import Codes
from tqimap_processor.openers.untrusted import Foreign, attempt
from tqimap_processor.passwords import CUSTOMARY


if TYPE_CHECKING:
    from tqimap_processor.openers.source import Source


# PDFium's repair of a broken file takes time by their square
_UNENDED = 1_000
_REMOVE_SECURITY = 3  # FPDF_REMOVE_SECURITY of fpdf_save.h
_NEEDS_PASSWORD = 4  # FPDF_ERR_PASSWORD


def open_pdf(source: Source) -> Opened:
    """Return `page 3`, `page 3 link`, `javascript` and such as spans, embedded files as children.

    A PDF that would unpack to more than it may is only swept for links.
    """
    swept = pdf_sweep.sweep(source.data, source.limits)
    document = _Document(source, tiled=swept.tiled)
    if swept.content > source.limits.pdf_content:
        document.problems.append(Problem("too-large", "a page unpacks to too much; only swept"))
    elif swept.unended > _UNENDED:
        document.problems.append(Problem("malformed", "streams without end; only swept"))
    elif (failed := attempt(document.read)) is not None:
        document.problems.append(failed)
    for found in (swept, *document.decrypted):
        document.take(found)
    return document.opened()


class _Document:
    """One PDF being read: what has come out so far."""

    def __init__(self, source: Source, *, tiled: bool) -> None:
        self.problems: list[Problem] = []
        self.decrypted: list[pdf_sweep.Sweep] = []
        self._source = source
        self._spans: dict[tuple[str, str], None] = {}
        self._children: list[Child] = []
        self._codes = Codes(source.limits, tiled=tiled)
        self._room = source.room
        self._text = source.limits.artefact_text

    def opened(self) -> Opened:
        spans = tuple(Span(where, text, hidden=_unseen(where)) for where, text in self._spans)
        problems = dict.fromkeys((*self.problems, *self._codes.problems))
        return Opened(spans, tuple(self._children), tuple(problems))

    def take(self, found: pdf_sweep.Sweep) -> None:
        """Add what the sweep found and nothing else told."""
        known = {text for _, text in self._spans}
        for where, value in found.values:
            if value not in known:
                self._add(f"raw {where}", value)
        if found.active:
            self.problems.append(Problem("active-content", ", ".join(found.active)))
        if found.too_many:
            self.problems.append(Problem("too-many", "streams"))

    def read(self) -> Problem | None:
        """Read the document with PDFium."""
        document = self._unlocked()
        if document is None:
            return Problem("encrypted", "no known password opens it")
        try:
            pages = len(document)
            for number in range(min(pages, self._source.limits.pdf_pages)):
                if self._text <= 0:
                    break
                failed = attempt(partial(self._page, document, number))
                if failed is not None:
                    self.problems.append(failed)
            if pages > self._source.limits.pdf_pages:
                self.problems.append(Problem("too-many", f"{pages} pages"))
            for where, text in pdf_page.document(document):
                self._add(where, text)
            self._embedded(document)
            if (form := pdf_page.forms(document, self._room)) != b"":
                self._keep("", form, "xfa-form")
        finally:
            document.close()
        return None

    def _unlocked(self) -> Foreign | None:
        """Return the document, opened with the first password that fits."""
        import pypdfium2

        words = dict.fromkeys(("", *CUSTOMARY, *self._source.passwords))
        for word in list(words)[: self._source.limits.passwords]:
            try:
                document = pypdfium2.PdfDocument(self._source.data, password=word or None)
            except pypdfium2.PdfiumError as error:
                if getattr(error, "err_code", None) != _NEEDS_PASSWORD:
                    raise
                continue
            if b"/Encrypt" in self._source.data:
                self._sweep_decrypted(document)
            return document
        return None

    def _sweep_decrypted(self, document: Foreign) -> None:
        copy = io.BytesIO()
        if not isinstance(attempt(lambda: document.save(copy, flags=_REMOVE_SECURITY)), Problem):
            self.decrypted.append(pdf_sweep.sweep(copy.getvalue(), self._source.limits))

    def _page(self, document: Foreign, number: int) -> None:
        page = document[number]
        try:
            for where, text in (*pdf_page.spans(page, self._text), *self._codes.on(page)):
                self._add(f"page {number + 1}{where}", text)
            for name, data in pdf_page.attached(page, self._room):
                self._keep(name, data)
        finally:
            page.close()

    def _embedded(self, document: Foreign) -> None:
        for name, data in pdf_page.embedded(document, self._source.limits.children, self._room):
            self._keep(name, data)

    def _keep(self, name: str, data: bytes | None, how: str = "pdf-embedded") -> None:
        if data is None or len(data) > self._room:
            self.problems.append(Problem("too-large", "an embedded file is left out"))
            return
        if all(data != child.data for child in self._children):
            self._room -= len(data)
            self._children.append(Child(name, data, how))

    def _add(self, where: str, text: str) -> None:
        text = text.replace("\0", "").strip()[: max(0, self._text)]
        if text:
            self._spans.setdefault((where, text))
            self._text -= len(text)


def _unseen(where: str) -> bool:
    return where.startswith(("raw javascript", "javascript")) or where.endswith(pdf_hidden.PLACE)

"""Kinds of content."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pytest
from fixtures.built_mail import mail, zipped

from tqimap_processor.detect import detect


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"%PDF-1.7\n", "pdf"),
        (b"junk before\n%PDF-1.4\n", "pdf"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "ole"),
        (b"{\\rtf1\\ansi", "rtf"),
        (b"\x89PNG\r\n\x1a\n" + bytes(9), "png"),
        (b"\xff\xd8\xff\xe0" + bytes(9), "jpeg"),
        (b"GIF89a" + bytes(9), "gif"),
        (b"\xd7\xcd\xc6\x9a" + bytes(9), "wmf"),
        (b"\1\0\0\0" + bytes(36) + b" EMF\0\0\1\0" + bytes(9), "emf"),
        (b"MZ\x90\0\x03" + bytes(90), "exe"),
        (b"\x7fELF" + bytes(9), "elf"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(9), "7z"),
        (b"Rar!\x1a\x07\x01\0", "rar"),
        (b"L\0\0\0\x01\x14\x02\0" + bytes(9), "lnk"),
        (bytes(257) + b"ustar" + bytes(250), "tar"),
        (zipped(("a.txt", b"x")), "zip"),
        (zipped(("[Content_Types].xml", b"x"), ("word/document.xml", b"x")), "docx"),
        (zipped(("META-INF/MANIFEST.MF", b"x")), "jar"),
        (b"<!DOCTYPE html><p>x", "html"),
        (b"\xef\xbb\xbf <!-- a --><!-- b -->\n<html>", "html"),
        ("<html>".encode("utf-16"), "html"),
        ("words".encode("utf-16"), "text"),
        (b"MZ is how this sentence begins, and it is long enough to be sixty-four bytes.", "text"),
        (b"name,value\n1,2\n", "text"),
        (b'{"a": 1}', "json"),
        (b'\xef\xbb\xbf [ {"a": 1} ]\n', "json"),
        ('{"a": 1}'.encode("utf-16"), "json"),
        (b"{braces} and [brackets]", "text"),
        (b"[1] a note\n[2] another]", "text"),
        (b"<?xml version='1.0'?><ioc/>", "xml"),
        (b"<stix:STIX_Package>\n</stix:STIX_Package>\n", "xml"),
        (b"<svg></svg>", "svg"),
        (b"<ann@here.org> wrote this.", "text"),
        (b"a,b,c\n1,2,3\n4,5,6\n", "csv"),
        (b"Dear Sir, Madam, and all,\nwe are, as ever, glad.\nYours\n", "text"),
        (b"BEGIN:VCALENDAR\r\n", "calendar"),
        (b"begin:vcard\n", "vcard"),
        (b"[{000214A0}]\r\nProp3=19\r\n[InternetShortcut]\r\nURL=x\r\n", "url"),
        (b"[Desktop Entry]\n", "desktop"),
        (b"WEB\r\n1\r\nhttp://a.com\r\n", "iqy"),
        (b"WEB pages are nice.", "text"),
        (b"bplist00\xd1", "plist"),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n", "mhtml"),
        (b"BZh is how this begins", "text"),
        (b"FWS, the fish service", "text"),
        (b"a -lh option", "text"),
        (bz2.compress(b"x"), "bzip2"),
        (lzma.compress(b"x", lzma.FORMAT_ALONE), "xz"),
        (mail(b"x"), "mail"),
        (b"From me@here.org Mon Jan 1\nReceived: x\nFrom: a\nTo: b\n\nx", "mail"),
        (bytes(range(256)) * 4, "unknown"),
    ],
)
def test_content_decides(data: bytes, kind: str) -> None:
    """The kind follows from the bytes alone."""
    assert detect(data) == kind


def test_declared_type_does_not_overrule_a_signature() -> None:
    """A program that is declared a picture is a program."""
    assert detect(b"MZ\x90\0\x03" + bytes(90), "image/png") == "exe"


def test_declared_type_tells_text_that_reads_both_ways() -> None:
    """Text without a tag at its start is HTML if it is declared so."""
    assert detect(b"Hello <a href=x>", "text/html") == "html"
    assert detect(b"Hello <a href=x>", "text/plain") == "text"


def test_quoted_head_of_a_forwarded_mail_is_text() -> None:
    """A body that quotes From, To and Subject is no mail; declared as one, it is."""
    quoted = b"From: a@b.com\nTo: c@d.com\nSubject: x\nDate: y\n\nwords"
    assert detect(quoted, "text/plain") == "text"
    assert detect(quoted, "message/rfc822") == "mail"


def test_comments_without_end_are_judged_quickly() -> None:
    """A text of half comments cannot make the judgement explode."""
    assert detect(b"<!---->" * 1_000 + b"<!--") == "text"


def test_mail_with_many_fields_before_the_known_ones() -> None:
    """What relays put on top of a header, hundreds of lines of it, does not hide the mail."""
    assert detect(b"X-Relay: a\r\n\tfolded\r\n" * 300 + mail(b"x")) == "mail"

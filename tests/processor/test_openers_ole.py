"""The opener of OLE files: text by stream, macros, objects, encryption; and what rides on it."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import olefile
import pytest
from fixtures.built_documents import NOTE, native, with_macro
from fixtures.built_mail import decision, mixed, part, report, source

from tqimap_processor.detect import detect
from tqimap_processor.openers import compound, macros, runs
from tqimap_processor.openers.ole import open_ole
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened

MACRO = (
    b'Sub AutoOpen()\r\nx = "ht" & "tp://in-mac" & Chr(114) & "o.com/"\r\nShell x\r\nEnd Sub\r\n'
)


def _spans(opened: Opened) -> dict[str, str]:
    return {span.where: span.text for span in opened.spans}


def _kinds(opened: Opened) -> list[str]:
    return [problem.kind for problem in opened.problems]


def _sheet(name: bytes, kind: int, state: int) -> bytes:
    body = struct.pack("<IBBBB", 0, state, kind, len(name), 0) + name
    return struct.pack("<HH", 0x85, len(body)) + body


def _workbook(*records: bytes) -> bytes:
    return compound.build({("Workbook",): b"".join(records) + b"\x0a\0\0\0"})


@pytest.mark.opens("ole", "doc")
def test_text_stands_by_stream() -> None:
    """Text of one and of two bytes a character is found, and its stream named."""
    text = "http://wide.com/ Привет".encode("utf-16-le")
    data = compound.build({("WordDocument",): bytes(20) + text + b"\0\0\x01http://narrow.com/"})
    assert _spans(open_ole(source(data))) == {
        "WordDocument": "http://wide.com/ Привет\nhttp://narrow.com/"
    }


def test_finding_names_its_stream() -> None:
    """A link in a table of an attached letter is found there."""
    data = compound.build({("WordDocument",): bytes(40), ("1Table",): b"\0http://in-table.com/\0"})
    outcome = report(mixed(part(data, "application/msword", name="a.doc")))
    found = decision(outcome, "http://in-table.com/").found[0]
    assert (found.artefact, found.where) == ("1", "1Table")


def test_macro_source_is_text() -> None:
    """Source, strings put together of pieces, and what runs by itself are told."""
    opened = open_ole(source(with_macro(MACRO)))
    assert _spans(opened)["vba:Module1"].startswith("Sub AutoOpen()")
    assert _spans(opened)["vba:Module1 strings"] == "http://in-macro.com/"
    assert [one.kind for one in opened.problems] == ["macro"]
    assert opened.problems[0].detail.startswith("AutoOpen")


def test_macro_text_is_limited() -> None:
    """No more source comes out than allowed."""
    spans, _ = macros.read(with_macro(MACRO), Limits(macros=9))
    assert [span.text for span in spans] == ["Sub AutoO"]


def test_broken_macro_is_a_problem() -> None:
    """A project that cannot be read costs nothing but itself."""
    data = compound.build({("VBA", "M"): b"\x01\xff\xff\0Attribut", ("Contents",): NOTE})
    assert _spans(open_ole(source(data)))["Contents"] == NOTE.decode()


@pytest.mark.opens("xls")
def test_macro_sheets_and_hidden_sheets_are_flagged() -> None:
    """Excel 4 macro sheets and hidden sheets of a workbook are problems."""
    opened = open_ole(source(_workbook(_sheet(b"a", 0, 0), _sheet(b"b", 1, 2))))
    assert {"macro", "hidden-sheet"} <= set(_kinds(opened))
    assert _kinds(open_ole(source(_workbook(_sheet(b"a", 0, 0))))) == []


def test_packaged_file_is_a_child() -> None:
    """A file that was dropped into a document comes out with its name."""
    data = compound.build({("ObjectPool", "_12", "\x01Ole10Native"): native(b"a.exe", b"MZ")})
    (outer,) = open_ole(source(data)).children
    assert (outer.name, outer.how, detect(outer.data)) == ("ObjectPool/_12", "ole-object", "ole")
    (child,) = open_ole(source(outer.data)).children
    assert (child.name, child.data, child.how) == ("a.exe", b"MZ", "ole-package")


def test_document_inside_a_storage_is_a_child() -> None:
    """A workbook in a letter becomes a file of its own, and its text is told once only."""
    data = compound.build({("WordDocument",): bytes(40), ("MBD01", "Workbook"): b"http://b.com/"})
    opened = open_ole(source(data))
    assert [detect(child.data) for child in opened.children] == ["xls"]
    assert not opened.spans


def test_stream_that_is_a_file_is_a_child() -> None:
    """Whatever file a stream holds is opened for itself."""
    opened = open_ole(source(compound.build({("CONTENTS",): b"%PDF-1.7 ..."})))
    assert [(child.name, child.how) for child in opened.children] == [("CONTENTS", "ole-stream")]


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _texts_of_cells(state: int, *formats: bytes) -> bytes:
    """Return a workbook: one in a first sheet, two and both in a second of this *state*.

    The third string goes on, wider, in a next record; *formats* are records of the second sheet.
    """
    texts = (b"http://one.com/", b"http://two.com/", b"http://bo")
    heads = [struct.pack("<HB", len(text), 0) + text for text in texts[:2]]
    heads.append(struct.pack("<HB", 15, 0) + texts[2])
    strings = _record(0xFC, struct.pack("<II", 4, 3) + b"".join(heads))
    strings += _record(0x3C, b"\1" + "th.com".encode("utf-16-le"))
    begin = _record(0x809, bytes(16))
    cells = [_record(0xFD, struct.pack("<HHHI", 0, n, 0, n)) for n in range(3)]
    end = b"\x0a\0\0\0"
    first = begin + cells[0] + cells[2] + end
    second = begin + b"".join(formats) + cells[0] + cells[1] + cells[2] + end
    size = len(begin + strings + end) + len(_sheet(b"a", 0, 0)) * 2
    places = [struct.pack("<I", size), struct.pack("<I", size + len(first))]
    known = [_sheet(b"a", 0, 0), _sheet(b"b", 0, state)]
    listed = b"".join(one[:4] + place + one[8:] for one, place in zip(known, places, strict=True))
    return compound.build({("Workbook",): begin + listed + strings + end + first + second})


@pytest.mark.parametrize(
    ("state", "formats", "hidden"),
    [
        (0, (), []),
        (1, (), ["http://two.com/"]),
        (2, (), ["http://two.com/"]),
        (0, (_record(0x208, bytes(12) + b"\x20\0\0\0"),), ["http://two.com/"]),
        (0, (_record(0x7D, struct.pack("<HHHHHH", 1, 1, 0, 0, 1, 0)),), ["http://two.com/"]),
        (0, (_record(0x7D, struct.pack("<HHHHHH", 5, 9, 0, 0, 1, 0)),), []),
    ],
    ids=["shown", "hidden sheet", "very hidden sheet", "row", "column", "other column"],
)
def test_text_of_hidden_cells_is_hidden(
    state: int, formats: tuple[bytes, ...], hidden: list[str]
) -> None:
    """What only hidden sheets, rows and columns hold stands apart; the rest is left as it is."""
    opened = open_ole(source(_texts_of_cells(state, *formats)))
    apart = [one.text for one in opened.spans if one.hidden]
    assert apart == hidden
    shown = "\n".join(one.text for one in opened.spans if not one.hidden)
    assert "http://one.com/" in shown
    assert ("http://two.com/" in shown) is not bool(hidden)


def test_string_over_two_records_is_hidden_whole() -> None:
    """A string goes on in a next record, perhaps with wider characters."""
    data = _texts_of_cells(1).replace(struct.pack("<HHHI", 0, 2, 0, 2), bytes(10), 1)
    opened = open_ole(source(data))
    assert [one.text for one in opened.spans if one.hidden] == ["http://two.com/\nhttp://both.com"]


@pytest.mark.opens("ppt")
@pytest.mark.parametrize("is_packed", [True, False])
def test_object_in_slides_is_a_child(*, is_packed: bool) -> None:
    """Objects of a presentation lie packed inside one stream."""
    inner = compound.build({("Workbook",): b"x"})
    body = struct.pack("<I", len(inner)) + zlib.compress(inner) if is_packed else inner
    head = (b"\x10\0" if is_packed else b"\0\0") + b"\x11\x10" + struct.pack("<I", len(body))
    data = compound.build({("PowerPoint Document",): b"..." + head + body})
    assert [child.data for child in open_ole(source(data)).children] == [inner]


def test_equation_is_flagged() -> None:
    """An Equation Editor object, which exploits love, is a problem."""
    opened = open_ole(source(compound.build({("Equation Native",): bytes(30)})))
    assert _kinds(opened) == ["equation"]


@pytest.mark.parametrize(
    "data",
    [
        compound.build({("WordDocument",): bytes(11) + b"\x01" + bytes(30)}),
        _workbook(b"\x2f\0\x02\0\0\0"),
        compound.build({("PowerPoint Document",): b"x", ("EncryptedSummary",): b"x"}),
    ],
    ids=["doc", "xls", "ppt"],
)
def test_encrypted_document_says_so(data: bytes) -> None:
    """Old documents tell in their own ways that they are encrypted."""
    assert _kinds(open_ole(source(data)))[0] == "encrypted"


def test_objects_beyond_the_room_are_left_out() -> None:
    """What the mail has no room for is a problem."""
    data = compound.build({("CONTENTS",): b"%PDF-1.7 " + bytes(500)})
    opened = open_ole(replace(source(data), room=100))
    assert (opened.children, _kinds(opened)) == ((), ["too-large"])


def test_stream_that_leads_back_to_itself_ends() -> None:
    """A stream of one sector that claims to be a gibibyte is read as far as the file is long."""
    data = bytearray(compound.build({("WordDocument",): b"x" * 4096}))
    entry = data.index("WordDocument".encode("utf-16-le"))
    struct.pack_into("<Q", data, entry + 120, 2**30)
    # its first sector is the first of the file, and follows upon itself
    (table,) = struct.unpack_from("<I", data, 76)
    struct.pack_into("<I", data, (table + 1) * 512, 0)
    opened = open_ole(source(bytes(data)))
    assert [(one.kind, one.detail) for one in opened.problems] == [
        ("malformed", "a stream claims more than there is")
    ]
    assert sum(len(one.text) for one in opened.spans) <= len(data)


def test_table_that_leads_back_to_itself_ends() -> None:
    """The table of small sectors claims a gibibyte, and is a circle."""
    data = bytearray(compound.build({("WordDocument",): b"x" * 100}))
    (table,) = struct.unpack_from("<I", data, 76)
    (small,) = struct.unpack_from("<I", data, 60)
    struct.pack_into("<I", data, (table + 1) * 512 + 4 * small, small)
    struct.pack_into("<I", data, 64, 2**21)
    tracemalloc.start()
    open_ole(source(bytes(data)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 * 2**20


def test_streams_beyond_the_limit_are_left_out() -> None:
    """The number of streams is limited."""
    data = compound.build({(f"s{n}",): b"x" for n in range(9)})
    limited = replace(source(data), limits=Limits(ole_streams=5))
    assert _kinds(open_ole(limited)) == ["too-many"]


def test_broken_file_is_swept() -> None:
    """A file whose directory cannot be read yields the addresses in it all the same."""
    data = compound.build({("a",): NOTE})[:1536]
    opened = open_ole(source(data[:512] + b"\xff" * 512 + NOTE))
    assert (_kinds(opened), _spans(opened)) == (["malformed"], {"raw": NOTE.decode()})


@pytest.mark.parametrize(
    "streams",
    [
        {},
        {("a",): b"x" * 10, ("S", "b"): b"y" * 5000, ("S", "T", "c"): b""},
        {(f"S{n}", "b"): b"z" * 70 for n in range(1500)},
        {("big",): b"q" * (8 << 20)},
    ],
    ids=["empty", "nested", "many", "large"],
)
def test_rebuilt_file_is_read_by_olefile(streams: dict[compound.Path, bytes]) -> None:
    """A file that is built of streams holds exactly these."""
    with olefile.OleFileIO(io.BytesIO(compound.build(streams))) as file:
        found = {tuple(path): file.openstream(path).read() for path in file.listdir()}
    assert found == streams


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["WordDocument", "1Table"], "doc"),
        (["Book"], "xls"),
        (["Workbook"], "xls"),
        (["PowerPoint Document"], "ppt"),
        (["EncryptedPackage", "EncryptionInfo"], "encrypted-office"),
        (["__properties_version1.0"], "msg"),
        (["anything"], "ole"),
        ([f"{n}" for n in range(50)] + ["Workbook"], "xls"),
    ],
)
def test_kind_follows_from_the_root(names: list[str], kind: str) -> None:
    """What lies right below the root names the file."""
    assert detect(compound.build({(name,): b"x" for name in names})) == kind


def test_what_lies_deeper_does_not_name_the_file() -> None:
    """A letter that is attached to a message leaves it a message."""
    data = compound.build({("__properties_version1.0",): b"x", ("S", "WordDocument"): b"x"})
    assert detect(data) == "msg"


@pytest.mark.parametrize("end", range(8, 1600, 199))
def test_kind_of_a_broken_file_is_told(end: int) -> None:
    """Detection never fails on a file that is cut or garbled."""
    data = compound.build({("Workbook",): b"x"})
    assert detect(data[:end]) in {"ole", "xls"}
    assert detect(data[:end] + b"\xff\xfe\x01" + data[end + 3 :]) in {"ole", "xls"}


def test_runs_of_text() -> None:
    """Only runs that are long enough are text, and among pictures only telling ones."""
    data = b"\0abc\0http://a.com/\0picture noise\0\x01" + "www.b.com".encode("utf-16-le")
    assert runs.text(data) == "www.b.com\nhttp://a.com/\npicture noise"
    assert runs.text(data, telling=True) == "www.b.com\nhttp://a.com/"


def test_macro_project_beyond_the_limit_is_not_read() -> None:
    """Unpacking macros is slow, so a project that is too large is told and left."""
    limited = replace(source(with_macro(MACRO)), limits=Limits(macros=99))
    opened = open_ole(limited)
    assert [(one.kind, one.detail) for one in opened.problems] == [
        ("macro", "too large to be read")
    ]

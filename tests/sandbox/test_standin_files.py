"""The stand-in takes files in one call or in chunks, and hands locked ones out in a ZIP."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    import requests
    from fixtures.threatq import StandIn

CONTENT = bytes(range(256)) * 8
RECORD = {"name": "invoice.pdf", "title": "Invoice", "type": "Spearphish Attachment"}


def _send(threatq: StandIn, method: str, path: str, **more: Any) -> requests.Response:  # noqa: ANN401 - as requests
    headers = {"Authorization": f"Bearer {threatq.token()}"}
    return threatq.request(method, f"/api/{path}", headers=headers, **more)


def _chunk(threatq: StandIn, content: bytes, number: int = 1, total: int = 1, **more: str) -> Any:  # noqa: ANN401 - JSON
    fields = {
        "resumableIdentifier": "1-invoicepdf",
        "resumableFilename": "invoice.pdf",
        "resumableRelativePath": "invoice.pdf",
        "resumableTotalChunks": str(total),
        "resumableChunkNumber": str(number),
        **more,
    }
    files = {"file": ("blob", content, "application/octet-stream")}
    answer = _send(threatq, "POST", "attachments/upload", data=fields, files=files)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _download(threatq: StandIn, key: int) -> requests.Response:
    return _send(threatq, "GET", f"attachments/{key}/download")


def test_one_step(threatq: StandIn) -> None:
    """A multipart post makes the record and keeps the bytes; the answer is an object."""
    files = {"file": ("invoice.pdf", CONTENT)}
    answer = _send(
        threatq, "POST", "attachments", data={**RECORD, "malware_locked": 0}, files=files
    )
    assert answer.status_code == 201
    record = answer.json()["data"]
    assert record["hash"] == hashlib.md5(CONTENT).hexdigest()
    assert (record["file_size"], record["malware_locked"], record["type_id"]) == (2048, 0, 20)
    found = threatq.api("GET", f"attachments?hash={record['hash']}")["data"]
    assert [one["id"] for one in found] == [record["id"]]
    download = _download(threatq, record["id"])
    assert download.content == CONTENT
    assert download.headers["Content-Disposition"] == "attachment; filename=invoice.pdf"


def test_two_steps(threatq: StandIn) -> None:
    """An upload in one chunk is joined with its record by name, and joins one record only."""
    _chunk(threatq, CONTENT)
    sources = [{"name": "Intelligence Mailbox", "tlp_id": 2}]
    record = threatq.api("POST", "attachments", {**RECORD, "sources": sources})["data"]
    assert _download(threatq, record["id"]).content == CONTENT
    found = threatq.api("GET", f"attachments/{record['id']}?with=sources,type")["data"]
    assert found["sources"][0]["tlp_id"] == 2
    again = _send(threatq, "POST", "attachments", json=RECORD)
    assert (again.status_code, list(again.json()["data"]["errors"])) == (400, ["name"])


def test_chunks_out_of_order(threatq: StandIn) -> None:
    """Chunks may come in any order and twice; without the last one there is no file."""
    parts = [CONTENT[:700], CONTENT[700:1400], CONTENT[1400:]]
    for number in (3, 1, 3):
        assert not _chunk(threatq, parts[number - 1], number, 3)["data"]["complete"]
    assert _send(threatq, "POST", "attachments", json=RECORD).status_code == 400
    assert _chunk(threatq, parts[1], 2, 3)["data"]["complete"]
    record = threatq.api("POST", "attachments", RECORD)["data"]
    assert record["hash"] == hashlib.md5(CONTENT).hexdigest()


def test_same_name_is_the_same_upload(threatq: StandIn) -> None:
    """Of two uploads under one name the later one is joined: names are all there is to join by."""
    _chunk(threatq, b"first", resumableIdentifier="1-a")
    _chunk(threatq, b"second", resumableIdentifier="2-a")
    record = threatq.api("POST", "attachments", RECORD)["data"]
    assert _download(threatq, record["id"]).content == b"second"


@pytest.mark.parametrize(("number", "total"), [(0, 1), (2, 1), (1, 99999), (-1, 1)])
def test_impossible_chunks(threatq: StandIn, number: int, total: int) -> None:
    """A chunk number out of range is refused."""
    fields = {
        "resumableIdentifier": "1",
        "resumableFilename": "a",
        "resumableChunkNumber": number,
        "resumableTotalChunks": total,
    }
    files = {"file": ("blob", b"x")}
    assert _send(threatq, "POST", "attachments/upload", data=fields, files=files).status_code == 400


def test_a_file_uploaded_twice_is_there_twice(threatq: StandIn) -> None:
    """Uploading the same bytes again makes a second record, so that doing it twice shows."""
    for _ in range(2):
        _send(threatq, "POST", "attachments", data=RECORD, files={"file": ("x", CONTENT)})
    assert threatq.counts()["files"] == 2
    digest = hashlib.md5(CONTENT).hexdigest()
    assert threatq.api("GET", f"attachments?hash={digest}")["total"] == 2


def test_unknown_type_is_created(threatq: StandIn) -> None:
    """A type name nobody knows becomes a type; none at all is refused, an unknown id too."""
    files = {"file": ("a", b"a")}
    data = {"name": "a", "type": "Phantom Vault File"}
    record = _send(threatq, "POST", "attachments", data=data, files=files).json()["data"]
    assert record["type_id"] == 25
    found = threatq.api("GET", "attachments/types?name=Phantom%20Vault%20File")["data"]
    assert found[0]["id"] == 25
    for more in ({}, {"type_id": 99}):
        answer = _send(threatq, "POST", "attachments", data={"name": "a", **more}, files=files)
        assert answer.status_code == 400


def test_locked_files_come_in_a_zip(threatq: StandIn) -> None:
    """A locked file is a ZIP under the password "infected", unlocked again it is itself."""
    for name, content in (("invoice.pdf", CONTENT), ("leer.txt", b"")):
        _chunk(threatq, content, resumableFilename=name)
        threatq.api("POST", "attachments", {**RECORD, "name": name, "malware_locked": True})
    download = _download(threatq, 1)
    assert "invoice.pdf.zip" in download.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(download.content))
    assert archive.namelist() == ["invoice.pdf"]
    assert archive.read("invoice.pdf", pwd=b"infected") == CONTENT
    assert CONTENT[:64] not in download.content
    with pytest.raises(RuntimeError, match="password"):
        archive.read("invoice.pdf", pwd=b"wrong")
    empty = zipfile.ZipFile(io.BytesIO(_download(threatq, 2).content))
    assert empty.read("leer.txt", pwd=b"infected") == b""
    threatq.api("PUT", "attachments/1", {"malware_locked": 0, "title": "T", "description": "d"})
    assert _download(threatq, 1).content == CONTENT
    assert threatq.api("GET", "attachments/1/description")["data"] == {"description": "d"}


def test_removed_files_are_gone(threatq: StandIn) -> None:
    """A removed file has no record and no bytes."""
    _send(threatq, "POST", "attachments", data=RECORD, files={"file": ("x", CONTENT)})
    threatq.api("DELETE", "attachments/1")
    assert _download(threatq, 1).status_code == 404
    assert threatq.counts()["files"] == 0

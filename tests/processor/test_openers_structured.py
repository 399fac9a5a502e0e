"""JSON, XML and CSV with their places; STIX, MISP and OpenIOC with their types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fixtures.built_mail import mixed, part, report, source

from tqimap_processor.detect import detect
from tqimap_processor.openers import open_artefact
from tqimap_shared.settings import Limits


if TYPE_CHECKING:
    from tqimap_processor.artefact import Opened

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
STIX_2 = {
    "type": "bundle",
    "id": "bundle--1",
    "objects": [
        {
            "type": "indicator",
            "description": "It calls http://in-words.com/",
            "pattern": "[url:value = 'http://evil.zip/a'] OR [file:hashes.'SHA-256' = "
            f"'{SHA256}' AND file:name = 'read.me'] OR [domain-name:value IN ('a.bad', 'b.bad')]",
            "pattern_type": "stix",
        },
        {"type": "ipv4-addr", "value": "198.18.7.7"},
        {"type": "file", "name": "evil.com", "hashes": {"MD5": MD5.upper()}},
        {"type": "mutex", "name": "Global\\one.com"},
        {"type": "email-addr", "value": "not an address of http://fallback.com/"},
    ],
}
MISP = {
    "Event": {
        "info": "see http://in-info.com/",
        "Attribute": [
            {"type": "domain", "category": "Network activity", "value": "evil.zip", "to_ids": True},
            {"type": "filename|md5", "category": "Payload", "value": f"mal.com|{MD5}"},
        ],
        "Object": [{"Attribute": [{"type": "regkey", "category": "x", "value": "HKCU\\a.com"}]}],
    }
}
OPENIOC = f"""<?xml version="1.0"?><ioc xmlns="http://schemas.mandiant.com/2010/ioc"><definition>
<Indicator operator="OR"><IndicatorItem condition="is"><Context search="FileItem/Md5sum"/>
<Content type="md5">{MD5.upper()}</Content></IndicatorItem>
<IndicatorItem condition="is"><Context search="FileItem/FileName"/>
<Content type="string">evil.com</Content></IndicatorItem>
<IndicatorItem condition="contains"><Context search="FileItem/FileName"/>
<Content type="string">part.com</Content></IndicatorItem></Indicator></definition></ioc>"""
STIX_1 = f"""<stix:STIX_Package xmlns:stix="http://stix.mitre.org/stix-1" xmlns:xsi="x" xmlns:c="c">
<c:Properties xsi:type="AddressObj:AddressObjectType" category="ipv4-addr">
<c:Address_Value condition="Equals">198.18.7.7##comma##198.18.7.8</c:Address_Value></c:Properties>
<c:Properties xsi:type="FileObj:FileObjectType"><c:File_Name>evil.com</c:File_Name>
<c:Hash><c:Simple_Hash_Value>{MD5}</c:Simple_Hash_Value></c:Hash></c:Properties>
<c:Properties xsi:type="URIObj:URIObjectType" type="URL"><c:Value>http://evil.zip/x</c:Value>
</c:Properties></stix:STIX_Package>"""


def _found(text: str, name: str) -> dict[str, tuple[str, str]]:
    """Return value to (type, place) of what an attachment of *text* yields."""
    outcome = report(mixed(part(text.encode(), "application/octet-stream", name=name)))
    return {
        one.value: (one.type, one.found[0].where)
        for one in outcome.decisions
        if one.found[0].artefact == "1" and one.found[0].where not in {"name", "content"}
    }


def _open(text: str, **limits: int) -> Opened:
    data = text.encode()
    given = source(data)
    if limits:
        given = type(given)(data, Limits(**limits), given.room)
    return open_artefact(detect(data), given)


def test_stix_2_types_win() -> None:
    """Values are what their object says, each with its path; the rest is searched as text."""
    assert _found(json.dumps(STIX_2), "a") == {
        "http://in-words.com/": ("URL", "$.objects[0].description"),
        "in-words.com": ("FQDN", "$.objects[0].description"),
        "http://evil.zip/a": ("URL", "$.objects[0].pattern"),
        SHA256: ("SHA-256", "$.objects[0].pattern"),
        "read.me": ("Filename", "$.objects[0].pattern"),
        "a.bad": ("FQDN", "$.objects[0].pattern"),
        "b.bad": ("FQDN", "$.objects[0].pattern"),
        "198.18.7.7": ("IP Address", "$.objects[1].value"),
        "evil.com": ("Filename", "$.objects[2].name"),
        MD5: ("MD5", "$.objects[2].hashes.MD5"),
        "Global\\one.com": ("Mutex", "$.objects[3].name"),
        # no address whatever the file says: searched as text
        "http://fallback.com/": ("URL", "$.objects[4].value"),
        "fallback.com": ("FQDN", "$.objects[4].value"),
    }


def test_misp_types_win() -> None:
    """Attributes are what their type says, also pairs and those of objects."""
    found = _found(json.dumps(MISP), "a")
    assert found.pop("http://in-info.com/") == ("URL", "$.Event.info")
    del found["in-info.com"]
    assert found == {
        "evil.zip": ("FQDN", "$.Event.Attribute[0].value"),
        "mal.com": ("Filename", "$.Event.Attribute[1].value"),
        MD5: ("MD5", "$.Event.Attribute[1].value"),
        "HKEY_CURRENT_USER\\a.com": ("Registry Key", "$.Event.Object[0].Attribute[0].value"),
    }


def test_typed_values_are_beyond_doubt() -> None:
    """A domain that could be a file's name is none where the file calls it a domain."""
    outcome = report(mixed(part(json.dumps(MISP).encode(), "application/json", name="a")))
    (one,) = [one for one in outcome.decisions if one.value == "evil.zip"]
    assert one.action.value == "upload"
    assert "typed" in one.flags
    assert "file-like" not in one.flags


def test_misp_attribute_for_context_is_reviewed() -> None:
    """What an event says not to look for is kept under its type, for a person to judge."""
    event = {
        "Event": {
            "Attribute": [
                {"type": "domain", "category": "x", "value": "a-context.com", "to_ids": False},
                {"type": "domain", "category": "x", "value": "an-indicator.com", "to_ids": True},
                {"type": "domain", "category": "x", "value": "in-both.com", "to_ids": False},
                {"type": "domain", "category": "x", "value": "in-both.com", "to_ids": True},
            ]
        }
    }
    outcome = report(mixed(part(json.dumps(event).encode(), "application/json", name="a")))
    actions = {one.value: one.action.value for one in outcome.decisions if one.type == "FQDN"}
    assert actions["a-context.com"] == "review"
    assert actions["an-indicator.com"] == actions["in-both.com"] == "upload"
    (one,) = [one for one in outcome.decisions if one.value == "a-context.com"]
    assert "not-for-detection" in one.flags
    assert one.found[0].where == "$.Event.Attribute[0].value (to_ids false)"


def test_openioc_types_win() -> None:
    """Items are what their context says if they must be equal; the others are text."""
    found = _found(OPENIOC, "a")
    assert found[MD5][0] == "MD5"
    place = "/ioc/definition/Indicator/IndicatorItem[2]/Content"
    assert found["evil.com"] == ("Filename", place)
    assert found["part.com"][0] == "FQDN"


def test_stix_1_types_win() -> None:
    """CybOX objects are what they are called, several values in one element too."""
    types = {value: kind for value, (kind, _) in _found(STIX_1, "a").items()}
    assert types["198.18.7.7"] == types["198.18.7.8"] == "IP Address"
    assert (types["evil.com"], types[MD5]) == ("Filename", "MD5")
    assert types["http://evil.zip/x"] == "URL"


@pytest.mark.opens("json")
def test_json_places() -> None:
    """Strings and telling keys have their paths; a key that comes twice hides nothing."""
    spans = _open('{"a b": ["x", {"http://k.com/": "y"}], "c": "first", "c": "second"}').spans
    assert [(one.where, one.text) for one in spans] == [
        ('$["a b"][0]', "x"),
        ('$["a b"][1] key', "http://k.com/"),
        ('$["a b"][1]["http://k.com/"]', "y"),
        ("$.c", "first"),
        ('$["c 2"]', "second"),
    ]


def test_json_lines_are_read_one_by_one() -> None:
    """Several documents in a row are told apart."""
    spans = _open('{"a": "x"}\n{"a": "y"}\n').spans
    assert [(one.where, one.text) for one in spans] == [("$.a", "x"), ("$1.a", "y")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": "http://b.com/"', None),
        ('{"a": "http://b.com/"} x}', "malformed"),
        ('{"a": "http://b.com/", "n": ' + "9" * 5000 + "}", None),
        ('{"u": "http://b.com/", "a": ' + '{"a":' * 200_000 + "1" + "}" * 200_001, "malformed"),
        ("<a><b>http://b.com/</b>" + "<c>" * 100_000 + "</a>", "malformed"),
        ("<a>http://b.com/" + "<c>" * 50_000 + "</c>" * 50_000 + "</a>", None),
        ('<!DOCTYPE a [<!ENTITY b "http://b.com/">]><a>&b;</a>', "entities"),
        (
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b; http://b.com/</a>',
            "entities",
        ),
        ('<?xml version="1.0" encoding="no-such"?><a>http://b.com/</a>', "malformed"),
    ],
)
def test_hostile_text_is_read_as_text(text: str, problem: str | None) -> None:
    """Depth, endless numbers, entities and damage cost nothing and hide nothing."""
    opened = _open(text)
    assert any("http://b.com/" in one.text for one in opened.spans)
    assert [one.kind for one in opened.problems] == ([problem] if problem else [])
    assert not any("root:" in one.text for one in opened.spans)


def test_places_are_limited_and_texts_are_not() -> None:
    """Beyond the number of places told apart the texts are one span; large files are plain text."""
    text = json.dumps([f"http://n{number}.com/" for number in range(50)])
    opened = _open(text, spans=10)
    assert [one.where for one in opened.spans[9:]] == ["$[9]", "rest"]
    assert "http://n49.com/" in opened.spans[-1].text
    opened = _open(text, structured=100)
    assert [one.where for one in opened.spans] == ["text"]
    assert [one.kind for one in opened.problems] == ["too-large"]


@pytest.mark.opens("xml")
def test_xml_places() -> None:
    """Texts, attributes and comments have paths, numbered where elements repeat."""
    spans = _open('<a><b u="http://x.com/"/><b>one<!--two--></b></a>').spans
    assert [(one.where, one.text) for one in spans] == [
        ("/a/b/@u", "http://x.com/"),
        ("/a/b[2] comment", "two"),
        ("/a/b[2]", "one"),
    ]


@pytest.mark.opens("csv")
def test_csv_places() -> None:
    """Cells that may tell something have row and column; commas inside quotes part nothing."""
    text = 'name,link,n\none,"http://x.com/a,b",1\ntwo,y.com/z,2\n'
    spans = open_artefact(detect(text.encode(), "text/csv"), source(text.encode())).spans
    assert [(one.where, one.text) for one in spans] == [
        ("row 2, column 2", "http://x.com/a,b"),
        ("row 3, column 2", "y.com/z"),
    ]


def test_structured_files_are_harmless_by_name() -> None:
    """Neither name nor hash of a data file is an indicator."""
    outcome = report(mixed(part(b'{"a": "b"}', "application/json", name="a.json")))
    assert not [one for one in outcome.decisions if one.type in {"Filename", "SHA-256"}]

"""The stand-in's pages, in a real browser: what a newcomer sees first."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from fixtures.browser import SECONDS
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait


if TYPE_CHECKING:
    from fixtures.threatq import StandIn
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

FEED = "Intelligence Mailbox"
LABELS = {
    "imap_server": "IMAP Server",
    "imap_username": "IMAP Username",
    "imap_password": "IMAP Password",
    "proxy_address": "Proxy Address",
    "proxy_port": "Proxy Port",
    "proxy_type": "Proxy Type",
}
PASSWORD = "hunter2 & more"


def _field(key: str) -> dict[str, Any]:
    masked, select = key == "imap_password", key == "proxy_type"
    return {
        "key": key,
        "label": LABELS[key],
        "type": "password" if masked else "select" if select else "text",
        "mask": masked,
        "options": ["socks4", "socks5"] if select else None,
        "user_editable": 1,
        "value": "socks5" if select else "",
    }


def _register(threatq: StandIn) -> None:
    document = {
        "name": FEED,
        "category": "ThreatQ Labs",
        "indicator_status": "Active",
        "is_active": 0,
        "custom_fields": [_field(key) for key in LABELS],
    }
    threatq.api("POST", "connectors", document)


def _values(threatq: StandIn, name: str = FEED) -> dict[str, str]:
    feed = threatq.feed(name)
    assert feed is not None
    return {field["key"]: field["value"] for field in feed["custom_fields"]}


def _active(threatq: StandIn) -> bool:
    feed = threatq.feed()
    assert feed is not None
    return bool(feed["is_active"])


def _labelled(browser: Chrome, label: str) -> WebElement:
    path = f"//form//label[normalize-space()='{label}']/following-sibling::*[1]"
    return browser.find_element(By.XPATH, path)


def _wait_for(browser: Chrome, selector: str) -> WebElement:
    return WebDriverWait(browser, SECONDS).until(
        lambda driver: driver.find_element(By.CSS_SELECTOR, selector)
    )


@pytest.mark.browser
def test_operator_completes_the_feed(threatq: StandIn, browser: Chrome) -> None:
    """An operator finds the new feed off, fills in its settings, switches it on; the API has it."""
    _register(threatq)
    browser.get(threatq.url)
    browser.find_element(By.LINK_TEXT, "Incoming Feeds").click()
    browser.find_element(By.LINK_TEXT, "ThreatQ Labs").click()
    entered = {
        "IMAP Server": "imap.example.org",
        "IMAP Username": "intel@example.org",
        "IMAP Password": PASSWORD,
        "Proxy Address": "127.0.0.1",
        "Proxy Port": "1080",
    }
    for label, value in entered.items():
        _labelled(browser, label).send_keys(value)
    Select(_labelled(browser, "Proxy Type")).select_by_visible_text("socks4")
    browser.find_element(By.XPATH, "//button[normalize-space()='Save Changes']").click()
    _wait_for(browser, ".notice")
    assert list(_values(threatq).values()) == [*entered.values(), "socks4"]
    assert not _active(threatq)
    browser.find_element(By.CSS_SELECTOR, ".switch").click()
    assert _wait_for(browser, ".switch.on").get_attribute("aria-checked") == "true"
    assert _active(threatq)


@pytest.mark.browser
def test_indicator_page(threatq: StandIn, browser: Chrome) -> None:
    """An indicator's page, found by search, shows all there is to it, markup as text."""
    hostile = "<img src=x onerror=document.title='run'>.example"
    threatq.api(
        "POST",
        "indicators",
        {
            "value": hostile,
            "type": "String",
            "status": "Review",
            "sources": [{"name": FEED, "tlp_id": 2}],
            "attributes": [{"name": "Found In", "value": "page 3"}],
        },
    )
    _upload(threatq, "invoice.pdf", locked=True)
    threatq.api("POST", "attachments/1/indicators", [{"id": 1}])
    browser.get(f"{threatq.url}/indicators")
    browser.find_element(By.NAME, "q").send_keys("onerror")
    browser.find_element(By.XPATH, "//button[normalize-space()='Search']").click()
    WebDriverWait(browser, SECONDS).until(lambda driver: "q=onerror" in driver.current_url)
    browser.find_element(By.PARTIAL_LINK_TEXT, "onerror").click()
    WebDriverWait(browser, SECONDS).until(lambda driver: "/details" in driver.current_url)
    assert browser.current_url == f"{threatq.url}/indicators/1/details"
    assert browser.find_element(By.TAG_NAME, "h1").text == hostile
    shown = browser.find_element(By.TAG_NAME, "main").text
    for text in ("Review", "TLP:AMBER", FEED, "Found In", "page 3", "invoice.pdf"):
        assert text in shown
    browser.find_element(By.LINK_TEXT, "invoice.pdf").click()
    WebDriverWait(browser, SECONDS).until(lambda driver: "/files/" in driver.current_url)
    shown = browser.find_element(By.TAG_NAME, "main").text
    for text in ("5d41402abc4b2a76b9719d911017c592", "5 B", "Spearphish Attachment", hostile):
        assert text in shown


def _upload(threatq: StandIn, name: str, *, locked: bool = False) -> None:
    answer = threatq.request(
        "POST",
        "/api/attachments",
        headers={"Authorization": f"Bearer {threatq.token()}"},
        data={"name": name, "type": "Spearphish Attachment", "malware_locked": int(locked)},
        files={"file": (name, b"hello")},
    )
    assert answer.status_code == 201


def test_the_saved_password_is_never_shown(threatq: StandIn) -> None:
    """The page tells that a password is saved, not which; saving without one keeps it."""
    _register(threatq)
    threatq.fill_in(imap_server="old.example.org", imap_password=PASSWORD)
    page = threatq.request("GET", "/feeds").text
    assert "(saved)" in page
    assert "hunter2" not in page
    form = {"feed_name": FEED, "imap_server": "new.example.org", "imap_password": ""}
    assert threatq.request("POST", "/feeds/1/settings", data=form).status_code == 200
    values = _values(threatq)
    assert (values["imap_server"], values["imap_password"]) == ("new.example.org", PASSWORD)


def test_an_emptied_field_is_saved_as_empty(threatq: StandIn) -> None:
    """A text field can be emptied again: a proxy is optional."""
    _register(threatq)
    threatq.fill_in(proxy_address="127.0.0.1")
    form = {"feed_name": FEED, "proxy_address": " "}
    threatq.request("POST", "/feeds/1/settings", data=form)
    assert not _values(threatq)["proxy_address"]


def test_a_feed_can_be_renamed(threatq: StandIn) -> None:
    """Feed Name renames the connector and its source; a name that is taken changes nothing."""
    _register(threatq)
    threatq.api("POST", "connectors", {"name": "Other", "category": "OSINT"})
    form = {"feed_name": "Other", "imap_server": "x"}
    refused = threatq.request("POST", "/feeds/1/settings", data=form)
    assert refused.status_code == 400
    assert "has already been taken" in refused.text
    assert not _values(threatq)["imap_server"]
    threatq.request("POST", "/feeds/1/settings", data={"feed_name": "Mailbox"})
    assert _values(threatq, "Mailbox")
    assert threatq.api("GET", "sources?name=Mailbox")["total"] == 1


def test_help_texts_and_fields_are_the_guides(threatq: StandIn) -> None:
    """The form has the guide's fields in its order, and says that the proxy must speak SOCKS."""
    _register(threatq)
    page = threatq.request("GET", "/feeds").text
    places = [page.index(f">{label}</label>") for label in ("Feed Name", *LABELS.values())]
    assert places == sorted(places)
    assert "SOCKS" in page
    assert "Save Changes" in page


def test_forms_of_other_sites_are_refused(threatq: StandIn) -> None:
    """A form posted from another origin changes nothing."""
    _register(threatq)
    headers = {"Origin": "https://elsewhere.example"}
    assert threatq.request("POST", "/feeds/1/toggle", headers=headers).status_code == 403
    assert not _active(threatq)


def test_pages_run_no_script(threatq: StandIn) -> None:
    """Every page forbids scripts and things from elsewhere, and loads none."""
    for path in ("/", "/feeds", "/indicators", "/files"):
        answer = threatq.request("GET", path)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "<script" not in answer.text
        assert "https://" not in answer.text


def test_a_file_downloads_from_its_page(threatq: StandIn) -> None:
    """A locked file downloads as a ZIP with the password, under its own name."""
    _upload(threatq, 'möre \r\n"x".exe', locked=True)
    answer = threatq.request("GET", "/files/1/download")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.read(archive.namelist()[0], pwd=b"infected") == b"hello"
    assert "attachment" in answer.headers["Content-Disposition"]


def test_long_listings_have_pages(threatq: StandIn) -> None:
    """A listing shows fifty rows, newest first, and leads to the older ones."""
    values = [{"value": f"n{number}.example", "type": "FQDN"} for number in range(53)]
    threatq.api("POST", "indicators/consume", values)
    first = threatq.request("GET", "/indicators?q=example&type=FQDN").text
    assert first.count(".example</a>") == 50
    second = threatq.request("GET", "/indicators?q=example&type=FQDN&offset=50").text
    assert second.count(".example</a>") == 3
    assert "offset=50" in first
    assert "No indicator matches" in threatq.request("GET", "/indicators?type=URL").text


def test_a_page_that_is_not_there(threatq: StandIn) -> None:
    """An unknown object's page is a page too, with status 404."""
    answer = threatq.request("GET", "/indicators/7/details")
    assert answer.status_code == 404
    assert "<h1>Not done</h1>" in answer.text

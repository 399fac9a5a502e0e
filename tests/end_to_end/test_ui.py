"""A person at a browser: complete the feed's page, switch it on, and look at what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fixtures.browser import SECONDS
from fixtures.dovecot import PASSWORD
from fixtures.site import sample
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait


if TYPE_CHECKING:
    from fixtures.dante import Dante
    from fixtures.site import Site
    from selenium.webdriver import Chrome


def press(browser: Chrome, selector: str, until: str) -> None:
    """Press what *selector* finds, and wait for what *until* finds."""
    browser.find_element(By.CSS_SELECTOR, selector).click()
    WebDriverWait(browser, SECONDS).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, until)
    )


@pytest.mark.browser
def test_from_the_form_to_the_indicator(site: Site, browser: Chrome, dante: Dante) -> None:
    """What a person types into the feed's form is fetched with, and its finds have pages."""
    site.dovecot.append(site.user, sample("05"))
    assert site.enrol().returncode == 0
    browser.get(site.threatq.url)
    browser.find_element(By.LINK_TEXT, "Incoming Feeds").click()
    browser.find_element(By.LINK_TEXT, "ThreatQ Labs").click()
    entered = {
        "IMAP Server": f"localhost:{site.dovecot.imaps}",
        "IMAP Username": site.user,
        "IMAP Password": PASSWORD,
        "Proxy Address": "127.0.0.1",
        "Proxy Port": str(dante.open),
    }
    for label, value in entered.items():
        path = f"//form//label[normalize-space()='{label}']/following-sibling::*[1]"
        browser.find_element(By.XPATH, path).send_keys(value)
    kind = browser.find_element(
        By.XPATH, "//form//label[normalize-space()='Proxy Type']/following-sibling::*[1]"
    )
    Select(kind).select_by_visible_text("socks5")
    browser.find_element(By.XPATH, "//button[normalize-space()='Save Changes']").click()
    WebDriverWait(browser, SECONDS).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, ".notice")
    )
    assert site.tqimap().returncode == 69, "saved, but still switched off"
    press(browser, ".switch", ".switch.on")
    site.fetch()
    site.work()
    browser.get(f"{site.threatq.url}/indicators")
    browser.find_element(By.PARTIAL_LINK_TEXT, "203.0.113.130").click()
    WebDriverWait(browser, SECONDS).until(lambda driver: "/details" in driver.current_url)
    shown = browser.find_element(By.TAG_NAME, "main").text
    for text in ("203.0.113.130", "Active", "Intelligence Mailbox", "Found In", "case-4471.zip"):
        assert text in shown

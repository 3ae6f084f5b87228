"""The interactive reference in Chromium, as a developer of a client uses it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from simplestack.identity.tokens import new_token, token_hash
from support.browser import LAPTOP_PIXELS, PHONE_PIXELS, Browser, chromium
from support.service import Service, running_service

#: Where the documentation has its pictures of the page.
_PICTURES = Path(__file__).parents[2] / "docs" / "images"
_GUEST_LIST = "#operations-guests-guest_list"

_WIDTHS = "const {scrollWidth, clientWidth} = document.documentElement; return [scrollWidth, clientWidth]"
#: Texts that stand out of the page, or whose letters are below each other.
_BADLY_LAID_OUT = """
const bad = [];
const pageWidth = document.documentElement.clientWidth;
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const range = document.createRange();
  range.selectNodeContents(texts.currentNode);
  const text = texts.currentNode.data.trim();
  const { left, right, width, height } = range.getBoundingClientRect();
  if (text.length < 3 || width === 0 || texts.currentNode.parentElement.closest("pre, select")) continue;
  if (height > 4 * width || right > pageWidth + 1 || left < -1)
    bad.push(`${texts.currentNode.parentElement.className}: ${text} (${width} x ${height} from ${left})`);
}
return bad;
"""


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(chrome: Browser) -> Browser:
    """Chromium with the width of a browser."""
    chrome.resize(LAPTOP_PIXELS)
    return chrome


def page(service: Service, query: str = "") -> str:
    return f"http://127.0.0.1:{service.port}/docs{query}"


def check_layout(browser: Browser) -> None:
    """Check that nothing is cut off: on a laptop, on a phone, and on a smaller one."""
    width = browser.width
    for each in (LAPTOP_PIXELS, PHONE_PIXELS, 360):
        browser.resize(each)
        content, window = browser.run(_WIDTHS)
        assert content <= window, f"the page scrolls sideways on {each} pixels"
        assert browser.run(_BADLY_LAID_OUT) == [], f"on {each} pixels"
    browser.resize(width)


def record(browser: Browser, name: str, top: str = "body") -> None:
    """Write a picture for the documentation, from an element on, if it shall be written anew."""
    if os.environ.get("SIMPLESTACK_RECORD_PICTURES"):
        browser.run("arguments[0].scrollIntoView()", browser.one(top))
        assert browser.driver.save_screenshot(_PICTURES / f"{name}-{browser.width}.png")


def execute_guest_list(browser: Browser) -> str:
    """List the guests through the page, and return the status and the body that it shows."""
    browser.click(f"{_GUEST_LIST} .opblock-summary-control")
    browser.click(f"{_GUEST_LIST} .try-out__btn")
    browser.click(f"{_GUEST_LIST} .execute")
    response = browser.one(f"{_GUEST_LIST} .live-responses-table .response")
    return response.text


def test_all_operations_of_the_mock_are_visible_at_once(service: Service, browser: Browser) -> None:
    browser.open(page(service))
    browser.one(_GUEST_LIST)
    for width in (PHONE_PIXELS, LAPTOP_PIXELS):
        browser.resize(width)
        record(browser, "docs-page")
    assert browser.one("[name=hypervisor]").get_property("value") == "mock"
    document = service.get("/openapi.json?hypervisor=mock").json
    operations = {its["operationId"] for item in document["paths"].values() for its in item.values()}
    shown = [each.text for each in browser.all(".opblock-summary-operation-id")]
    assert sorted(text.replace("\u200b", "") for text in shown) == sorted(operations)
    assert browser.all(".opblock-body") == []
    check_layout(browser)
    assert browser.errors() == []


def test_the_texts_for_clients_are_folded_above_the_operations(service: Service, browser: Browser) -> None:
    browser.open(page(service))
    browser.one(_GUEST_LIST)
    titles = [each.text for each in browser.all(".guide summary")]
    assert titles == ["Authentication", "Requests and responses", "Errors", "Long calls"]
    for number in range(1, len(titles) + 1):
        browser.click(f".guide details:nth-of-type({number}) summary")
    assert "simplestack token USER" in browser.one(".guide details:nth-of-type(1)").text
    assert "Retry-After" in browser.one(".guide details:nth-of-type(3) table").text
    check_layout(browser)
    assert browser.errors() == []


@pytest.mark.parametrize("width", [LAPTOP_PIXELS, PHONE_PIXELS])
def test_guests_are_listed_by_three_clicks(service: Service, browser: Browser, width: int) -> None:
    browser.resize(width)
    browser.open(page(service))
    shown = execute_guest_list(browser)
    assert shown.startswith("200")
    assert '"name": "web"' in shown
    last = service.audit[-1]
    assert (last["operation"], last["hypervisor"], last["host"]) == ("guest_list", "mock", "demo")
    assert last["user"] == "demo"
    record(browser, "docs-guest-list", f"{_GUEST_LIST} .execute-wrapper, {_GUEST_LIST} .btn-group")
    check_layout(browser)
    origin = f"http://127.0.0.1:{service.port}/"
    loaded = browser.run("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert [place for place in loaded if not place.startswith((origin, "data:"))] == []
    assert browser.errors() == []


def test_a_body_with_its_schema_has_room(service: Service, browser: Browser) -> None:
    browser.open(page(service))
    browser.click("#operations-guests-guest_create .opblock-summary-control")
    browser.one("#operations-guests-guest_create .opblock-body .model-example")
    check_layout(browser)
    browser.click("#operations-guests-guest_create .opblock-section-request-body [data-name=model]")
    check_layout(browser)
    assert browser.errors() == []


def test_an_address_leads_to_an_operation(service: Service, browser: Browser) -> None:
    browser.open(page(service, "#/guests/guest_create"))
    browser.one("#operations-guests-guest_create .opblock-body")
    assert len(browser.all(".opblock-body")) == 1
    browser.errors()  # Swagger UI warns of the underscore: it could stand for a space


def test_the_forms_values_are_sent(service: Service, browser: Browser) -> None:
    browser.open(page(service))
    browser.one(_GUEST_LIST)
    for name, value in {"host": "other:8443", "user": "jörg", "password": "a:b"}.items():
        field = browser.one(f"#target [name={name}]")
        field.clear()
        field.send_keys(value, Keys.TAB)
    assert execute_guest_list(browser).startswith("200")
    assert (service.audit[-1]["host"], service.audit[-1]["user"]) == ("other:8443", "jörg")


def test_another_hypervisor_has_its_own_operations_and_no_user_of_the_mock(
    service: Service, browser: Browser
) -> None:
    browser.open(page(service))
    browser.one(_GUEST_LIST)
    Select(browser.one("[name=hypervisor]")).select_by_value("kvm")
    browser.wait(lambda: "/kvm/10.0.0.1/guests" in browser.one(".info").text, "the description for KVM")
    assert [browser.one(f"[name={name}]").get_property("value") for name in ("host", "user")] == ["", ""]
    assert browser.driver.current_url.endswith("/docs?hypervisor=kvm")
    browser.click(f"{_GUEST_LIST} .opblock-summary-control")
    browser.click(f"{_GUEST_LIST} .try-out__btn")
    assert browser.one(f"{_GUEST_LIST} tr[data-param-name=hypervisor] select").get_property("value") == "kvm"
    browser.click(f"{_GUEST_LIST} .execute")
    shown = browser.one(f"{_GUEST_LIST} .live-responses-table .response").text
    assert shown.startswith("401")
    assert "the hypervisor token is missing" in shown
    browser.errors()  # of the 401


def test_an_alias_in_the_address_chooses_its_hypervisor(service: Service, browser: Browser) -> None:
    browser.open(page(service, "?hypervisor=qemu"))
    browser.one(_GUEST_LIST)
    assert browser.one("[name=hypervisor]").get_property("value") == "kvm"
    assert browser.errors() == []


def test_an_unknown_hypervisor_in_the_address_is_told(service: Service, browser: Browser) -> None:
    browser.open(page(service, "?hypervisor=hyperv"))
    assert "no hypervisor 'hyperv' here" in browser.one("#problem").text
    check_layout(browser)
    Select(browser.one("[name=hypervisor]")).select_by_value("mock")
    browser.one(_GUEST_LIST)
    assert browser.all("#problem") == []
    browser.errors()  # of the 404


def test_a_wrong_service_token_gets_a_message_and_the_right_one_is_sent(
    browser: Browser, tmp_path: Path
) -> None:
    made = new_token()
    with running_service(tmp_path, f"[server.tokens]\nclient = '{token_hash(made)}'") as service:
        browser.open(page(service))
        alert = browser.one("#service-token [role=alert]")
        assert "this service needs a service token" in alert.text
        assert browser.all("#target, #reference *") == []
        field = browser.one("#service-token input")
        field.send_keys("wrong", Keys.ENTER)
        browser.wait(lambda: "unknown to this service" in alert.text, "the message")
        check_layout(browser)
        field.clear()
        field.send_keys(made, Keys.ENTER)
        browser.one(_GUEST_LIST)
        assert browser.all("#service-token") == []
        browser.errors()  # of the two 401
        assert execute_guest_list(browser).startswith("200")
        assert browser.errors() == []


def test_behind_a_proxy_with_a_prefix_the_page_calls_through_it(browser: Browser, tmp_path: Path) -> None:
    with running_service(tmp_path, prefix="/stack") as service:
        browser.open(f"http://127.0.0.1:{service.port}/stack/docs/")
        assert execute_guest_list(browser).startswith("200")
        assert browser.errors() == []

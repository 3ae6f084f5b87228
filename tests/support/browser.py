"""Headless Chromium, as Debian packages it."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from support.lacking import lacking_packages

WAIT_SECONDS = 30
#: Widths of pages.
LAPTOP_PIXELS, PHONE_PIXELS = 1280, 390
_MOBILE_BELOW_PIXELS = 600
#: Scroll to an element, and wait until it has been at the same place for some frames.
_SCROLL_TO = """
const [element, done] = arguments;
let last, frames = 0;
element.scrollIntoView({block: "center"});
const check = () => {
  const { top, left } = element.getBoundingClientRect();
  const place = `${left} ${top}`;
  frames = place === last ? frames + 1 : 0;
  last = place;
  frames < 10 ? requestAnimationFrame(check) : done();
};
check();
"""


class Browser:
    """A window of Chromium, and what a user does in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.resize(LAPTOP_PIXELS)

    def resize(self, width: int) -> None:
        """Set the width of the page in pixels. A narrow one is that of a phone."""
        self.width = width
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < _MOBILE_BELOW_PIXELS}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, url: str) -> None:
        """Open a page in a new document, and forget the messages of the last one."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return what the condition returns, as soon as it is true."""
        return WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.1).until(
            lambda _driver: condition(), what
        )

    def all(self, selector: str) -> list[WebElement]:
        """Return the visible elements for a CSS selector."""
        return [each for each in self.driver.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]

    def one(self, selector: str) -> WebElement:
        """Wait until an element is visible, and return it."""
        element: WebElement = self.wait(lambda: self.all(selector), selector)[0]
        return element

    def click(self, selector: str) -> None:
        """Scroll to an element, and click it when it stands still."""
        element = self.one(selector)
        self.driver.execute_async_script(_SCROLL_TO, element)
        element.click()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page, and return its result."""
        return self.driver.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        """Return the errors in the console since the last call, such as exceptions and blocked loads."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # no annotation
        return [str(entry["message"]) for entry in entries if entry["level"] == "SEVERE"]


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """Run Chromium until the block ends. Without it, the test is skipped, or fails as CI demands.

    :param folder: an empty folder for its profile
    """
    program, driver_program = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver_program is None:
        lacking_packages(["chromium", "chromium-driver"])
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new",
        "--no-sandbox",  # its sandbox does not work for root
        "--disable-dev-shm-usage",  # containers have a small /dev/shm
        "--disable-background-networking",
        f"--user-data-dir={folder}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Driver(driver_program))
    try:
        yield Browser(driver)
    finally:
        driver.quit()

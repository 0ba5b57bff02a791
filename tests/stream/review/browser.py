"""Debian's Chromium without a window, driven over its own driver; nothing is downloaded for it."""

import shutil
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = "chromium", "chromedriver"
_FLAGS = (
    "--headless",
    "--no-sandbox",  # as root it starts in no other way
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-features=OptimizationHints,MediaRouter,Translate",
    "--hide-scrollbars",
)
_PATIENCE_S = 10.0


def missing():
    """Which of the two programs is not here, empty where both are."""
    return ", ".join(name for name in (CHROMIUM, DRIVER) if shutil.which(name) is None)


@contextmanager
def chromium(profile: Path):
    """A driver with a fresh profile in this folder, and a log of its console and of all it asks for."""
    options = Options()
    options.binary_location = shutil.which(CHROMIUM)
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which(DRIVER)))
    try:
        driver.set_page_load_timeout(_PATIENCE_S)
        driver.set_script_timeout(_PATIENCE_S)
        yield driver
    finally:
        driver.quit()


def size(driver, width, height, *, phone=False):
    """Have the page see a screen of this size, which may be narrower than any window."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def colours(driver, scheme):
    """Have the page see that its user likes it light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait(driver, condition, within_s=_PATIENCE_S):
    """What `condition` of the driver returns as soon as it is true."""
    return WebDriverWait(driver, within_s, poll_frequency=0.02).until(condition)


def script(driver, code, *arguments):
    """What this JavaScript returns."""
    return driver.execute_script(f"return {code}", *arguments)

"""Makes the pictures of the page for the documentation, with a daemon that plays.

    python -m tests.web.page.screenshots docs

A temporary home folder is used; Debian's chromium and playwright are needed.
"""

import re
import sys
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nemod.osc.layout.touchosc import SIZES as LAYOUTS
from nemod.osc.layout.touchosc import document
from tests.parts.daemon import launch
from tests.web.page.conftest import CHROMIUM, SIZES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONGEST_MS = 120_000
"""[ms] A model may have to be compiled on a busy machine."""
KNOBS = {"Gain": 4, "Bass": 2, "Treble": 1, "Delay mix": 3, "Reverb mix": 2}
"""How often each is turned up by a tenth."""


def main() -> None:
    """Make all pictures."""
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        layouts(browser, folder)
        environment = {"HOME": home, "XDG_DATA_HOME": f"{home}/data", "XDG_STATE_HOME": home}
        daemon = launch(["--device", "demo", "--no-standby"], Path(home), environment)
        try:
            pictures(browser, f"http://localhost:{daemon.http_port()}/", folder)
        except Exception:
            print(daemon.text)  # noqa: T201
            raise
        finally:
            daemon.end()


def pictures(browser: "Browser", url: str, folder: Path) -> None:
    """Go through a session: open, choose a model, turn knobs, save a preset, tune."""

    def open_page(size: str) -> "Page":
        width, height = SIZES[size]
        page = browser.new_page(
            viewport={"width": width, "height": height}, device_scale_factor=1.5
        )
        page.set_default_timeout(LONGEST_MS)
        page.goto(url)
        page.wait_for_selector("body:not(.loading) #face [aria-valuetext]")
        page.wait_for_timeout(1500)
        return page

    def take(page: "Page") -> bytes:
        return page.screenshot()

    def take_all(page: "Page", size: str) -> None:
        # In one tall window: what is fixed to its lower edge would else cover the middle.
        width, height = SIZES[size]
        tall = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": tall})
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"page-{size}.png")
        page.set_viewport_size({"width": width, "height": height})

    phone = open_page("phone")
    session = [take(phone)]
    phone.locator("#model .choose").click()
    phone.wait_for_timeout(300)
    session.append(take(phone))
    phone.get_by_role("dialog").get_by_role("button", name="muffcond-gru40").click()
    phone.get_by_role("button", name="Model: muffcond-gru40").wait_for()
    phone.get_by_role("slider", name="Bass", exact=True).wait_for()
    for name, count in KNOBS.items():
        knob = phone.locator(f'#face [aria-label="{name}"]')
        if knob.count():
            knob.focus()
            for _ in range(count):
                phone.keyboard.press("PageUp")
    phone.wait_for_timeout(500)
    phone.evaluate("document.activeElement.blur()")
    session.append(take(phone))
    phone.get_by_role("button", name="More…").click()
    phone.get_by_role("button", name="Save as a new preset…").click()
    phone.get_by_role("textbox", name="Name").fill("Solo")
    session.append(take(phone))
    phone.get_by_role("textbox", name="Name").press("Enter")
    phone.get_by_role("button", name="Preset: Solo").wait_for()
    phone.get_by_role("switch", name="Compressor").click()
    phone.wait_for_timeout(4500)
    take_all(phone, "phone")
    take_all(open_page("tablet"), "tablet")
    take_all(open_page("desktop"), "desktop")
    phone.get_by_role("switch", name="Tuner", exact=True).click()
    phone.wait_for_selector(".tuner.heard")
    session.append(take(phone))
    beside(browser, session, folder / "page-phone-session.png")


def beside(browser: "Browser", pictures: Sequence[bytes], path: Path) -> None:
    """Put pictures of a phone beside each other."""
    width, height = SIZES["phone"]
    images = "".join(
        f'<img width="{width}" src="data:image/png;base64,{b64encode(one).decode()}">'
        for one in pictures
    )
    style = "<style>body{margin:0;display:flex;gap:16px;background:#fff}</style>"
    page = browser.new_page(
        viewport={"width": (width + 16) * len(pictures) - 16, "height": height},
        device_scale_factor=1.5,
    )
    page.set_content(style + images)
    page.screenshot(path=path)


def layouts(browser: "Browser", folder: Path) -> None:
    """Draw the TouchOSC layouts; their pages stand beside each other."""
    import py2tosc

    for name, size in LAYOUTS.items():
        made = document(size)
        (pager,) = made.find_all(type="PAGER")
        assert len(pager.children) > 3
        picture = py2tosc.to_svg(made)
        found = re.search(r'<svg[^>]* width="([\d.]+)"[^>]* height="([\d.]+)"', picture)
        assert found is not None
        width, height = (round(float(text)) for text in found.groups())
        tab = browser.new_page(viewport={"width": width, "height": height})
        tab.set_content(f"<style>body{{margin:0;background:#000}}</style>{picture}")
        tab.screenshot(path=folder / f"touchosc-{name}.png")


if __name__ == "__main__":
    main()

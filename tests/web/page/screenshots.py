"""Makes the pictures of the page and of the layouts for the documentation.

    python -m tests.web.page.screenshots docs [URL]

The page is served for a rig in memory, with the models that ship; with the URL of a daemon that
plays (`nemod --device demo`), it is that daemon's page. It needs Debian's chromium and playwright.
"""

import re
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nemod.control.events import Meters, TunerReading
from nemod.osc.layout.touchosc import SIZES as LAYOUTS
from nemod.osc.layout.touchosc import document
from nemod.presets import PresetStore
from tests.web.page.conftest import CHROMIUM, SIZES
from tests.web.page.stage import Stage

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
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        layouts(browser, folder)
        if len(sys.argv) > 2:
            pictures(browser, sys.argv[2], folder, lambda: None)
            return
        stage = Stage()
        stage.start()
        try:
            stage.call(lambda: prepare(stage))
            pictures(browser, stage.url, folder, lambda: stage.call(lambda: play(stage)))
        finally:
            stage.stop()
            stage.close()


def prepare(stage: Stage) -> None:
    """Have the models and presets that ship."""
    rig, shipped = stage.rig, PresetStore(None)
    rig.names = sorted(path.stem for path in (Path(__file__).parents[3] / "models").glob("*.json"))
    rig.model_name = rig.names[0]
    rig.presets.kept = {entry.number: shipped.get(entry.number) for entry in shipped.entries()}


def play(stage: Stage) -> None:
    """Have levels, and a string for the tuner."""
    rig = stage.rig
    rig.levels, rig.tuned = Meters(-14.0, -8.0, 0), TunerReading("A2", -8.0, 109.5)
    rig.events.publish(rig.levels)
    rig.events.publish(rig.tuned)


def pictures(browser: "Browser", url: str, folder: Path, play: Callable[[], None]) -> None:
    """Go through a session: open, choose a model, turn knobs, save a preset, tune.

    `play` is called before each picture.
    """

    def open_page(size: str) -> "Page":
        width, height = SIZES[size]
        page = browser.new_page(
            viewport={"width": width, "height": height}, device_scale_factor=1.5
        )
        page.set_default_timeout(LONGEST_MS)
        page.goto(url)
        page.wait_for_selector("body:not(.loading) #face [aria-valuetext]")
        play()
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
    phone.wait_for_selector(".tuner[open]")
    phone.wait_for_timeout(500)
    play()
    phone.wait_for_selector(".tuner.heard")
    phone.evaluate("document.activeElement.blur()")
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

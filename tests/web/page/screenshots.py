"""Makes the pictures of the page and of the layouts for the documentation.

    python -m tests.web.page.screenshots docs

It starts `nemod --device demo` with a controller on a named pipe and goes through the same session
on a phone, a tablet and a desktop. It needs Debian's chromium and playwright.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from nemod.osc.layout.touchosc import SIZES as LAYOUTS
from nemod.osc.layout.touchosc import document
from tests.parts.daemon import Daemon, launch
from tests.parts.osc_client import OscClient
from tests.web.page.conftest import CHROMIUM, SIZES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[3]
LONGEST_MS = 240_000
"""[ms] A model may have to be compiled on a busy machine."""
LONGEST_S = 1e-3 * LONGEST_MS
TRIES = 10
MODEL, PRESET = "muffcond-gru40", "Solo"
LEARNED = "Delay mix"
KNOBS = {"level": -4, "gain": 4, "bass": 2, "treble": 1, "delay/mix": 3, "reverb/mix": 2}
"""By how many tenths each is turned up."""
COLUMNS = {"phone": 7, "tablet": 4, "desktop": 2}
"""Pictures of a session beside each other."""
WIDTHS = {"phone": 320, "tablet": 480, "desktop": 720}
"""[pixels] Of one picture of a session."""
STATUS_MS = 1300
"""[ms] In which the status is sent once."""
GAP = 14
COLOURS = 128
"""Of a picture's palette: the page has few."""


def main() -> None:
    """Make all pictures."""
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1])
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        layouts(browser, folder)
        with daemon() as (running, pedal):
            prepare(running)
            for size in SIZES:
                session = Session(browser, running, pedal, size)
                try:
                    beside(session.pictures(), size, folder / f"page-{size}-session.png")
                    if size != "phone":
                        save(session.whole(), folder / f"page-{size}.png")
                finally:
                    session.close()


@contextmanager
def daemon() -> Iterator[tuple[Daemon, Path]]:
    """Run a daemon that plays the demo phrase; yield it with the pipe of a controller."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        pedal = home / "pedal"
        os.mkfifo(pedal)
        kinds = ("CONFIG", "STATE", "DATA", "CACHE")
        environment = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in kinds}
        options = ["--device", "demo", "--model", "drive-gru20", "--raw-midi", str(pedal)]
        running = launch([*options, "--no-announce"], ROOT, environment)
        try:
            yield running, pedal
        finally:
            running.end()


def prepare(running: Daemon) -> None:
    """Have all rigs of the session built, however busy the machine is."""
    client = OscClient(running.port)
    for address, *arguments in (
        ("/nemo/preset/load", 0),
        ("/nemo/model/load", MODEL),
        ("/nemo/chain/add", "delay2", "reverb"),
        ("/nemo/chain/remove", "delay2"),
    ):
        for _ in range(TRIES):
            client.send(address, *arguments)
            if client.wait("/nemo/done", "/nemo/error", seconds=LONGEST_S).address == "/nemo/done":
                break
    client.close()


@dataclass
class Session:
    """One browser of a size, and what a player does in it."""

    browser: "Browser"
    running: Daemon
    pedal: Path
    size: str

    def __post_init__(self) -> None:
        """Open the page."""
        width, height = SIZES[self.size]
        self._client = OscClient(self.running.port)
        self._client.send("/nemo/preset/load", 0)
        self._client.wait("/nemo/done", "/nemo/error", seconds=LONGEST_S)
        self._page = page = self.browser.new_page(
            viewport={"width": width, "height": height}, device_scale_factor=1.5
        )
        page.set_default_timeout(LONGEST_MS)
        page.goto(f"http://127.0.0.1:{self.running.http_port()}/")
        page.wait_for_selector("body:not(.loading) #face [aria-valuetext]")
        page.wait_for_timeout(1500)

    def pictures(self) -> list[bytes]:
        """Return those of the session: open, choose, turn, save, tune, learn, add."""
        page = self._page
        taken = [self._take()]
        page.locator("#model .choose").click()
        entry = page.get_by_role("dialog").get_by_role("button", name=MODEL)
        entry.wait_for()
        taken.append(self._take())
        entry.click()
        page.locator("#model").get_by_role("button", name=f"Model: {MODEL}").wait_for()
        page.locator('#face [data-address="/nemo/knob/3"]').wait_for()
        for name, count in KNOBS.items():
            page.locator(f'#face [data-address="/nemo/{name}"]').focus()
            for _ in range(abs(count)):
                page.keyboard.press("PageUp" if count > 0 else "PageDown")
        page.wait_for_timeout(500)
        taken.append(self._take())
        page.get_by_role("button", name="More…").click()
        page.get_by_role("button", name="Save as a new preset…").click()
        page.get_by_role("textbox", name="Name").fill(PRESET)
        taken.append(self._take())
        page.get_by_role("textbox", name="Name").press("Enter")
        page.get_by_role("button", name=f"Preset: {PRESET}").wait_for()
        page.get_by_role("switch", name="Tuner", exact=True).click()
        taken.append(self._tuned())
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        taken += [self._learned(), self._added()]
        return taken

    def _tuned(self) -> bytes:
        """Return a picture of a moment in which a string is heard: between two there is none."""
        self._page.evaluate(
            """() => new Promise((done) => {
              const look = () => {
                const tuner = document.querySelector(".tuner.heard.in-tune");
                if (!tuner) return requestAnimationFrame(look);
                const still = tuner.cloneNode(true);
                still.id = "still";
                still.removeAttribute("open");
                document.body.append(still);
                still.showModal();
                done();
              };
              look();
            })"""
        )
        taken = self._take()
        self._page.evaluate("document.getElementById('still').remove()")
        return taken

    def _learned(self) -> bytes:
        page = self._page
        page.get_by_label("What a control is to do").select_option(LEARNED)
        page.get_by_role("button", name="Learn").click()
        page.get_by_text("Move the control that is to do this").wait_for()
        with self.pedal.open("wb", buffering=0) as pipe:
            for value in range(0, 100, 4):
                pipe.write(bytes((0xB0, 20, value)))
            page.get_by_role("button", name=f"Remove cc 20 from {LEARNED}").wait_for()
            page.wait_for_timeout(4500)
            self._show("#midi-card")
            return self._take()

    def _added(self) -> bytes:
        page = self._page
        page.get_by_role("button", name="Add a slot…").click()
        page.get_by_role("dialog").get_by_role("button", name="Delay").click()
        page.get_by_role("heading", name="Delay 2").wait_for()
        page.get_by_role("slider", name="Delay 2 mix").focus()
        for _ in range(3):
            page.keyboard.press("PageUp")
        page.wait_for_timeout(800)
        self._show("#slot-delay2")
        return self._take()

    def whole(self) -> bytes:
        """Return the whole page: with what is fixed to its lower edge at its end."""
        page = self._page
        width, height = SIZES[self.size]
        tall = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": tall})
        page.wait_for_timeout(500)
        taken = page.screenshot()
        page.set_viewport_size({"width": width, "height": height})
        return taken

    def _show(self, selector: str) -> None:
        """Scroll something to the upper edge, below what is fixed there."""
        self._page.evaluate(
            "(one) => scrollBy(0, document.querySelector(one).getBoundingClientRect().top - 90)",
            selector,
        )
        self._page.wait_for_timeout(300)

    def _take(self) -> bytes:
        self._page.evaluate("document.activeElement?.blur()")
        # A busy machine has late blocks, which are no part of the session.
        self._client.send("/nemo/meter/reset")
        self._page.wait_for_timeout(STATUS_MS)
        return self._page.screenshot()

    def close(self) -> None:
        """Leave everything as it was before."""
        self._page.close()
        for address, *arguments in (
            ("/nemo/midi/unlearn", "delay/mix"),
            ("/nemo/preset/delete", PRESET),
        ):
            self._client.send(address, *arguments)
            self._client.wait("/nemo/done", "/nemo/error", seconds=60.0)
        self._client.close()


def beside(pictures: Sequence[bytes], size: str, path: Path) -> None:
    """Put pictures of a session beside each other, in rows."""
    images = [Image.open(BytesIO(one)).convert("RGB") for one in pictures]
    width, columns = WIDTHS[size], COLUMNS[size]
    height = round(width * images[0].height / images[0].width)
    rows = -(-len(images) // columns)
    whole = Image.new(
        "RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), (255, 255, 255)
    )
    for at, image in enumerate(images):
        place = (at % columns * (width + GAP), at // columns * (height + GAP))
        whole.paste(image.resize((width, height), Image.Resampling.LANCZOS), place)
    _write(whole, path)


def save(picture: bytes, path: Path) -> None:
    """Save one picture."""
    _write(Image.open(BytesIO(picture)).convert("RGB"), path)


def _write(image: Image.Image, path: Path) -> None:
    """Save with a palette, which takes a third of the space."""
    few = image.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


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
        save(tab.screenshot(), folder / f"touchosc-{name}.png")


if __name__ == "__main__":
    main()

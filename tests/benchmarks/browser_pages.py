"""Two real browser pages that a player uses all the time: a load for surfaces.py.

    python tests/benchmarks/browser_pages.py HTTP_PORT

Prints `ready`, works until standard input is closed, then prints its counts as JSON.
"""

import json
import os
import random
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.loads import finished  # noqa: E402
from tests.web.page.conftest import CHROMIUM, SIZES  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = 2
NICE = 10
START_MS, ACT_MS = 120_000, 10_000
EXPECTED = ("WebSocket connection",)
"""Parts of lines in the console that are no error of the page."""
KNOBS = ("Gain", "Mid", "Delay mix", "Reverb mix")


class Player:
    """Uses one page."""

    def __init__(self, page: "Page", seed: int) -> None:
        self.page = page
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self._rng = random.Random(seed)
        page.on("pageerror", lambda error: self.problems.append(f"page: {error}"))
        page.on("console", lambda line: self._line(line.type, line.text))

    def _line(self, kind: str, text: str) -> None:
        if kind == "error" and not any(part in text for part in EXPECTED):
            self.problems.append(f"page: {text}")

    def act(self, number: int) -> None:
        """Do one of the things that a player does."""
        acts = (self._turn, self._snapshot, self._turn, self._list, self._turn, self._tune)
        acts[number % len(acts)]()

    def _turn(self) -> None:
        """Turn a knob of the face by mouse."""
        name = self._rng.choice(KNOBS)
        knob = self.page.locator(f'#face [aria-label="{name}"]')
        if not knob.count():
            return
        knob.scroll_into_view_if_needed()
        box = knob.bounding_box()
        if box is None:
            return
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        for step in range(10):
            self.page.mouse.move(x, y + self._rng.choice((-4, 4)) * step)
        self.page.mouse.up()
        self.counts["knobs turned"] += 1

    def _snapshot(self) -> None:
        self.page.get_by_role("button", name=f"Snapshot {self._rng.randrange(1, 9)}").click()
        self.counts["snapshots"] += 1

    def _list(self) -> None:
        """Look at the list of models."""
        self.page.locator("#model .choose").click()
        self.page.get_by_role("dialog", name="Model").wait_for()
        self.page.keyboard.press("Escape")
        self.counts["lists"] += 1

    def _tune(self) -> None:
        """Turn the tuner on and off; the other page follows."""
        self.page.get_by_role("switch", name="Tuner", exact=True).click()
        dialog = self.page.get_by_role("dialog", name="Tuner")
        dialog.wait_for()
        dialog.get_by_role("button", name="Close").click()
        dialog.wait_for(state="hidden")
        self.counts["tuner"] += 1


def main() -> int:
    """Use the pages until standard input is closed."""
    from playwright.sync_api import Error, sync_playwright

    os.nice(NICE)
    url = f"http://127.0.0.1:{sys.argv[1]}/"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        players = []
        for seed, size in enumerate(("phone", "desktop")):
            width, height = SIZES[size]
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(START_MS)
            page.goto(url)
            page.wait_for_selector("body:not(.loading) #face [aria-valuetext]")
            page.set_default_timeout(ACT_MS)
            players.append(Player(page, seed))
        assert len(players) == PAGES
        print("ready", flush=True)  # noqa: T201 - what the parent waits for
        number = missed = 0
        while not finished():
            player = players[number % PAGES]
            try:
                player.act(number // PAGES)
            except Error:
                # The tuner of the other page, or a page that is built anew, was in between.
                missed += 1
                with suppress(Error):
                    player.page.keyboard.press("Escape")
            player.page.wait_for_timeout(200)
            number += 1
        counts = sum((player.counts for player in players), Counter[str]())
        counts["acts that another one prevented"] = missed
        problems = [text for player in players for text in player.problems[:5]]
        browser.close()
    print(json.dumps({"counts": counts, "problems": problems}))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""One browser and one served rig for all tests of a module."""

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from nemod.chain import DEFAULT_CHAIN, plain_chain
from nemod.control.events import Meters
from nemod.presets.preset import Preset
from tests.chains import chain_of
from tests.osc.conftest import MemoryRig
from tests.web.page.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SIZES = {"phone": (320, 640), "tablet": (768, 1024), "desktop": (1440, 900)}

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium. Until it is closed, this thread has a running event loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Stage]:
    """A thread that serves."""
    stage = Stage()
    stage.start()
    yield stage
    stage.stop()
    stage.close()


@pytest.fixture
def stage(running: Stage) -> Stage:
    """A rig with its defaults, two presets and three models."""
    rig = running.rig

    def reset() -> None:
        rig.names = ("Amp Clean", "Amp Lead", "fuzz")
        rig.cabinets.names = ("1x12", "2x12 open", "4x12")
        rig.is_slow = False
        rig.use_chain(*plain_chain(DEFAULT_CHAIN))
        rig.model_name, rig.state = "Amp Clean", "running"
        rig.use_knobs()
        for path in rig.controller.parameters:
            default = rig.controller.describe(path).default
            rig.controller.set(path, default, source("test"))
        rig.presets.kept = {
            number: Preset(name=name, chain=chain_of("Amp Clean"))
            for number, name in ((0, "Clean"), (7, "Lead"))
        }
        rig.levels = Meters(-15.0, -90.0, 0)
        rig.added.clear()
        rig.add_error = None
        rig.unplayable = {}

    running.call(reset)
    return running


def source(name: str) -> Any:
    from nemod.control.events import Source

    return Source(name)


@pytest.fixture
def expected() -> list[str]:
    """Parts of errors in the browser's console that a test brings about."""
    # While the daemon is away, the browser itself reports that.
    return ["ERR_CONNECTION", "WebSocket connection"]


@pytest.fixture
def open_page(browser: "Browser", stage: Stage, expected: list[str]) -> "Iterator[Open]":
    """Open the page at a size of `SIZES`; an error in its scripts or its console is a failure."""
    contexts = []
    errors: list[str] = []

    def open_page(size: str = "desktop", **options: Any) -> "Page":
        width, height = SIZES[size]
        is_phone = size == "phone"
        context = browser.new_context(
            viewport={"width": width, "height": height},
            has_touch=is_phone,
            is_mobile=is_phone,
            **options,
        )
        context.set_default_timeout(5_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(stage.url)
        page.wait_for_selector("body:not(.loading) #face [aria-valuetext]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [one for one in errors if not any(part in one for part in expected)] == []


@pytest.fixture
def rig(stage: Stage) -> MemoryRig:
    """What the page controls."""
    return stage.rig

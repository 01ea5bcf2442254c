"""Knobs of the page: by touch, mouse and keyboard to the rig, and from OSC to the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from tests.osc.conftest import Client, MemoryRig
from tests.web.page.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser
Open = Callable[..., "Page"]
RESTS = """() => new Promise((resolve) => {
  let [last, frames] = [scrollY, 0];
  const look = () => {
    frames = scrollY === last ? frames + 1 : 0;
    last = scrollY;
    if (frames > 9) resolve();
    else requestAnimationFrame(look);
  };
  look();
})"""
"""Resolves when the page has stopped scrolling: it goes on after a swipe."""


def knob(page: "Page", name: str) -> "Locator":
    return page.get_by_role("slider", name=name, exact=True)


def centre(one: "Locator") -> tuple[float, float]:
    one.scroll_into_view_if_needed()
    box = one.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_knob_is_turned_by_mouse(open_page: Open, stage: Stage) -> None:
    """Upward is more; what is heard is what is shown; touching it alone changes nothing."""
    page = open_page()
    x, y = centre(knob(page, "Bass"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 2)
    page.mouse.up()
    assert stage.position("bass") == 0.5
    page.mouse.down()
    page.mouse.move(x, y - 95, steps=5)
    page.mouse.up()
    # 190 pixels are the whole range.
    stage.until(lambda: stage.rig.controller.position("bass") == pytest.approx(1.0, abs=0.02))
    assert stage.rig.commits[-1]["bass"] == stage.position("bass")
    page.wait_for_function(
        "text => document.querySelector('[data-address=\"/nemo/bass\"]').ariaValueText === text",
        arg=stage.call(lambda: stage.rig.controller.text("bass")),
    )


def test_a_fader_is_turned_by_touch(open_page: Open, stage: Stage) -> None:
    """Sideways on a phone; the page does not scroll sideways, and a downward swipe scrolls it."""
    page = open_page("phone")
    fader = knob(page, "Delay feedback")
    x, y = centre(fader)
    touch = page.context.new_cdp_session(page)

    def drag(dx: int, dy: int) -> None:
        points = [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
        for step in range(1, 7):
            points = [{"x": x + dx * step / 6, "y": y + dy * step / 6}]
            touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": points})
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = stage.position("delay/feedback")
    top = page.evaluate("scrollY")
    drag(0, -120)
    page.wait_for_function("top => scrollY > top", arg=top)
    assert stage.position("delay/feedback") == before
    page.evaluate(RESTS)
    x, y = centre(fader)
    drag(40, 0)
    stage.until(lambda: stage.rig.controller.position("delay/feedback") > before + 0.1)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_a_knob_is_turned_by_keyboard(open_page: Open, stage: Stage) -> None:
    """Arrows, pages, the ends, the default, and a value that is typed in its unit."""
    page = open_page()
    bass = knob(page, "Bass")
    bass.focus()
    for key, expected in [
        ("ArrowUp", 0.51),
        ("ArrowLeft", 0.5),
        ("Shift+ArrowRight", 0.502),
        ("PageUp", 0.602),
        ("PageDown", 0.502),
        ("Home", 0.0),
        ("End", 1.0),
        ("Delete", 0.5),
    ]:
        page.keyboard.press(key)
        stage.until(
            lambda expected=expected: (
                stage.rig.controller.position("bass") == pytest.approx(expected, abs=1e-6)
            )
        )
    page.keyboard.type("-6,0")
    page.keyboard.press("Enter")
    stage.until(lambda: stage.rig.controller.position("bass") == pytest.approx(0.25))
    page.wait_for_selector('[data-address="/nemo/bass"][aria-valuetext="-6.0 dB"]:focus')
    page.keyboard.press("Enter")
    page.keyboard.type("9")
    page.keyboard.press("Escape")
    assert stage.position("bass") == pytest.approx(0.25)


def test_two_taps_reset_and_the_wheel_scrolls(open_page: Open, stage: Stage) -> None:
    """A wheel over a knob is no setting: the page scrolls."""
    page = open_page("tablet")
    stage.call(lambda: stage.rig.controller.set("bass", 0.9, Source("test")))
    bass = knob(page, "Bass")
    page.mouse.move(*centre(bass))
    top = page.evaluate("scrollY")
    page.mouse.wheel(0, 200)
    page.wait_for_function("top => scrollY > top", arg=top)
    assert stage.position("bass") == 0.9
    bass.dblclick()
    stage.until(lambda: stage.rig.controller.position("bass") == 0.5)


def test_osc_moves_the_page_and_the_page_moves_osc(open_page: Open, stage: Stage) -> None:
    """And a second page, which shows what the first one sets."""
    page, other = open_page(), open_page("phone")
    client = Client(2, ("127.0.0.1", stage.served.osc.port))
    try:
        client.send("/nemo/subscribe", ("s", "params"))
        client.wait_for("/nemo/subscribed", 60)
        client.send("/nemo/bass", ("f", 0.75))
        for one in (page, other):
            one.wait_for_selector('[data-address="/nemo/bass"][aria-valuetext="+6.0 dB"]')
        other.get_by_role("switch", name="Compressor").click()
        page.wait_for_selector('[data-address="/nemo/comp/enable"][aria-checked="true"]')
        client.wait_for("/nemo/comp/enable", True)
        page.get_by_role("combobox", name="Delay note").select_option("1/8")
        client.wait_for("/nemo/delay/note", 6)
        other.wait_for_function(
            "() => document.querySelector('[aria-label=\"Delay note\"]').value === '1/8'"
        )
    finally:
        client.close()


def test_a_knob_that_is_held_does_not_jump(open_page: Open, stage: Stage) -> None:
    """What others set meanwhile is shown when it is released, if it is still in force."""
    page = open_page()
    mid = knob(page, "Mid")
    x, y = centre(mid)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 19, steps=3)
    stage.until(lambda: stage.rig.controller.position("mid") == pytest.approx(0.6, abs=0.01))
    shown = mid.get_attribute("aria-valuenow")
    stage.call(lambda: stage.rig.controller.set("mid", 0.1, Source("osc", "another")))
    page.wait_for_selector('[data-address="/nemo/mid"][aria-valuetext="-9.6 dB"]')
    assert mid.get_attribute("aria-valuenow") == shown
    page.mouse.up()
    page.wait_for_selector('[data-address="/nemo/mid"][aria-valuenow="10"]')


def test_a_refused_value_reverts(
    open_page: Open, stage: Stage, rig: MemoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows what is in force, and why it is."""

    def refuse(path: str, position: float, source: Source) -> float:
        raise ControlError(Code.LIMIT, path, "the amp is too hot")

    page = open_page()
    monkeypatch.setattr(rig.controller, "set", refuse)
    knob(page, "Treble").focus()
    page.keyboard.press("End")
    page.get_by_role("alert").get_by_text("the amp is too hot").wait_for()
    page.wait_for_selector('[data-address="/nemo/treble"][aria-valuenow="50"]')


def test_a_value_that_is_only_looked_at_is_not_set(open_page: Open, stage: Stage) -> None:
    """Its text is rounded."""
    page = open_page()
    stage.call(lambda: stage.rig.controller.set("bass", 0.512345, Source("test")))
    page.wait_for_function(
        "document.querySelector('[data-address=\"/nemo/bass\"]').ariaValueNow === '51'"
    )
    value = page.get_by_role("button", name="Type Bass")
    value.click()
    page.keyboard.press("Enter")
    value.wait_for()
    knob(page, "Treble").press("ArrowUp")
    stage.until(lambda: stage.rig.controller.position("treble") != 0.5)
    assert stage.position("bass") == 0.512345


def test_a_finger_that_scrolls_turns_no_fader(open_page: Open, stage: Stage) -> None:
    """And what it has turned before the browser scrolls is taken back."""
    page = open_page("phone")
    send = """([way, end]) => {
      const one = document.querySelector("#board [role=slider].track");
      one.setPointerCapture = () => {};
      const say = (type, x, y) => one.dispatchEvent(new PointerEvent(type, {
        pointerId: 9, pointerType: "touch", isPrimary: true, button: 0, bubbles: true,
        clientX: 100 + x, clientY: 100 + y }));
      const before = one.ariaValueNow;
      say("pointerdown", 0, 0);
      say("pointermove", ...way);
      const during = one.ariaValueNow;
      say(end, ...way);
      return [before, during, one.ariaValueNow];
    }"""
    before, during, after = page.evaluate(send, [[20, 40], "pointerup"])
    assert before == during == after
    before, during, after = page.evaluate(send, [[40, 10], "pointercancel"])
    assert before == after != during

"""The board: slots are added, removed, moved and replaced by mouse, finger and keyboard."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from nemod.chain import Chain, edit, plain_chain, read_chain
from tests.osc.conftest import MemoryRig
from tests.web.page.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser
Open = Callable[..., "Page"]
BOARD: list[Any] = [
    "gate",
    {"pedal": {"kind": "model", "file": "fuzz"}},
    {"split": {"a": [{"model2": {"file": "Amp Lead"}}, "cab"], "b": []}},
    "eq",
    "delay",
    "delay2",
]


def plain(rig: MemoryRig) -> list[Any]:
    return plain_chain(rig.controller.chain, with_hashes=False)


def use(stage: Stage, rig: MemoryRig, *slots: object) -> None:
    stage.call(lambda: rig.use_chain(*slots))


def becomes(stage: Stage, rig: MemoryRig, *slots: object) -> None:
    stage.until(lambda: plain(rig) == list(slots))


def heads(page: "Page") -> list[str]:
    """Return the headings of the cards, in the order of the page."""
    texts: list[str] = page.locator("#board h3").all_inner_texts()
    return texts


def test_a_chain_is_shown_with_its_split(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """Each slot with its switch, its file and its controls; both pages follow an edit."""
    use(stage, rig, *BOARD)
    page, other = open_page("phone"), open_page()
    shown = ["Gate", "Pedal", "Split", "Model 2", "Cabinet", "EQ", "Delay", "Delay 2"]
    assert heads(page) == shown
    branch = page.get_by_role("group", name="Branch A")
    assert branch.locator("h3").all_inner_texts() == ["Model 2", "Cabinet"]
    assert page.get_by_role("group", name="Branch B").locator("h3").count() == 0
    page.get_by_role("button", name="Pedal file: fuzz").wait_for()
    page.get_by_role("button", name="Model 2 file: Amp Lead").wait_for()
    knob = page.get_by_role("slider", name="Delay 2 time")
    knob.focus()
    page.keyboard.press("Home")
    stage.until(lambda: rig.controller.position("delay2/time") == 0.0)
    assert rig.controller.position("delay/time") > 0.0
    other.locator('[aria-label="Delay 2 time"][aria-valuenow="0"]').wait_for()
    page.get_by_role("button", name="Gate: move, replace, remove").click()
    page.get_by_role("button", name="Remove…").click()
    becomes(stage, rig, *BOARD[1:])
    other.get_by_role("heading", name="Gate").wait_for(state="detached")
    assert heads(other) == shown[1:]
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_slots_are_added_with_a_file(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """At the end, and in a branch; an error is shown where it was tried, until the next one."""
    use(stage, rig, "gate", {"split": {"a": ["eq"], "b": []}})
    page = open_page()
    page.get_by_role("button", name="Add a slot…").click()
    assert page.get_by_role("dialog").get_by_text("Split").count() == 0
    page.get_by_role("dialog").get_by_role("button", name="Delay").click()
    becomes(stage, rig, "gate", {"split": {"a": ["eq"], "b": []}}, "delay")
    page.get_by_role("heading", name="Delay").wait_for()
    page.get_by_role("button", name="Add to branch B…").click()
    page.get_by_role("dialog").get_by_role("button", name="Model").click()
    page.get_by_role("dialog").get_by_role("button", name="Amp Lead").click()
    model = {"model": {"file": "Amp Lead"}}
    becomes(stage, rig, "gate", {"split": {"a": ["eq"], "b": [model]}}, "delay")
    page.get_by_role("button", name="Model: Amp Lead").wait_for()
    stage.call(lambda: setattr(rig, "names", ["fuzz"]))
    page.get_by_role("button", name="Add a slot…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cabinet").click()
    entry = page.get_by_role("dialog").get_by_role("button", name="1x12")
    entry.wait_for()
    stage.call(lambda: setattr(rig.cabinets, "names", ()))
    entry.click()
    error = page.locator("#board").get_by_role("alert")
    error.wait_for()
    assert "slot 'cab'" in error.inner_text()
    assert len(plain(rig)) == 3
    page.get_by_role("button", name="Delay: move, replace, remove").click()
    page.get_by_role("button", name="Remove…").click()
    error.wait_for(state="detached")


def test_a_slot_with_a_file_asks_before_it_is_removed(
    open_page: Open, stage: Stage, rig: MemoryRig
) -> None:
    """And one is replaced in its place; what is under way is shown."""
    use(stage, rig, *BOARD)
    page = open_page("phone")
    page.get_by_role("button", name="Pedal: move, replace, remove").click()
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("dialog", name="Remove Pedal?").get_by_text("It plays fuzz.").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Delay: move, replace, remove").click()
    page.get_by_role("button", name="Replace…").click()
    stage.call(lambda: setattr(rig, "is_slow", True))
    page.get_by_role("dialog").get_by_role("button", name="Reverb").click()
    page.locator("#board").get_by_text("Replacing…").wait_for()
    assert plain(rig) == BOARD

    def finish() -> None:
        rig.is_slow = False
        rig.finish_load()

    stage.call(finish)
    becomes(stage, rig, *BOARD[:4], "reverb", "delay2")
    page.get_by_role("heading", name="Reverb").wait_for()
    page.get_by_role("button", name="Split: move, replace, remove").click()
    page.get_by_role("button", name="Remove…").click()
    page.get_by_text("Model 2, Cabinet would be removed with it.").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    becomes(stage, rig, *BOARD[:2], "eq", "reverb", "delay2")


def centre(item: "Locator") -> tuple[float, float]:
    box = item.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_slots_are_moved_by_mouse(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """Within the line and into a branch; Escape leaves all as it is."""
    use(stage, rig, *BOARD)
    page = open_page()

    def drag(what: str, to: "Locator", *, key: str = "") -> None:
        grip = page.get_by_role("button", name=what, exact=True)
        grip.scroll_into_view_if_needed()
        x, y = centre(grip)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y - 10)
        page.mouse.move(*centre(to))
        page.locator(".drop-before, .drop-after").wait_for()
        if key:
            page.keyboard.press(key)
        page.mouse.up()

    drag("Move Delay 2", page.get_by_role("button", name="Move EQ"), key="Escape")
    drag("Move Delay 2", page.get_by_role("button", name="Move EQ"))
    becomes(stage, rig, *BOARD[:3], "delay2", "eq", "delay3")
    assert page.get_by_role("dialog").count() == 0
    page.get_by_role("heading", name="Delay 3").wait_for()
    drag("Move Gate", page.get_by_role("button", name="Add to branch B…"))
    split = {"split": {"a": [{"model2": {"file": "Amp Lead"}}, "cab"], "b": ["gate"]}}
    becomes(stage, rig, BOARD[1], split, "delay2", "eq", "delay3")


def test_slots_are_moved_by_finger(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """On the smallest phone; the other cards are shown without their controls meanwhile."""
    use(stage, rig, *BOARD)
    page = open_page("phone")
    grip = page.get_by_role("button", name="Move EQ")
    grip.scroll_into_view_if_needed()
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *point: float) -> None:
        points = [{"x": point[0], "y": point[1]}] if point else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = centre(grip)
    touch("touchStart", x, y)
    touch("touchMove", x, y - 12)
    page.locator("#board.moving").wait_for()
    assert not page.get_by_role("slider", name="Gate hold").is_visible()
    _, to = centre(page.get_by_role("button", name="Add to branch B…"))
    touch("touchMove", x, to)
    page.locator(".add.drop-before").wait_for()
    touch("touchEnd")
    split = {"split": {"a": [{"model2": {"file": "Amp Lead"}}, "cab"], "b": ["eq"]}}
    becomes(stage, rig, *BOARD[:2], split, *BOARD[4:])


def test_a_slot_is_moved_through_all_places_by_keys(
    open_page: Open, stage: Stage, rig: MemoryRig
) -> None:
    """Into the branches and out of them; it keeps the focus, and a message says where it is."""
    use(stage, rig, "gate", {"split": {"a": ["eq"], "b": []}}, "reverb")
    page = open_page("phone")
    page.get_by_role("button", name="Move Gate").focus()
    told = ["branch A, 1 of 2", "branch A, 2 of 2", "branch B, 1 of 1", "2 of 3", "3 of 3"]
    for where in told:
        page.keyboard.press("ArrowDown")
        page.get_by_role("status").get_by_text(f"Gate: {where}", exact=True).wait_for()
        assert page.evaluate("document.activeElement.ariaLabel") == "Move Gate"
    becomes(stage, rig, {"split": {"a": ["eq"], "b": []}}, "reverb", "gate")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    becomes(stage, rig, {"split": {"a": ["eq"], "b": []}}, "gate", "reverb")


def test_every_place_is_named_as_the_daemon_takes_it(open_page: Open) -> None:
    """Each slot, dropped in front of each place: as lists say it."""
    moves = open_page().evaluate(
        """async (text) => {
          const { allSlots, lines, readChain, target } = await import("/page/js/chain.js");
          const places = readChain(text);
          const found = [];
          for (const { name } of allSlots(places)) {
            for (const { key, slots } of lines(places)) {
              for (let at = 0; at <= slots.length; at += 1) {
                found.push([name, key, at, target(places, name, { key, at })]);
              }
            }
          }
          return found;
        }""",
        json.dumps(BOARD),
    )
    chain = read_chain(BOARD)
    assert len(moves) == len(chain) * (7 + 3 + 1)
    for name, key, at, where in moves:
        before = {line: list(names) for line, names in by_line(chain).items()}
        expected = {line: list(names) for line, names in before.items()}
        if name == "split" and key:
            assert where is None
            continue
        expected[key].insert(at, None)
        for line in expected.values():
            line[:] = [other for other in line if other != name]
        expected[key][expected[key].index(None)] = name
        if where is None:
            assert expected == before
            continue
        moved = edit.move(chain, name, where)
        renamed = dict(moved.renamed)
        assert by_line(moved.chain) == {
            line: [renamed.get(other, other) for other in names] for line, names in expected.items()
        }


def test_jobs_at_one_address_end_in_order(open_page: Open) -> None:
    """Each with its own outcome; a slot may have any name."""
    ended, shown = open_page().evaluate(
        """async () => {
          const { Store } = await import("/page/js/store.js");
          const { readChain } = await import("/page/js/chain.js");
          const store = new Store();
          store.connection = { isOpen: true, send: () => true, listen() {} };
          const ended = [];
          const start = (address, name) =>
            store.start(address, (...of) => ended.push([name, ...of]));
          for (const name of ["a", "b", "c", "d"]) start("/nemo/chain/move", name);
          start("/nemo/chain/add", "e");
          const isOfJob = [];
          store.onError = (code, address, text, isOne) => isOfJob.push(isOne);
          store.receive("/nemo/error", ["value", "/nemo/chain/move", "no place"]);
          store.receive("/nemo/error", ["busy", "/nemo/chain/move", "superseded"]);
          store.receive("/nemo/done", ["/nemo/chain/move", "gate"]);
          store.receive("/nemo/done", ["/nemo/chain/set", "of another client"]);
          store.receive("/nemo/error", ["value", "/nemo/chain/set", "of none"]);
          store.listenAgain();
          store.receive("/nemo/done", ["/nemo/chain/move", "late"]);
          const names = readChain('["gate", {"cut": {"kind": "eq"}}]').map(({ name }) => name);
          return [[ended, isOfJob], names];
        }"""
    )
    assert ended == [
        [
            ["a", "error", "no place"],
            ["b", "busy", "superseded"],
            ["c", "done", "gate"],
            ["d", "closed", ""],
            ["e", "closed", ""],
        ],
        [True, True, False],
    ]
    assert shown == ["gate", "cut"]


@pytest.mark.parametrize("entry", ["Remove…", "Add a slot behind it…"])
def test_a_slot_that_has_gone_is_reported(
    open_page: Open, stage: Stage, rig: MemoryRig, entry: str
) -> None:
    """One that another client removed while its menu was open."""
    use(stage, rig, *BOARD)
    page = open_page()
    page.get_by_role("button", name="EQ: move, replace, remove").click()
    use(stage, rig, *BOARD[:3], *BOARD[4:])
    page.locator("#slot-eq").wait_for(state="detached")
    page.get_by_role("button", name=entry).click()
    page.get_by_text("The slot is gone").wait_for()
    assert page.get_by_role("dialog").count() == 0


def by_line(chain: Chain) -> dict[str, list[Any]]:
    split = chain.split
    assert split is not None
    return {
        "": [place.name for place in chain.places],
        "split/a": [slot.name for slot in split.a],
        "split/b": [slot.name for slot in split.b],
    }

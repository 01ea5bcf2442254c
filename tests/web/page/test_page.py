"""The page as a whole: models, presets, files, the tuner, restarts, names that are markup."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nemod.common.errors import ModelError
from nemod.control.events import (
    Meters,
    MidiListChanged,
    ModelChanged,
    QualityChanged,
    Source,
    StateChanged,
    TunerReading,
)
from nemod.control.jobs import Job
from nemod.control.midi import MidiBinding, Unbound
from nemod.osc.codec import Message, decode
from nemod.web.page_files import FOLDER, PageFiles
from tests.osc.conftest import MemoryRig, write
from tests.web.page.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
Open = Callable[..., "Page"]
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


def test_models_are_chosen_by_name(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """From a list with a search, and by the next and previous button."""
    rig.names = [*rig.names, *(f"Amp {number}" for number in range(300))]
    rig.unplayable = {"fuzz": "the file is cut off"}
    page = open_page("phone")
    page.get_by_role("button", name="Model: Amp Clean").click()
    dialog = page.get_by_role("dialog", name="Model")
    dialog.get_by_role("listitem").nth(302).wait_for()
    assert (
        "the file is cut off" in dialog.get_by_role("listitem").filter(has_text="fuzz").inner_text()
    )
    dialog.get_by_role("searchbox").fill("lead")
    dialog.get_by_role("button", name="Amp Lead").click()
    page.get_by_role("button", name="Model: Amp Lead").wait_for()
    assert rig.model_name == "Amp Lead"
    page.get_by_role("button", name="Previous model").click()
    page.get_by_role("button", name="Model: Amp Clean").wait_for()


def test_a_name_is_text_whatever_it_holds(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """Of models, presets and knobs."""
    rig.names = ["Amp Clean", HOSTILE]
    page = open_page()

    def load() -> None:
        rig.use_knobs(HOSTILE, "Level", HOSTILE)
        rig.model_name = HOSTILE
        rig.events.publish(ModelChanged(HOSTILE, Source("test")))
        rig.controller.presets.save(Source("test"), HOSTILE[:60])

    stage.call(load)
    page.get_by_role("button", name=f"Model: {HOSTILE}", exact=True).wait_for()
    page.get_by_role("button", name=f"Preset: {HOSTILE[:60]}").wait_for()
    page.get_by_role("slider", name=HOSTILE).first.wait_for()
    page.get_by_role("button", name=f"Model: {HOSTILE}", exact=True).click()
    page.get_by_role("dialog").get_by_text(HOSTILE).wait_for()
    assert page.locator("img, body script").count() == 0
    assert page.title() != "owned"


def test_presets_and_snapshots(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """Load, change, save, save under a new name, recall a snapshot."""
    page = open_page()
    page.get_by_role("button", name="Preset: ").click()
    page.get_by_role("dialog").get_by_role("button", name="7 Lead").click()
    page.get_by_role("button", name="Preset: Lead").wait_for()
    page.get_by_role("slider", name="Mid", exact=True).focus()
    page.keyboard.press("End")
    page.get_by_text("changed", exact=True).wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    stage.until(lambda: rig.presets.kept[7].positions.get("mid") == 1.0)
    page.get_by_role("button", name="Store").click()
    page.get_by_role("button", name="Snapshot 2").click()
    page.keyboard.press("Escape")
    page.get_by_role("slider", name="Mid", exact=True).focus()
    page.keyboard.press("Home")
    stage.until(lambda: rig.controller.position("mid") == 0.0)
    page.get_by_role("button", name="Snapshot 2").click()
    stage.until(lambda: rig.controller.position("mid") == 1.0)
    page.get_by_role("button", name="More…").click()
    page.get_by_role("button", name="Save as a new preset…").click()
    page.get_by_role("textbox", name="Name").fill("Solo")
    page.get_by_role("textbox", name="Name").press("Enter")
    page.get_by_role("button", name="Preset: Solo").wait_for()
    assert rig.presets.kept[1].name == "Solo"
    # Another preset is loaded while the dialog is open.
    page.get_by_role("button", name="More…").click()
    page.get_by_role("button", name="Rename…").click()
    stage.call(lambda: rig.controller.presets.load(7, Source("midi")))
    page.get_by_role("textbox", name="Name").fill("Solo 2")
    page.get_by_role("textbox", name="Name").press("Enter")
    stage.until(lambda: rig.presets.kept[1].name == "Solo 2")
    assert rig.presets.kept[7].name == "Lead"
    # The key that saved it has not pressed the button that has the focus again.
    assert page.get_by_role("dialog").count() == 0


def test_files_go_both_ways(
    open_page: Open, stage: Stage, rig: MemoryRig, tmp_path: Path, expected: list[str]
) -> None:
    """A model, a preset that was downloaded, and a file that is no model."""
    page = open_page()
    stage.call(lambda: rig.controller.presets.load(7, Source("test")))
    page.get_by_role("button", name="Preset: Lead").wait_for()
    page.get_by_role("button", name="More…").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    preset = tmp_path / download.value.suggested_filename
    download.value.save_as(preset)
    assert preset.name == "007-Lead.yaml"
    model = tmp_path / "My Amp.json"
    model.write_text("{}")
    page.locator("#files").set_input_files([model, preset])
    page.get_by_text("Model added: My Amp").wait_for()
    page.get_by_text("Preset added: Lead 2").wait_for()
    assert rig.added == {"My Amp": b"{}"}
    assert rig.presets.kept[1].name == "Lead 2"
    expected.append("status of 422")
    rig.add_error = ModelError("", "model_data.unit_type: a text is expected")
    page.locator("#files").set_input_files([model])
    page.get_by_role("alert").get_by_text("model_data.unit_type: a text is expected").wait_for()


def test_files_are_dropped_anywhere(open_page: Open, rig: MemoryRig) -> None:
    """As from a file manager."""
    page = open_page()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["{}"], "dropped.json"));
          const options = { dataTransfer: data, bubbles: true, cancelable: true };
          dispatchEvent(new DragEvent("dragenter", options));
          dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    page.get_by_text("Model added: dropped").wait_for()
    assert rig.added == {"dropped": b"{}"}


def test_the_tuner_fills_the_screen(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """Also where a footswitch turned it on; closing it turns it off for everybody."""
    page = open_page("phone")
    stage.call(lambda: rig.controller.set("tuner/enable", 1.0, Source("midi")))
    page.get_by_role("dialog", name="Tuner").wait_for()

    def hear() -> None:
        rig.tuned = TunerReading("E2", -2.0, 82.3)
        rig.events.publish(rig.tuned)

    stage.call(hear)
    page.wait_for_selector('[aria-valuetext="E2, in tune"]')
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    stage.until(lambda: rig.controller.position("tuner/enable") == 0.0)
    page.get_by_role("dialog", name="Tuner").wait_for(state="hidden")


def test_levels_and_problems_are_shown(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """With what helps; a problem that is over is gone."""
    page = open_page()

    def change(state: str, clips: int) -> None:
        rig.state = state
        rig.levels = Meters(-6.0, -12.0, clips)
        rig.events.publish(StateChanged(state, ""))
        rig.events.publish(rig.levels)

    stage.call(lambda: change("no_device", 4))
    page.wait_for_selector('[aria-label="In level"][aria-valuenow="-6"]')
    page.get_by_role("button", name="Clipped 4 times. Reset").wait_for()
    problems = page.get_by_role("list", name="Problems")
    problems.get_by_text("The sound card is not connected.").wait_for()
    stage.call(lambda: change("running", 4))
    problems.get_by_text("The sound card is not connected.").wait_for(state="detached")

    def reduce(words: str) -> None:
        rig.reduced = words
        rig.events.publish(QualityChanged(words))

    stage.call(lambda: reduce("size, reverb, overload"))
    text = "The machine is too slow: the model plays in a smaller size, the reverb is simpler."
    problems.get_by_text(text).wait_for()
    problems.get_by_text("The machine is too slow, and nothing is left to reduce.").wait_for()
    stage.call(lambda: reduce(""))
    problems.get_by_text(text).wait_for(state="detached")


def test_a_control_is_learned_and_removed(open_page: Open, stage: Stage, rig: MemoryRig) -> None:
    """Where there is MIDI: choose what it is to do, move it, see it in the list."""

    class Backend:
        """Learns when the test says so."""

        def __init__(self) -> None:
            self.bound = [MidiBinding("preset/next", "cc 61", "", is_default=True)]
            self.job: Job | None = None

        def bindings(self) -> list[MidiBinding]:
            return self.bound

        def ports(self) -> list[str]:
            return ["FCB1010 <b>"]

        def check_target(self, target: str, how: str) -> str:
            return target

        def learn(self, target: str, how: str, job: Job) -> None:
            self.job = job

        def cancel(self) -> None:
            """Not asked for here."""

        def unlearn(self, which: Unbound, job: Job) -> None:
            self.bound = [one for one in self.bound if not which.has(one)]
            rig.controller.midi.changed(MidiListChanged(len(self.bound), 1))
            job.finish(which.target)

    backend = Backend()
    stage.call(lambda: rig.controller.midi.attach(backend))
    try:
        page = open_page("phone")
        page.get_by_text("Connected: FCB1010 <b>").wait_for()
        page.get_by_label("What a control is to do").select_option("Bass")
        page.get_by_role("button", name="Learn").click()
        page.get_by_text("Move the control that is to do this: Bass").wait_for()

        def move() -> None:
            assert backend.job is not None
            backend.bound.insert(0, MidiBinding("bass", "cc 20", "FCB1010"))
            rig.controller.midi.changed(MidiListChanged(1, 1))
            backend.job.finish("bass")

        stage.call(move)
        page.get_by_role("button", name="Remove cc 20 from Bass").click()
        page.get_by_role("button", name="Remove cc 20 from Bass").wait_for(state="detached")
        assert [one.target for one in backend.bound] == ["preset/next"]
        assert page.get_by_role("button", name="Remove cc 61 from Next preset").count() == 0
        page.get_by_text("cc 61 · default").wait_for()
        backend.bound.insert(0, MidiBinding("gain", "cc 21", "FCB1010"))
        stage.call(lambda: rig.controller.midi.changed(MidiListChanged(1, 1)))
        page.get_by_role("button", name="Remove cc 21 from").wait_for()
    finally:
        stage.call(lambda: rig.controller.midi.attach(None))


def test_a_restart_with_another_model_needs_no_reload(open_page: Open, stage: Stage) -> None:
    """The page says that it is disconnected, connects again and has the new knobs."""
    page = open_page()
    assert page.get_by_role("slider", name="Presence").count() == 0
    page.get_by_role("slider", name="Bass", exact=True).focus()
    before = stage.rig
    stage.call(lambda: before.controller.set("tuner/enable", 1.0, Source("midi")))
    tuner = page.get_by_role("dialog", name="Tuner")
    tuner.wait_for()
    stage.stop()
    # A dialog covers the page's own note.
    tuner.get_by_text("Not connected to nemod.").wait_for()
    tuner.get_by_role("button", name="Close").click()
    tuner.wait_for(state="hidden")
    page.locator("#offline").wait_for()
    assert page.evaluate("document.getElementById('main').inert")
    other = MemoryRig()
    other.names, other.model_name = ("Other",), "Other"
    stage.start(other, knobs=["Drive", "Volume", "Presence"])
    try:
        page.get_by_role("slider", name="Presence", exact=True).wait_for()
        page.get_by_role("button", name="Model: Other").wait_for()
        page.locator("#offline").wait_for(state="hidden")
        page.get_by_role("slider", name="Drive", exact=True).focus()
        page.keyboard.press("End")
        stage.until(lambda: other.controller.position("gain") == 1.0)
    finally:
        stage.stop()
        stage.start(before)


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_axe_finds_nothing_serious(open_page: Open, stage: Stage, size: str) -> None:
    """Neither on the page with a split nor, on a phone, in its dialogs."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    branches = {"a": [{"model2": {"file": "fuzz"}}], "b": []}
    model = {"model": {"file": "Amp Clean"}}
    stage.call(lambda: stage.rig.use_chain("gate", model, {"split": branches}, "reverb"))
    page = open_page(size, reduced_motion="reduce")

    def check() -> None:
        found = axe.run(page).response["violations"]
        assert [(one["id"], one["impact"], one["nodes"][0]["target"]) for one in found] == []

    check()
    if size != "phone":
        return
    page.get_by_role("button", name="Model: Amp Clean").click()
    page.get_by_role("dialog", name="Model").wait_for()
    check()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Gate: move, replace, remove").click()
    page.get_by_role("dialog", name="Gate").wait_for()
    check()
    page.keyboard.press("Escape")
    page.get_by_role("switch", name="Tuner", exact=True).click()
    page.get_by_role("dialog", name="Tuner").wait_for()
    check()


def test_everything_fits_a_small_phone_and_a_thumb(open_page: Open) -> None:
    """Nothing is wider than 320 pixels; what is tapped is 44 pixels high."""
    page = open_page("phone")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, select, [role=slider], label.action")]
          .filter((one) => one.checkVisibility() && !one.matches(".knob .value"))
          .map((one) => [one.ariaLabel || one.textContent, one.getBoundingClientRect()])
          .filter(([, box]) => box.height < 44 || box.width < 30)
          .map(([name, box]) => `${name} ${box.width} x ${box.height}`)"""
    )
    assert small == []


def test_a_model_of_several_sizes_has_a_control_for_it(
    open_page: Open, stage: Stage, rig: MemoryRig
) -> None:
    """Other models have none."""
    page = open_page()
    knob = page.locator("#model").get_by_role("slider", name="Model size")
    assert knob.count() == 0

    def load(sizes: int) -> None:
        rig.info = {"sizes": sizes}
        rig.events.publish(ModelChanged(rig.model_name, Source("test")))

    stage.call(lambda: load(3))
    knob.focus()
    page.keyboard.press("PageDown")
    stage.until(lambda: rig.size == pytest.approx(0.9, abs=0.01))
    page.locator('#board [aria-label="Model size"][aria-valuetext="90 %"]').wait_for()
    stage.call(lambda: load(1))
    knob.wait_for(state="hidden")


def test_the_page_is_small_and_loads_nothing_from_elsewhere(
    open_page: Open, stage: Stage, expected: list[str]
) -> None:
    """150 kB in all; the policy of the page forbids everything else."""
    assert PageFiles().size < 150_000
    page = open_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.reload()
    page.wait_for_selector("body:not(.loading)")
    assert seen
    assert all(url.startswith(stage.url) for url in seen)
    loaded = {url.removeprefix(stage.url + "page/") for url in seen if "/page/" in url}
    scripts = {path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("js/*.js")}
    assert scripts <= loaded
    expected.append("TrustedScript")
    # A script that something has put into the page does not run.
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.text = "document.title = 'owned'"; } catch { return; }
          document.head.append(script);
        }"""
    )
    assert page.title() != "owned"


def test_a_new_slot_needs_no_new_code(open_page: Open) -> None:
    """Slots, labels and ranges are read from the tree, in the chain's order."""
    page = open_page()
    slots, others, named = page.evaluate(
        """async () => {
          const { Tree } = await import("/page/js/tree.js");
          const number = (path, min, max) => ({ FULL_PATH: `/nemo/${path}`, TYPE: "f", ACCESS: 3,
            RANGE: [{ MIN: min, MAX: max }], DEFAULT_VALUE: [0.25] });
          const enable = (path) => ({ FULL_PATH: `/nemo/${path}`, TYPE: "T", ACCESS: 3,
            RANGE: [{ VALS: [false, true] }] });
          const text = (label) => ({ TYPE: "s", ACCESS: 1, DESCRIPTION: label });
          const within = (contents) => ({ CONTENTS: contents });
          const file = { TYPE: "s", ACCESS: 1 };
          const chain = ["chorus", { amp: { kind: "model", file: "muff" } }, "model2"];
          const tree = new Tree(within({
            gain: number("gain", 0, 1),
            chorus: within({ enable: enable("chorus/enable"), rate: number("chorus/rate", 0, 1) }),
            amp: within({ gain: number("amp/gain", 0, 1) }),
            model2: within({ gain: number("model2/gain", 0, 1), load: file, current: file,
              list: file }),
            lfo: within({ rate: number("lfo/rate", 0, 1) }),
            chain: within({ slots: { VALUE: [JSON.stringify(chain)] },
              kinds: { VALUE: [JSON.stringify({ model: "Model", chorus: "Chorus" })] } }),
            text: within({ gain: text("Gain"), lfo: within({ rate: text("LFO rate") }),
              chorus: within({ enable: text("Chorus"), rate: text("Chorus rate") }),
              amp: within({ gain: text("Gain") }),
              model2: within({ gain: text("Gain (model2)") }) }),
          }));
          const row = (one) => [one.label, one.short, one.kind, one.default];
          const card = (slot) => [slot.name, slot.label, slot.files, slot.enable?.label ?? null,
            slot.parameters.map(row)];
          return [tree.places.map((place) => card(tree.slot(place))),
            tree.others(new Set(["gain"])).map(card), tree.named()];
        }"""
    )
    assert slots == [
        ["chorus", "Chorus", None, "Chorus", [["Chorus rate", "Rate", "number", 0.25]]],
        ["amp", "Amp", None, None, [["Amp: Gain", "Gain", "number", 0.25]]],
        ["model2", "Model 2", "model2", None, [["Model 2: Gain", "Gain", "number", 0.25]]],
    ]
    assert others == [["lfo", "Lfo", None, None, [["LFO rate", "Rate", "number", 0.25]]]]
    # A control is offered for learning once, by its shortest path.
    assert named == [
        ["gain", "Gain"],
        ["lfo/rate", "LFO rate"],
        ["chorus/enable", "Chorus"],
        ["chorus/rate", "Chorus rate"],
        ["model2/gain", "Model 2: Gain"],
    ]


def test_osc_of_the_page_is_that_of_other_programs(open_page: Open) -> None:
    """What it packs, nemod's strict parser reads; what python-osc packs, it reads."""
    page = open_page()
    packed = page.evaluate(
        """async () => {
          const { encode } = await import("/page/js/osc.js");
          return [...encode("/nemo/tëst", "fsiTF", [0.25, "grün", -7])];
        }"""
    )
    message = decode(bytes(packed)).root
    assert isinstance(message, Message)
    assert (message.address, message.tags) == ("/nemo/tëst", "fsiTF")
    assert message.values[:3] == (0.25, "grün", -7)
    packet = write("/nemo/x", ("f", 0.5), ("i", -3), ("s", "grün"), ("T", True), ("d", 2.0))
    wrong = [packet[:-4], packet + bytes(4), packet[:-1], b"#bundle\0" + bytes(8), b"\0\0\0\0", b""]
    read = page.evaluate(
        """async ([right, wrong]) => {
          const { decode } = await import("/page/js/osc.js");
          const bytes = (list) => new Uint8Array(list).buffer;
          const fails = (list) => {
            try { decode(bytes(list)); } catch { return true; }
            return false;
          };
          return [decode(bytes(right)), wrong.map(fails)];
        }""",
        [list(packet), [list(one) for one in wrong]],
    )
    assert read == [{"address": "/nemo/x", "values": [0.5, -3, "grün", True, 2]}, [True] * 6]


def test_each_request_is_over_when_it_is_answered(open_page: Open) -> None:
    """Also one that others supersede; two at one address end in their order."""
    overs = open_page().evaluate("""async () => {
      const { Store } = await import("/page/js/store.js");
      const store = new Store();
      store.connection = { isOpen: true, send: () => true };
      const overs = [];
      const start = (name) => store.start("/a", () => overs.push(name));
      start("superseded by another client");
      store.receive("/nemo/error", ["busy", "/a", ""]);
      start("older");
      start("newer");
      store.receive("/nemo/error", ["busy", "/a", ""]);
      overs.push("one is under way");
      store.receive("/nemo/done", ["/a", ""]);
      return overs;
    }""")
    assert overs == ["superseded by another client", "older", "one is under way", "newer"]


def test_a_connection_survives_two_wake_ups_and_one_that_is_dead_does_not(open_page: Open) -> None:
    """An answer may take a moment."""
    lost = open_page().evaluate("""async () => {
      const { Connection } = await import("/page/js/connection.js");
      let lost = 0;
      const connection = new Connection("", { closed: () => { lost += 1; } });
      connection.connect = () => {};
      connection.socket = { send: () => {}, close: () => {} };
      connection.isOpen = true;
      connection.wake();
      connection.wake();
      connection.check();
      const before = lost;
      connection.askedMs -= 2500;
      connection.check();
      return [before, lost];
    }""")
    assert lost == [0, 1]

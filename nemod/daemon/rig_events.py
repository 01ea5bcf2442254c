"""Events about the files of a rig, slot by slot. Thread: control."""

from nemod.chain import MODEL
from nemod.control.backends import CLEAN, NO_FILE, RigFiles, RigPlan, SlotFile
from nemod.control.events import DAEMON, CabinetChanged, EventStream, ModelChanged, Source


def publish_files(events: EventStream, rig: RigFiles, source: Source) -> None:
    """Publish which file plays in each slot."""
    for slot in rig.slots:
        _publish(events, rig, slot, source)


def publish_changed_files(
    events: EventStream, before: RigFiles, plan: RigPlan, source: Source, requested: str
) -> None:
    """Publish the files of slots where another one plays than before, or that were asked for.

    `requested`: the slot that a request was about; empty for more than one.
    """
    rig = plan.rig
    for slot in rig.slots:
        held: tuple[float | None, SlotFile] = None, NO_FILE
        if slot in before.chain:
            held = (before.chain[slot].size, before.file(slot))
        is_other = held != (rig.chain[slot].size, rig.file(slot))
        is_model = rig.chain[slot].kind == MODEL
        is_asked = slot in plan.fills or source == DAEMON if is_model else requested == slot
        if is_other or is_asked:
            _publish(events, rig, slot, source)


def _publish(events: EventStream, rig: RigFiles, slot: str, source: Source) -> None:
    name = rig.file(slot).name
    if rig.chain[slot].kind == MODEL:
        events.publish(ModelChanged(name or CLEAN, source, slot))
    else:
        events.publish(CabinetChanged(name, source, slot))

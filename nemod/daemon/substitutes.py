"""What plays where not all that is wanted can: which slots are left empty."""

from collections.abc import Callable
from dataclasses import replace

import structlog

from nemod.builder.messages import BuildResult
from nemod.chain import CABINET, DEFAULT_CHAIN, MODEL
from nemod.control.backends import CLEAN, NO_FILE, RigChange, RigFiles, RigPlan
from nemod.control.events import DAEMON, Source
from nemod.daemon.build_ahead import BuildAhead, UnplayableError

log = structlog.get_logger("nemod")


def main_slot(rig: RigFiles) -> str:
    """Return the name of the first model slot, or nothing."""
    first = rig.chain.first(MODEL)
    return "" if first is None else first.name


def change_to(rig: RigFiles) -> RigChange:
    """Return the change to a rig, whatever plays."""

    def change(_rig: RigFiles) -> RigPlan:
        return RigPlan(subject=rig.first(MODEL).name or CLEAN, rig=rig)

    return change


def dispensable(plan: RigPlan, error: UnplayableError, source: Source) -> list[str]:
    """Return the slots that are to be left empty so that a rig plays after all; may be none.

    Nobody has asked for the cabinet of a rig whose model is changed: its file may be gone since.
    And something has to play at the start and on another device, whatever the reason.
    """
    spare = [slot for slot in plan.rig.paths if slot not in plan.fills]
    if source != DAEMON:
        return [s for s in spare if s == error.slot and plan.rig.chain[s].kind == CABINET]
    main = main_slot(plan.rig)
    return [slot for slot in spare if slot != main and error.slot in (slot, "")]


async def build_without_faulty(
    rigs: BuildAhead,
    plan: RigPlan,
    source: Source,
    *,
    on_unplayable: Callable[[RigPlan, UnplayableError], None],
) -> tuple[RigPlan, BuildResult]:
    """Return the rig of a plan, without the files at fault that it can do without.

    `on_unplayable(plan, error)` is called where files are left out. Raises: UnplayableError.
    """
    while True:
        try:
            return plan, await rigs.build(plan)
        except UnplayableError as error:
            dropped = dispensable(plan, error, source)
            if not dropped:
                raise
            for slot in dropped:
                name = plan.rig.file(slot).name
                log.warning("slot left empty", slot=slot, file=name, reason=str(error))
            on_unplayable(plan, error)
            rig = plan.rig
            for slot in dropped:
                rig = rig.with_file(slot, NO_FILE)
            plan = replace(plan, rig=rig)


def bare(rig: RigFiles) -> RigFiles | None:
    """Return what plays where a rig ends the process that plays it; None where nothing is left.

    The same chain without files, or else the default one: either may be the cause.
    """
    other = rig.without_files if rig.paths else RigFiles(chain=DEFAULT_CHAIN)
    return None if other == rig else other

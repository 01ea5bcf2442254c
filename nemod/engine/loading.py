"""From a compiled rig, as it was shipped, to a `LoadedRig`. Thread: any but the audio thread."""

from collections.abc import Callable

from nemod.engine.active_rig import LoadedRig
from nemod.engine.compiled_rig import AnyCompiledRig, CompiledRig, CompiledStep, CompiledSteps
from nemod.engine.program import Program, fresh_state, load_program, on_device
from nemod.engine.resampled import MODEL_BLOCK_FRAMES
from nemod.engine.steps import load_steps
from nemod.engine.tails import tails_of

Fetch = Callable[[CompiledRig, int], Program]
"""(rig or part of one, frames) -> its loaded program"""


def load_part(part: CompiledRig, frames: int) -> Program:
    """Return the program of a rig, or of a part of one."""
    return load_program(part, frames)


def load_rig(rig: AnyCompiledRig, block_frames: int, fetch: Fetch = load_part) -> LoadedRig:
    """Return the rig, ready to be called; `fetch` may return programs that are already loaded."""
    if isinstance(rig, CompiledSteps):
        programs = [fetch(step.program, step_frames(step, block_frames)) for step in rig.steps]
        return load_steps(rig, programs)
    return LoadedRig(
        call=fetch(rig, block_frames).call,
        weights=on_device(rig.weights),
        controls=rig.controls,
        fresh=lambda: fresh_state(rig),
        tails=lambda state: tails_of(rig, state.arrays),
    )


def step_frames(step: CompiledStep, block_frames: int) -> int:
    """Return the block size of a step's program."""
    return block_frames if step.conversion is None else MODEL_BLOCK_FRAMES

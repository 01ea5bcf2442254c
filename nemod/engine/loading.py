"""From a `CompiledRig`, as it was shipped, to a `LoadedRig`. Thread: any but the audio thread."""

from collections.abc import Callable

from nemod.engine.active_rig import LoadedRig
from nemod.engine.compiled_rig import AnyCompiledRig, CompiledResampledRig, CompiledRig
from nemod.engine.program import Program, fresh_state, load_program, on_device
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, load_resampled
from nemod.engine.tails import tails_of

Fetch = Callable[[CompiledRig, int], Program]
"""(rig or part of one, frames) -> its loaded program"""


def load_part(part: CompiledRig, frames: int) -> Program:
    """Return the program of a rig, or of a part of one."""
    return load_program(part, frames)


def load_rig(rig: AnyCompiledRig, block_frames: int, fetch: Fetch = load_part) -> LoadedRig:
    """Return the rig, ready to be called; `fetch` may return programs that are already loaded."""
    if isinstance(rig, CompiledResampledRig):
        front, model, *others = rig.parts
        programs = [
            fetch(front, block_frames),
            fetch(model, MODEL_BLOCK_FRAMES),
            *(fetch(part, block_frames) for part in others),
        ]
        return load_resampled(rig, programs)
    return LoadedRig(
        call=fetch(rig, block_frames).call,
        weights=on_device(rig.weights),
        controls=rig.controls,
        fresh=lambda: fresh_state(rig),
        tails=lambda state: tails_of(rig, state.arrays),
    )

"""A rig as it was shipped, to a rig that can be called. Thread: any but the audio thread."""

from collections.abc import Callable

from nemod.engine.ipc import ResampledRig, Rig
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, load_resampled
from nemod.engine.rig import Loaded, Program, load_program, on_device

Fetch = Callable[[Rig, int], Program]
"""(rig or part of one, frames) -> its loaded program"""


def load_part(part: Rig, frames: int) -> Program:
    """Return the program of a rig, or of a part of one."""
    return load_program(part.executable, len(part.weights), len(part.state), frames)


def load_rig(rig: Rig | ResampledRig, block_frames: int, fetch: Fetch = load_part) -> Loaded:
    """Return the rig ready to be played; `fetch` may keep programs that were loaded before."""
    if isinstance(rig, ResampledRig):
        front, model, back = rig.parts
        programs = (
            fetch(front, block_frames),
            fetch(model, MODEL_BLOCK_FRAMES),
            fetch(back, block_frames),
        )
        return load_resampled(rig, programs)
    return Loaded(
        call=fetch(rig, block_frames).call,
        weights=on_device(rig.weights),
        controls=rig.controls,
        fresh=lambda: on_device(rig.state),
    )

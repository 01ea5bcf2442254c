"""A rig of several programs, which are called one after the other for every block.

A program per model, and one per run of effects between them. Each takes one signal, or several: the
branches of a split, or the dry signal for the bypass. Signals that meet are aligned by delay lines
where models on their ways have latency. A model that cannot run at the device's rate runs between
two resamplers.
"""

from collections.abc import Sequence

import numpy as np

from nemod.engine.active_rig import Call, Frames, LoadedRig, RigState, RigWeights
from nemod.engine.compiled_rig import CompiledStep, CompiledSteps, Tap
from nemod.engine.program import Program, fresh_state, on_device
from nemod.engine.resampled import MODEL_BLOCK_FRAMES, RateConverter
from nemod.engine.tails import Tails, tails_of


class DelayLine:
    """Delays a signal by a fixed number of frames. Thread: audio."""

    def __init__(self, frames: int) -> None:
        """Start with silence."""
        self._queue: Frames = np.zeros(frames, np.float32)

    def delayed(self, block: Frames) -> Frames:
        """Return the block [frames] that came as many frames before."""
        queue = np.concatenate([self._queue, block])
        self._queue = queue[block.size :]
        return queue[: block.size]


class _StepState:
    """The state of one step. Thread: one at a time."""

    __slots__ = ("_converter", "_delays", "_given", "memory")

    def __init__(self, step: CompiledStep, block_frames: int) -> None:
        self.memory = fresh_state(step.program)
        self._converter = None if step.conversion is None else RateConverter(step.conversion)
        self._delays = [
            DelayLine(tap.delay_frames) if tap.delay_frames else None for tap in step.inputs
        ]
        self._given: Frames = np.zeros((len(step.inputs), block_frames), np.float32)

    def gather(self, inputs: Sequence[Tap], signals: Sequence[Frames]) -> Frames:
        """Return what the step takes: a signal [frames], or several [signals, frames], aligned."""
        if len(inputs) == 1:
            return signals[inputs[0].signal]
        for row, tap, delay in zip(self._given, inputs, self._delays, strict=True):
            signal = signals[tap.signal]
            row[:] = signal if delay is None else delay.delayed(signal)
        return self._given

    def play(self, call: Call, weights: RigWeights, controls: Frames, given: Frames) -> Frames:
        """Return the output of the step."""
        converter = self._converter
        if converter is None:
            self.memory, sound = call(weights, controls, self.memory, given)
            return sound
        converter.push_input(given)
        pieces = []
        while converter.input_queue.size >= MODEL_BLOCK_FRAMES:
            piece = converter.pop_input()
            self.memory, sound = call(weights, controls, self.memory, piece)
            pieces.append(sound)
        converter.push_output(pieces)
        return converter.pop_output(given.size)


class _StepsState:
    """The state of a rig."""

    __slots__ = ("controls", "steps")

    def __init__(self, rig: CompiledSteps) -> None:
        self.steps = [_StepState(step, rig.block_frames) for step in rig.steps]
        self.controls: Frames = np.ones(rig.controls.size + 1, np.float32)
        """Those of a block, then 1, for controls that stay there."""


def load_steps(rig: CompiledSteps, programs: Sequence[Program]) -> LoadedRig:
    """Return the rig, ready to be called; `programs` are those of its steps."""
    columns = [np.array(step.controls, np.intp) for step in rig.steps]
    plan = tuple(zip(rig.steps, programs, columns, strict=True))

    def call(
        weights: RigWeights, controls: Frames, state: RigState, block: Frames
    ) -> tuple[RigState, Frames]:
        state.controls[:-1] = controls
        signals = [block]
        for (step, program, own), its_weights, memory in zip(
            plan, weights, state.steps, strict=True
        ):
            given = memory.gather(step.inputs, signals)
            signals.append(memory.play(program.call, its_weights, state.controls[own], given))
        return state, signals[-1]

    def tails(state: RigState) -> Tails:
        found: Tails = {}
        for step, memory in zip(rig.steps, state.steps, strict=True):
            found |= tails_of(step.program, memory.memory.arrays)
        return found

    return LoadedRig(
        call=call,
        weights=[on_device(step.program.weights) for step in rig.steps],
        controls=rig.controls,
        fresh=lambda: _StepsState(rig),
        tails=tails,
    )

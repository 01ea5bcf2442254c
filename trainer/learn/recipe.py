"""`Recipe`: network, loss, optimisation and stopping of a training run."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from nemod.common.errors import ConfigError, did_you_mean

ARCHITECTURES = ("gru", "lstm", "cnn")
SCHEDULES = ("cosine", "plateau", "constant")
PRE_EMPHASES = ("none", "first-order", "a-weight")
ACTIVATIONS = ("tanh", "relu", "sigmoid", "elu")
STFT_FRAMES = 1200
"""Longest window of the STFT term: a shorter chunk would omit that resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of a training run; every field has a plain JSON value."""

    # Network
    arch: str = "gru"
    """One of `ARCHITECTURES`."""
    hidden: int = 40
    """Units of a recurrent layer."""
    layers: int = 1
    """Recurrent layers."""
    skip: bool = True
    """Whether the input is added to the output."""
    channels: int = 16
    """Channels of a convolution (cnn)."""
    kernel: int = 3
    """Taps of a convolution (cnn)."""
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    """Dilation of each convolution (cnn); one layer is the paper's."""
    activation: str = "tanh"
    """One of `ACTIVATIONS` (cnn)."""

    # Loss
    esr_weight: float = 0.75
    dc_weight: float = 0.25
    stft_weight: float = 0.0
    """Weight of the multi-resolution STFT term."""
    pre_emphasis: str = "first-order"
    """One of `PRE_EMPHASES`."""
    energy_floor: float = 0.01
    """Least energy by which an error is divided, relative to the mean of the training targets."""

    # Optimisation
    level_knob: str = ""
    """Name of a knob that only scales the output in proportion to its position, as a linear volume
    control does: each segment is trained at a random position and scaled accordingly."""
    batch: int = 32
    """Number of segments per batch."""
    segment_frames: int = 5_632
    """Frames of a segment, including the warm-up."""
    warmup_frames: int = 512
    """Frames at the start of a segment that only initialise the state."""
    chunk_frames: int = 512
    """Frames of one step of truncated back-propagation; the state is carried over."""
    learning_rate: float = 5e-3
    final_rate: float = 0.01
    """Lowest learning rate, as a share of `learning_rate` (cosine, plateau)."""
    schedule: str = "cosine"
    """One of `SCHEDULES`."""
    ramp: float = 0.02
    """Share of the run over which the learning rate rises from 0."""
    plateau_validations: int = 10
    """Validations without a better model after which the learning rate is halved (plateau)."""
    clip: float = 1.0
    """Largest norm of the gradient; larger ones are scaled down."""
    seed: int = 1

    # Stopping
    epochs: int = 1_000
    """Passes over the training data, if `minutes` is 0."""
    minutes: float = 0.0
    """Wall time after which training ends, instead of `epochs`; 0: `epochs` applies."""
    patience: int = 0
    """Validations without a better model after which training ends; 0: no limit."""
    validate_every: int = 1
    """Epochs from one validation to the next."""

    def __post_init__(self) -> None:
        """Raise ConfigError with all invalid values."""
        problems = list(_problems(self))
        if problems:
            raise ConfigError("recipe", problems)

    @property
    def size(self) -> int:
        """Hidden units, or channels of a CNN."""
        return self.channels if self.arch == "cnn" else self.hidden

    @property
    def chosen_by(self) -> tuple[float, float]:
        """Weights of ESR and DC in the validation loss; the defaults if the loss is STFT only."""
        if self.esr_weight or self.dc_weight:
            return self.esr_weight, self.dc_weight
        return 0.75, 0.25


def _problems(recipe: Recipe) -> Iterator[str]:
    for name, allowed in (
        ("arch", ARCHITECTURES),
        ("schedule", SCHEDULES),
        ("pre_emphasis", PRE_EMPHASES),
        ("activation", ACTIVATIONS),
    ):
        value = getattr(recipe, name)
        if value not in allowed:
            near = did_you_mean(str(value), allowed)
            yield f"{name} {value!r}, expected {', '.join(allowed)}{near}"
    for name, low, high in (
        ("hidden", 1, 1024),
        ("layers", 1, 16),
        ("channels", 1, 1024),
        ("kernel", 1, 4096),
        ("batch", 1, 65_536),
        ("chunk_frames", 64, 1 << 24),
        ("warmup_frames", 0, 1 << 24),
        ("epochs", 1, 1 << 31),
        ("plateau_validations", 1, 1 << 31),
        ("patience", 0, 1 << 31),
        ("validate_every", 1, 1 << 31),
        ("seed", 0, 1 << 62),
        ("esr_weight", 0.0, 1e6),
        ("dc_weight", 0.0, 1e6),
        ("stft_weight", 0.0, 1e6),
        ("energy_floor", 1e-9, 1e6),
        ("learning_rate", 1e-9, 10.0),
        ("final_rate", 0.0, 1.0),
        ("ramp", 0.0, 1.0),
        ("clip", 1e-9, 1e9),
        ("minutes", 0.0, 1e7),
    ):
        value = getattr(recipe, name)
        if not low <= value <= high:
            yield f"{name} {value}, expected {low} to {high}"
    if not recipe.dilations or any(not 1 <= one <= 65_536 for one in recipe.dilations):
        yield f"dilations {recipe.dilations}, expected at least one, each 1 to 65536"
    if recipe.segment_frames < recipe.warmup_frames + recipe.chunk_frames:
        yield (
            f"segment_frames {recipe.segment_frames}, expected at least warmup_frames + "
            f"chunk_frames = {recipe.warmup_frames + recipe.chunk_frames}"
        )
    if recipe.stft_weight > 0.0 and recipe.chunk_frames < STFT_FRAMES:
        yield (
            f"chunk_frames {recipe.chunk_frames}, expected at least {STFT_FRAMES} where "
            "stft_weight is above 0 (the longest window of the STFT)"
        )
    if recipe.esr_weight + recipe.dc_weight + recipe.stft_weight <= 0.0:
        yield "esr_weight, dc_weight and stft_weight are all 0, expected at least one above 0"


def to_json(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as JSON values."""
    return {**asdict(recipe), "dilations": list(recipe.dilations)}


def read_recipe(path: Path, base: Recipe | None = None) -> Recipe:
    """Return the recipe of a JSON file or of a run's config.json; other fields are those of `base`.

    Raises: ConfigError for a file that cannot be read or is not a recipe.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from None
    if not isinstance(given, dict):
        raise ConfigError(str(path), ["is not a JSON object"])
    recipe = given.get("recipe", given)
    if not isinstance(recipe, dict):
        raise ConfigError(
            str(path), [f"recipe {recipe!r}, expected an object with recipe settings"]
        )
    return from_json(recipe, base)


def from_json(given: Mapping[str, object], base: Recipe | None = None) -> Recipe:
    """Return a recipe from JSON values; other fields are those of `base`.

    Raises: ConfigError for unknown names and for values of the wrong type.
    """
    hints = get_type_hints(Recipe)
    names = [field.name for field in fields(Recipe)]
    values = {name: getattr(base or Recipe(), name) for name in names}
    problems = []
    for name, value in given.items():
        if name not in hints:
            problems.append(f"{name!r} is not a recipe setting{did_you_mean(name, names)}")
            continue
        try:
            values[name] = _converted(value, hints[name])
        except (TypeError, ValueError, KeyError, OverflowError):
            problems.append(f"{name} {value!r}, expected {_expected(hints[name])}")
    if problems:
        raise ConfigError("recipe", problems)
    return Recipe(**values)


def _converted(value: Any, kind: Any) -> Any:
    if get_args(kind):
        parts = value.split(",") if isinstance(value, str) else value
        return tuple(int(part) for part in parts)
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return value if isinstance(value, bool) else words[str(value).lower()]
    if kind is int:
        whole = int(value)
        if whole != float(value):
            raise ValueError(value)
        return whole
    return kind(value)


def _expected(kind: Any) -> str:
    if get_args(kind):
        return "whole numbers separated by commas"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "text")

"""Activations by the names that Neural Amp Modeler's files use."""

from nemod.formats.network import Curve
from nemod.formats.readers.document import Node

NAMES = {
    "Tanh": "tanh",
    "Hardtanh": "hard_tanh",
    "Fasttanh": "fast_tanh",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "leaky_relu",
    "Sigmoid": "sigmoid",
    "SiLU": "silu",
    "Hardswish": "hard_swish",
    "LeakyHardtanh": "leaky_hard_tanh",
    "LeakyHardTanh": "leaky_hard_tanh",
    "Softsign": "softsign",
}


def curve(node: Node, channels: int) -> Curve:
    """Return the activation of a name, or of an object with `type` and its numbers."""
    details = node if isinstance(node.value, dict) else None
    named = details.child("type") if details else node
    word = named.text()
    if word not in NAMES:
        named.fail(f"an unknown activation {word[:60]!r}, expected {', '.join(NAMES)}")
    kind = NAMES[word]
    if kind == "leaky_relu":
        return Curve(kind, _slopes(details, channels, per_channel=word == "PReLU"))
    if kind == "leaky_hard_tanh":
        low, high = _number(details, "min_val", -1.0), _number(details, "max_val", 1.0)
        if low > high:
            node.fail(f"min_val {low:g} is above max_val {high:g}")
        slopes = (_number(details, "min_slope", 0.01), _number(details, "max_slope", 0.01))
        return Curve(kind, (low, high, *slopes))
    return Curve(kind)


def _slopes(details: Node | None, channels: int, per_channel: bool) -> tuple[float, ...]:
    many = details.optional("negative_slopes") if details and per_channel else None
    if details and many and not details.has("negative_slope"):
        slopes = [member.number() for member in many.sequence(1, channels)]
        if channels % len(slopes):
            many.fail(f"a list of {len(slopes)}, expected one for each of {channels} channels")
        return tuple(slopes * (channels // len(slopes)))
    return (_number(details, "negative_slope", 0.01),)


def _number(details: Node | None, key: str, default: float) -> float:
    node = details.optional(key) if details else None
    return node.number() if node else default

"""Chains for tests."""

from nemod.chain import DEFAULT_CHAIN, Chain, Slot, read_chain


def chain_of(
    model: str = "",
    *,
    sha256: str = "",
    size: float | None = None,
    cab: str = "",
    cab_sha256: str = "",
) -> Chain:
    """Return the default chain with these files in its slots."""
    chain = DEFAULT_CHAIN.with_slot(
        Slot(name="model", kind="model", file=model, sha256=sha256, size=size)
    )
    return chain.with_slot(Slot(name="cab", kind="cab", file=cab, sha256=cab_sha256))


BOARD = read_chain(
    [
        "gate",
        {"pedal": {"kind": "model", "file": "fuzz"}},
        {"split": {"a": [{"model2": {"file": "Amp Lead"}}, "cab"], "b": ["eq"]}},
        "delay",
        {"echo": {"kind": "delay"}},
        "reverb",
    ]
)
"""Two models, a split and two delays; the models are those of `tests.osc.conftest.MemoryRig`."""

"""Chains as data: which slots a rig has, in which order, and what is in them.

chain    slots, split, chain, and the default chain
reader   plain data (of YAML or JSON) -> chain, with every error named by its slot
writer   chain -> plain data
edit     chain -> chain with a slot added, removed, moved or replaced

Nothing here knows effects, parameters or files.
"""

from nemod.chain.chain import (
    CABINET,
    DEFAULT_CHAIN,
    DEFAULT_NAME,
    FILE_KINDS,
    KINDS,
    MAX_MODELS,
    MAX_SLOTS,
    MODEL,
    SPLIT,
    Chain,
    Slot,
    Split,
)
from nemod.chain.reader import ChainError, can_be_name, is_text, read_chain, read_leniently
from nemod.chain.writer import plain_chain

__all__ = [
    "CABINET",
    "DEFAULT_CHAIN",
    "DEFAULT_NAME",
    "FILE_KINDS",
    "KINDS",
    "MAX_MODELS",
    "MAX_SLOTS",
    "MODEL",
    "SPLIT",
    "Chain",
    "ChainError",
    "Slot",
    "Split",
    "can_be_name",
    "is_text",
    "plain_chain",
    "read_chain",
    "read_leniently",
]

"""`nemod check` of a chain: its slots with what they hold, and what each of them costs."""

from collections.abc import Iterator
from pathlib import Path

from nemod.chain import Chain, Split
from nemod.common.errors import ConfigError
from nemod.common.yaml_reader import read_yaml
from nemod.config import Config
from nemod.engine.devices.base import CLOCK_RATE_HZ
from nemod.presets.preset import CHAIN_KEY


def is_chain_file(path: Path) -> bool:
    """Return whether a YAML file holds a chain: a list, or a preset."""
    try:
        tree = read_yaml(path)
    except ConfigError:
        return False  # whoever reads it as something else says what is wrong
    return isinstance(tree, list) or (isinstance(tree, dict) and CHAIN_KEY in tree)


def check_chain(path: Path, config: Config, block_frames: int) -> Iterator[str]:
    """Yield lines that say what a chain holds and what it costs.

    Raises: NemodError for what is no chain or cannot be played, with the slot.
    """
    # Only here: jax takes a second to load.
    from nemod.builder.load_chain import find_chain, read_found
    from nemod.builder.messages import Level
    from nemod.cli.bench.slot_cost import chain_cost
    from nemod.library import CABINETS, Library

    found = find_chain(path, Library(config.library), Library(config.cabinets, kind=CABINETS))
    chain, files = found.chain, found.files
    level = Level(normalize=config.level.normalize, input_dbu=config.level.input_dbu)
    filled = read_found(found, level, default_size=config.size).filled
    outputs = max(1, len(config.audio.output))
    cost = chain_cost(filled, block_frames, outputs)
    period_us = 1e6 * block_frames / CLOCK_RATE_HZ
    yield f"{path}:"
    yield f"  chain: {line_of(chain)}"
    yield (
        f"  expected load: {cost.whole.median_us / period_us:.1%} of the time of {block_frames} "
        f"frames at {CLOCK_RATE_HZ} Hz, in {cost.programs} program"
        f"{'' if cost.programs == 1 else 's'}, to {outputs} output{'' if outputs == 1 else 's'} "
        "(every effect on, measured now on this machine)"
    )
    width = max(map(len, (*(slot.name for slot in chain), "without slots")))
    rows = [(slot.name, slot.kind, files.get(slot.name)) for slot in chain]
    for name, kind, file in rows:
        if name not in cost.slots:
            yield f"    {name:{width}}  empty"
            continue
        us = cost.slots[name]
        what = kind if file is None else f"{kind} {file.name}"
        yield f"    {name:{width}}  {us:7.1f} us  {us / period_us:6.1%}  {what}"
    us = cost.empty.median_us
    yield f"    {'without slots':{width}}  {us:7.1f} us  {us / period_us:6.1%}"
    us = cost.whole.median_us
    yield f"    {'all':{width}}  {us:7.1f} us  {us / period_us:6.1%}"


def line_of(chain: Chain) -> str:
    """Return the slots of a chain in one line: `gate, (a: model | b: model2), delay`."""
    places = []
    for place in chain.places:
        if isinstance(place, Split):
            a, b = (", ".join(slot.name for slot in branch) or "-" for branch in place.branches)
            places.append(f"{place.name} (a: {a} | b: {b})")
        else:
            places.append(place.name)
    return ", ".join(places) or "no slots"

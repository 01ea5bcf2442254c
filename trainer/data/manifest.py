"""Reads manifests: pairs of recordings with knob positions and splits."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from nemod.common.errors import did_you_mean
from trainer.data.faults import DataError, find
from trainer.data.files import existing
from trainer.data.plan import DEFAULT_CUT, SPLIT_WORDS, SPLITS, Part, Plan, Source

KEYS = (
    "name", "knobs", "defaults", "rate", "channel", "invert", "align", "lag", "split", "pairs",
    "made",
)  # fmt: skip
DRY_KEYS, WET_KEYS = ("dry", "input"), ("wet", "target", "output")
PAIR_KEYS = ("name", *DRY_KEYS, *WET_KEYS, "split", "knobs", "lag")
_PAIR_NAMES = [
    (*at, "[]", key) for at in (("pairs",), ()) for key in ("name", *DRY_KEYS, *WET_KEYS)
]
"""A manifest may be the list of pairs alone."""
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
MAX_LAG_FRAMES = 10_000_000


def refuse(where: str, problem: str) -> DataError:
    """Return the DataError for an invalid manifest."""
    return DataError([find("manifest", where, problem=problem)])


def is_name(at: tuple[str, ...]) -> bool:
    """Return whether a manifest expects a name at these keys.

    YAML reads some names as a number, a boolean or a date; there, the text as written is used.
    """
    return at in (("name",), ("knobs", "[]")) or at in _PAIR_NAMES


def read_manifest(tree: object, where: str, folder: Path, name: str) -> Plan:
    """Return the plan of a parsed manifest; its files are relative to `folder`.

    `where` names the manifest in messages; `name` is the default name of the set.

    Raises: DataError that names the key.
    """
    if isinstance(tree, list):
        tree = {"pairs": tree}
    if not isinstance(tree, Mapping) or not isinstance(tree.get("pairs"), list):
        raise refuse(where, f"a list `pairs` is expected (keys: {', '.join(KEYS)})")
    for key in tree:
        if key not in KEYS:
            near = did_you_mean(str(key), KEYS)
            raise refuse(where, f"{key}: unknown key{near}; allowed: {', '.join(KEYS)}")
    if not tree["pairs"]:
        raise DataError([find("no-data", where, looked="`pairs` is empty")])
    lag = _whole(tree.get("lag"), -MAX_LAG_FRAMES, MAX_LAG_FRAMES, where, "lag")
    sources = tuple(
        _source(entry, where, f"pairs[{index}]", folder, lag)
        for index, entry in enumerate(tree["pairs"])
    )
    given = tree.get("knobs")
    knobs = list(dict.fromkeys(knob for source in sources for knob in source.knobs))
    if given is not None:
        if not isinstance(given, list) or not all(isinstance(k, str) and k for k in given):
            raise refuse(where, "knobs: a list of names is expected")
        if len(set(given)) < len(given):
            raise refuse(where, "knobs: a name is listed twice")
        knobs = given
    return Plan(
        name=_text(tree.get("name", name), where, "name"),
        sources=sources,
        knobs=tuple(knobs),
        defaults=_defaults(tree.get("defaults", {}), knobs, where),
        cut=_cut(tree.get("split"), where),
        rate=_whole(tree.get("rate"), MIN_RATE_HZ, MAX_RATE_HZ, where, "rate"),
        channel=_whole(tree.get("channel", 1), 1, 256, where, "channel") or 1,
        invert=_switch(tree.get("invert", False), where, "invert"),
        align=_switch(tree.get("align", True), where, "align"),
    )


def _source(entry: object, where: str, at: str, folder: Path, lag: int | None) -> Source:
    if not isinstance(entry, Mapping):
        raise refuse(where, f"{at}: keys ({', '.join(PAIR_KEYS)}) are expected")
    dry, wet = _file(entry, DRY_KEYS, where, at), _file(entry, WET_KEYS, where, at)
    split = entry.get("split")
    if split is not None and str(split).lower() not in SPLIT_WORDS:
        near = did_you_mean(str(split), SPLIT_WORDS)
        raise refuse(where, f"{at}.split: {split!r}: one of {', '.join(SPLITS)} is expected{near}")
    knobs = entry.get("knobs", {})
    if not isinstance(knobs, Mapping):
        raise refuse(where, f"{at}.knobs: positions by name are expected, as {{tone: 0.5}}")
    # Other numeric keys of a pair are knobs too, as in manifests of simulated sets.
    beside = {key: value for key, value in entry.items() if key not in PAIR_KEYS}
    for key, value in beside.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            near = did_you_mean(str(key), PAIR_KEYS)
            raise refuse(where, f"{at}.{key}: unknown key{near}; allowed: {', '.join(PAIR_KEYS)}")
    own = _whole(entry.get("lag"), -MAX_LAG_FRAMES, MAX_LAG_FRAMES, where, f"{at}.lag")
    return Source(
        name=_text(entry.get("name", Path(wet).stem), where, f"{at}.name"),
        dry=existing(folder / dry),
        wet=existing(folder / wet),
        split=None if split is None else SPLIT_WORDS[str(split).lower()],
        knobs=read_positions({**beside, **knobs}, where, at),
        lag=lag if own is None else own,
    )


def read_positions(given: Mapping[object, object], where: str, at: str) -> dict[str, float]:
    """Return knob positions by name, which may be outside 0..1.

    Raises: DataError for a position that is not a number.
    """
    positions = {}
    for knob, value in given.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise refuse(where, f"{at}: knob {knob}: {value!r}: a number from 0 to 1 is expected")
        positions[str(knob)] = float(value)
    return positions


def _defaults(given: object, knobs: Sequence[str], where: str) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise refuse(where, "defaults: positions by name are expected, as {tone: 0.5}")
    positions = read_positions(given, where, "defaults")
    for knob, position in positions.items():
        if knob not in knobs:
            near = did_you_mean(knob, knobs)
            allowed = ", ".join(knobs) or "(none)"
            raise refuse(where, f"defaults: {knob!r} is not a knob of this set{near} ({allowed})")
        if not 0.0 <= position <= 1.0:
            problem = f"defaults: knob {knob}: {position:g}: a number from 0 to 1 is expected"
            raise refuse(where, problem)
    return positions


def _file(entry: Mapping[object, object], keys: tuple[str, ...], where: str, at: str) -> str:
    given = [entry[key] for key in keys if key in entry]
    if len(given) != 1 or not isinstance(given[0], str) or not given[0]:
        raise refuse(where, f"{at}: one file under `{keys[0]}` is expected")
    return given[0]


def _cut(given: object, where: str) -> dict[str, Part]:
    if given is None:
        return dict(DEFAULT_CUT)
    allowed = "as {validation: 0.1, test: 8 s}: fractions, or seconds with `s`"
    if not isinstance(given, Mapping):
        raise refuse(where, f"split: parts are expected, {allowed}")
    parts: dict[str, Part] = {}
    for key, value in given.items():
        word = SPLIT_WORDS.get(str(key).lower())
        text = str(value).strip().lower()
        seconds = text.endswith("s")
        try:
            amount = float(text.removesuffix("s"))
        except ValueError:
            amount = -1.0
        if word is None or not 0 <= amount <= (math.inf if seconds else 1) or amount == math.inf:
            raise refuse(where, f"split.{key}: {value!r}: parts are expected, {allowed}")
        if word != "train":  # training gets the rest
            parts[word] = Part(amount, seconds)
    return parts


def _whole(value: object, low: int, high: int, where: str, at: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(where, f"{at}: {value!r}: a whole number from {low} to {high} is expected")
    return value


def _switch(value: object, where: str, at: str) -> bool:
    if not isinstance(value, bool):
        raise refuse(where, f"{at}: {value!r}: true or false is expected")
    return value


def _text(value: object, where: str, at: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise refuse(where, f"{at}: {value!r}: a name is expected")
    return value

"""Reads `ModelInfo` from a document, from every spelling that a dialect uses."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from nemod.formats.info import ModelInfo
from nemod.formats.readers.document import Json, Node
from nemod.formats.readers.extras import Extras

LEVELS_DBU = (-60.0, 60.0)
"""[dBu] A stated level outside of this range is an error: it would become a gain."""
MAX_LINE = 1000
"""[characters] Longest author, licence, gear and the like; descriptions may be longer."""

_YEAR_OR_MONTH = re.compile(r"[0-9]{4}(-(0[1-9]|1[0-2]))?")


def info_of(said: Mapping[str, Json]) -> ModelInfo:
    """Return the typed form of metadata that a program states; unusable values are left out."""
    return read_info([Node("", "", dict(said))], Extras())


def read_info(
    places: Sequence[Node], extras: Extras, *, without: Collection[str] = ()
) -> ModelInfo:
    """Return what a document says about its model, from every spelling that a dialect uses.

    `places` are objects that hold metadata; of a key in several, the first place with it is used.
    `without` names keys that are no metadata. Unusable values are recorded in `extras`.
    """
    return _InfoReader(places, extras, without).read()


class _InfoReader:
    """Takes the known keys one by one; what is left goes to `ModelInfo.other`."""

    def __init__(self, places: Sequence[Node], extras: Extras, without: Collection[str]) -> None:
        self._extras = extras
        self._left: dict[str, Node] = {}
        for place in reversed(places):
            for name in place.keys():  # noqa: SIM118 - a Node is no mapping
                if name not in without and (node := place.optional(name)) is not None:
                    self._left[name] = node

    def read(self) -> ModelInfo:
        return ModelInfo(
            author=self._line("author", "modeled_by", "modelled_by"),
            licence=self._line("licence", "license"),
            esr=self._esr(),
            loudness_db=self._number("loudness", -100.0, 40.0),
            gain=self._number("gain", -1e6, 1e6),
            input_level_dbu=self._number("input_level_dbu", *LEVELS_DBU),
            output_level_dbu=self._number("output_level_dbu", *LEVELS_DBU),
            gear=self._line("gear", "based"),
            gear_make=self._line("gear_make"),
            gear_model=self._line("gear_model"),
            gear_type=self._line("gear_type"),
            tone=self._line("tone_type", "tone"),
            description=self._text("description"),
            date=self._date(),
            other=self._extras.json_object(self._left),
        )

    def _line(self, *names: str) -> str:
        for name in names:
            node = self._left.pop(name, None)
            if value := self._extras.get(node, lambda node: node.text(MAX_LINE).strip()):
                return value
        return ""

    def _text(self, name: str) -> str:
        return self._extras.get(self._left.pop(name, None), Node.text) or ""

    def _number(self, name: str, low: float, high: float) -> float | None:
        return self._extras.get(self._left.pop(name, None), lambda node: node.number(low, high))

    def _esr(self) -> float | None:
        stated = self._number("esr", 0.0, 1e6)
        if stated is not None:
            return stated
        # These stay in `other` too: they say on which recording the error was measured.
        training = self._left.get("training")
        nested = training.mapping() if training and isinstance(training.value, dict) else {}
        places = [self._left.get("validation_esr")]
        if training and nested.get("validation_esr") is not None:
            places.append(training.child("validation_esr"))
        for node in places:
            found = self._extras.get(node, lambda node: node.number(0.0, 1e6))
            if found is not None:
                return found
        return None

    def _date(self) -> str:
        return self._extras.get(self._left.pop("date", None), _date) or ""


def _date(node: Node) -> str:
    """Return a date as ISO 8601, from such a text or from NAM's object of numbers."""
    if isinstance(node.value, str):
        text = node.text(MAX_LINE).strip()
        try:
            if text and not _YEAR_OR_MONTH.fullmatch(text):
                datetime.fromisoformat(text)
        except ValueError:
            node.expected("a date as 2024-12-31")
        return text
    limits = {"year": (1, 9999), "month": (1, 12), "day": (1, 31)}
    year, month, day = (node.child(name).integer(*limit) for name, limit in limits.items())
    time = {"hour": 23, "minute": 59, "second": 59}
    parts = {name: node.optional(name) for name in time}
    hour, minute, second = (
        part.integer(0, time[name]) if part else 0 for name, part in parts.items()
    )
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        node.fail(f"{year}-{month}-{day} is no date")
    return moment.isoformat() if any(parts.values()) else moment.date().isoformat()

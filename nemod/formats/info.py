"""`ModelInfo`: what a file says about its model, in one spelling for all dialects."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from nemod.formats.readers.document import Json

_GEAR_TYPES = {"amp_cab": "amp and cab", "amp_pedal_cab": "amp, pedal and cab"}
"""NAM's words for what was captured, where they are not plain English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What a file says about its model. A field is empty or None where the file says nothing.

    No field changes what the network computes.
    """

    author: str = ""
    licence: str = ""
    esr: float | None = None
    """Error-to-signal ratio: energy of the error divided by that of the recording."""
    loudness_db: float | None = None
    """[dB] Loudness of the model's output for the trainer's standard input."""
    gain: float | None = None
    """How strongly the model distorts, as NAM's trainer measures it."""
    input_level_dbu: float | None = None
    """[dBu] Analog input level that was full scale in the recording."""
    output_level_dbu: float | None = None
    """[dBu] Analog output level that was full scale in the recording."""
    gear: str = ""
    gear_make: str = ""
    gear_model: str = ""
    gear_type: str = ""
    """`amp`, `pedal`, `amp_cab`, ..."""
    tone: str = ""
    """`clean`, `crunch`, `hi_gain`, ..."""
    description: str = ""
    date: str = ""
    """ISO 8601: a date, or a date and a time."""
    other: Mapping[str, Json] = field(default_factory=dict)
    """Everything else that the file says, under the file's own keys."""

    @property
    def gear_line(self) -> str:
        """The gear in one line: as the file states it, or from its make, model and type."""
        if self.gear:
            return self.gear
        kind = _GEAR_TYPES.get(self.gear_type, self.gear_type)
        parts = (self.gear_make, self.gear_model, f"({kind})" if kind else "")
        return " ".join(part for part in parts if part)

    def known(self) -> dict[str, Json]:
        """Return the fields that are set, without `other`, by the key that a file has for each."""
        values = {name: getattr(self, name) for name in _KEYS}
        return {_KEYS[name]: value for name, value in values.items() if value not in ("", None)}

    def plain(self) -> dict[str, Json]:
        """Return everything as a JSON object, which `info_reader.info_of` reads back unchanged."""
        return {**self.other, **self.known()}


_KEYS = {
    name: {"loudness_db": "loudness", "tone": "tone_type"}.get(name, name)
    for name in (one.name for one in fields(ModelInfo))
    if name != "other"
}
"""Key in a file of each field, as the NAM trainer writes it where it has one."""

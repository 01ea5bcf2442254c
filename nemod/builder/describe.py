"""What there is to know about a model, for `/nemo/model/info` and `nemod check`, or a cabinet."""

from dataclasses import dataclass

from nemod.common.units import amplitude_to_db
from nemod.formats.impulse_response import ImpulseResponse, facts, playable
from nemod.formats.info import ModelInfo
from nemod.formats.model import Model
from nemod.formats.network import memory_frames
from nemod.formats.readers.document import Json
from nemod.formats.summary import parameters, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A model in words and numbers."""

    name: str
    dialect: str
    architecture: str
    """`LSTM 20, dense 1, skip`"""
    parameters: int
    """Numbers in the weights."""
    memory_frames: int | None
    """Past frames that affect the output; None for a recurrent network."""
    knobs: tuple[str, ...]
    sizes: int
    """How many sizes the file holds; `/nemo/size` chooses one."""
    sample_rate: int | None
    """[Hz] None where the model plays at the device's rate."""
    sample_rate_stated: bool
    sample_rate_source: str
    in_gain_db: float
    out_gain_db: float
    info: ModelInfo

    def plain(self) -> dict[str, Json]:
        """Return everything except unknown metadata as a JSON object."""
        memory = self.memory_frames
        return {
            "name": self.name,
            "dialect": self.dialect,
            "architecture": self.architecture,
            "parameters": self.parameters,
            "receptive_field": "recurrent" if memory is None else f"{memory + 1} frames",
            "knobs": list(self.knobs),
            "sizes": self.sizes,
            "sample_rate": self.sample_rate or "the device's",
            "sample_rate_stated": self.sample_rate_stated,
            "sample_rate_source": self.sample_rate_source,
            "in_gain_db": self.in_gain_db,
            "out_gain_db": self.out_gain_db,
            **self.info.known(),
        }


def describe(model: Model) -> Description:
    """Return what there is to know about a model."""
    return Description(
        name=model.name,
        dialect=model.dialect,
        architecture=summary(model.network),
        parameters=parameters(model.weights),
        memory_frames=memory_frames(model.network),
        knobs=tuple(knob.name for knob in model.knobs),
        sizes=model.sizes,
        sample_rate=None if model.rate_follows_device else model.sample_rate,
        sample_rate_stated=model.rate_stated,
        sample_rate_source=model.rate_source,
        in_gain_db=round(amplitude_to_db(model.in_gain), 2),
        out_gain_db=round(amplitude_to_db(model.out_gain), 2),
        info=model.info,
    )


def describe_cabinet(response: ImpulseResponse, rate_hz: int) -> dict[str, Json]:
    """Return what there is to know about a cabinet, as it plays at this rate."""
    return {**facts(response), "taps": playable(response, rate_hz).size, "played_hz": rate_hz}

"""Answers build requests: from files to a rig that can be shipped."""

import pickle
from dataclasses import replace

from nemod.builder.build import at_slot, build_chain, naming_cabinet
from nemod.builder.chain_files import read_files
from nemod.builder.describe import describe_cabinet
from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult
from nemod.common.errors import CabinetError, ModelError, NemodError
from nemod.control.settings import Settings
from nemod.formats.readers.document import Json


def answer(request: BuildRequest) -> BuildResult | BuildFailure:
    """Carry out a request; any error becomes a `BuildFailure`, so that the builder lives on."""
    try:
        chain = request.reduction.of_chain(request.chain)
        read = read_files(chain, request.files, request.level)
        filled = replace(read.filled, is_cheap=request.reduction.is_reverb_cheap)
        infos = {slot: dict(info) for slot, info in read.infos.items()}
        for slot, response in read.filled.responses.items():
            with at_slot(slot), naming_cabinet(request.files[slot]):
                infos[slot] = describe_cabinet(response, request.rate_hz)
        settings = Settings(request.positions, chain=request.chain)
        built = build_chain(
            filled, request.rate_hz, request.block_frames, settings, request.outputs
        )
    except NemodError as error:
        slot = error.slot if isinstance(error, ModelError | CabinetError) else ""
        return BuildFailure(request_id=request.request_id, reason=str(error), slot=slot)
    except Exception as error:
        files = ", ".join(request.files.values()) or "the clean rig"
        reason = f"{files}: {type(error).__name__}: {error}"
        return BuildFailure(request_id=request.request_id, reason=reason)
    for slot, model in read.filled.models.items():
        own: dict[str, Json] = {
            "model_rate_hz": request.rate_hz if model.rate_follows_device else model.sample_rate,
            "rate_policy": built.policies[slot],
            "latency_frames": built.latencies.get(slot, 0),
        }
        infos[slot] |= own
    return BuildResult(
        request_id=request.request_id,
        rig=pickle.dumps(built.shipped, protocol=pickle.HIGHEST_PROTOCOL),
        layout=built.layout,
        latency_frames=built.latency_frames,
        knobs=read.filled.knobs,
        infos=infos,
        cached=built.cached,
        sizes={slot: model.size_starts for slot, model in read.filled.models.items()},
        reduction=request.reduction,
    )

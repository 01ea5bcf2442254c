"""Damaged files of every dialect give a model or a `ModelError`, in bounded memory.

`NEMOD_MUTATIONS=10000` runs as many on each dialect; the default is a small share of that.
"""

import copy
import json
import os
import random
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nemod.common.errors import ModelError
from nemod.formats import Model, load_model

COUNT = int(os.environ.get("NEMOD_MUTATIONS", "200"))

REAL = {
    "guitarml": "aga/GuitarML__NeuralSeed/models_gru4_ts9_pytorch.json",
    "recnet": "aga/_converted/CoreAudioML_network1_donner_flanger_recnet.json",
    "rtneural": "keras/jatinchowdhury18__RTNeural/models_conv.json",
    "aida": "keras/AidaDSP__AIDA-X/files_tw40_california_clean_deerinkstudios.json",
    "nam": "nam/sdatkinson__NeuralAmpModelerCore/example_models_wavenet_a2_max.nam",
    "nam lstm": "nam/fabiohl__NeuralAmpModeler-rs/tests_fixtures_models_lstm_1x10.nam",
    "pedalnet": "wavenetva/GuitarML__SmartGuitarAmp/models_bluej_clean_p0088.json",
}

JUNK: list[Any] = [
    None,
    True,
    "",
    "x",
    "1e999",
    "nan",
    -1,
    0,
    1,
    2,
    3,
    7,
    65,
    10**6,
    10**18,
    10**300,
    -0.5,
    1e39,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [1, "2", None],
    {"type": "PReLU", "negative_slopes": []},
    {"active": True},
    "A" * 20_000,
    "\ud800",
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*path, key))
    elif isinstance(value, list):
        # Of long lists the ends stand for all.
        for at in {0, 1, len(value) - 1} & set(range(len(value))):
            yield from _places(value[at], (*path, at))


def _mutated(document: Any, places: list[tuple[Any, ...]], rng: random.Random) -> bytes:
    document = copy.deepcopy(document)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        path = rng.choice(places)
        if not path:
            continue
        parent = document
        try:
            for step in path[:-1]:
                parent = parent[step]
            kind = rng.randrange(6)
            if kind == 0:
                del parent[path[-1]]
            elif kind == 1 and isinstance(parent, list):
                parent.insert(path[-1], copy.deepcopy(rng.choice(parent)))
            elif kind == 2 and isinstance(parent[path[-1]], list):
                parent[path[-1]] = parent[path[-1]][: rng.randrange(4)]
            elif kind == 3 and isinstance(parent[path[-1]], (int, float)):
                parent[path[-1]] *= rng.choice([-1, 2, 1e6, 10**20])
            else:
                parent[path[-1]] = copy.deepcopy(rng.choice(JUNK))
        except (KeyError, IndexError, TypeError, OverflowError):
            continue  # an earlier mutation took the place away
    data = json.dumps(document).encode()
    kind = rng.randrange(12)
    if kind == 0:
        data = data[: rng.randrange(len(data))]
    elif kind == 1:
        at = rng.randrange(len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    elif kind == 2:
        at = rng.randrange(len(data))
        data = data[:at] + rng.choice([b"[" * 5000, b"9" * 100_000, b"\x00", b"//"]) + data[at:]
    return data


@pytest.mark.parametrize("name", list(REAL))
def test_a_damaged_file_is_a_model_or_an_error(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    """Types, sizes, NaN, nesting, truncation, bytes; seeded, so that a failure is repeatable."""
    document = json.loads((shared_data / "models" / REAL[name]).read_text())
    places = list(_places(document))
    rng = random.Random(name)
    path = tmp_path / "damaged.json"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    messages = []
    for _ in range(COUNT):
        path.write_bytes(_mutated(document, places, rng))
        try:
            assert isinstance(load_model(path), Model)
        except ModelError as error:
            messages.append(str(error))
    assert len(messages) > COUNT // 4
    assert all(message.startswith(f"{path}: ") for message in messages)
    assert max(map(len, messages)) < 2000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def test_a_hundred_megabytes_of_digits_are_refused(tmp_path: Path) -> None:
    """By their size, unread; a number of fewer digits counts as infinite, in linear time."""
    path = tmp_path / "digits.json"
    path.write_bytes(b'{"weights": [' + b"9" * 100_000_000 + b"]}")
    with pytest.raises(ModelError, match="a model file has at most"):
        load_model(path)
    path.write_bytes(b'{"weights": [' + b"9" * 10_000_000 + b"]}")
    with pytest.raises(ModelError, match="no known kind of model: it has 'weights'"):
        load_model(path)
    model = (
        b'{"architecture": "Linear", "config": {"receptive_field": 1, "bias": false}, "weights": ['
    )
    path.write_bytes(model + b"9" * 10_000_000 + b"]}")
    with pytest.raises(ModelError, match=r"weights\[0\]: inf, expected a finite number"):
        load_model(path)

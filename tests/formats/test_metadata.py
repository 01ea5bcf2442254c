"""Metadata of every dialect: what is understood, and that no bad value refuses a good model."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from nemod.common.errors import ModelError
from nemod.formats import Knob, Model, ModelInfo, load_model
from nemod.formats.readers.info_reader import info_of

Write = Callable[[Any], Any]
NESTED: Any = "end"
for _ in range(40):
    NESTED = {"in": [NESTED]}

BAD: list[Any] = [
    float("nan"),
    float("-inf"),
    10**300,
    -1e39,
    True,
    "x" * 20_000,
    "\ud800",
    "",
    [],
    [[float("nan")]],
    {},
    {"year": 2024, "month": 13, "day": 1},
    {"x" * 20_000: 1},
    NESTED,
    None,
]
FIELDS = [
    *("author", "modeled_by", "licence", "license", "esr", "validation_esr", "training"),
    *("loudness", "gain", "input_level_dbu", "output_level_dbu", "gear", "gear_make"),
    *("gear_model", "gear_type", "tone_type", "description", "date", "based", "name", "notes"),
    *("sample_rate", "unknown"),
]


def nam(**extra: Any) -> dict[str, Any]:
    """Return a model whose output is its input, twice as loud."""
    config = {"receptive_field": 1, "bias": False}
    return {"architecture": "Linear", "config": config, "weights": [2.0], **extra}


def rtneural(**extra: Any) -> dict[str, Any]:
    """Return the same in RTNeural's JSON."""
    layer = {"type": "dense", "activation": "", "shape": [None, 1], "weights": [[[2.0]], [0.0]]}
    return {"in_shape": [None, 1], "layers": [layer], **extra}


def pedalnet(**extra: Any) -> dict[str, Any]:
    """Return a PedalNet model of one layer and one channel."""
    sizes = {"W_conv": 2, "b_conv": 2, "W_out": 1, "b_out": 1}
    variables = [{"layer_idx": 0, "name": name, "data": [0.5] * n} for name, n in sizes.items()]
    variables += [
        {"layer_idx": layer, "name": name, "data": [0.5]} for layer in (-1, 1) for name in "Wb"
    ]
    return {
        "residual_channels": 1,
        "filter_width": 1,
        "dilations": [1],
        "variables": variables,
        **extra,
    }


def warnings(write: Write, document: Any) -> tuple[Model, str]:
    """Return the model of a document, and what reading it logged."""
    path = write(document)
    with capture_logs() as logs:
        model = load_model(path)
    assert all((line["log_level"], line["file"]) == ("warning", str(path)) for line in logs)
    assert len(logs) <= 1
    return model, "; ".join(logs[0]["ignored"]) if logs else ""


@pytest.mark.parametrize("value", BAD, ids=range(len(BAD)))
def test_no_bad_value_refuses_a_model(write, rnn, value: Any) -> None:
    """In every field of every dialect, at the top and in `metadata`."""
    for field in FIELDS:
        for document in (
            {**rnn(), "metadata": {field: value}},
            nam(metadata={field: value}),
            nam(**{field: value}),
            rtneural(metadata={field: value}),
            rtneural(**{field: value}),
            pedalnet(metadata={field: value}),
            pedalnet(**{field: value}),
        ):
            assert load_model(write(document)).network.outputs == 1


@pytest.mark.parametrize("value", BAD, ids=range(len(BAD)))
def test_no_bad_special_key_refuses_a_model(write, rnn, value: Any) -> None:
    """The metadata itself, versions, knobs without ranges, probes, rates, player settings."""
    data = rnn()["model_data"]
    for document in (
        {**rnn(), "metadata": value},
        {**rnn(), "metadata": {"knobs": value}},
        {**rnn(inputs=2), "metadata": {"knobs": value}},
        {**rnn(inputs=2), "metadata": {"knobs": [value]}},
        {**rnn(inputs=2), "metadata": {"knobs": [{"name": value, "default": value}]}},
        {**rnn(), "probe": value},
        {**rnn(), "probe": {"input": value, "output": value}},
        {**rnn(), "probe": {"input": [0.0], "output": [value]}},
        {**rnn(), "model_data": {**data, "sample_rate": value}},
        {**rnn(), "model_data": {**data, "model": value}},
        {**rnn(), "model_data": {**data, "model_type": value}},
        nam(metadata=value),
        nam(version=value),
        rtneural(metadata=value),
        rtneural(samplerate=value),
        rtneural(input_batch=value, output_batch=value),
        rtneural(input_batch=[[[0.0]]], output_batch=value),
        pedalnet(level_adjust=value),
        pedalnet(gain_max=value),
    ):
        assert load_model(write(document)).network.outputs == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (nam(metadata={"loudness": float("nan")}), "metadata.loudness: nan, expected a number"),
        (nam(metadata={"loudness": float("-inf")}), "metadata.loudness: -inf, expected a number"),
        (nam(metadata={"loudness": -300}), "metadata.loudness: -300, expected a number from -100"),
        (nam(metadata={"input_level_dbu": 99}), "input_level_dbu: 99, expected a number from -60"),
        (nam(notes="x" * 20_000), "notes: a text of 20000 characters, expected at most 10000"),
        (nam(metadata=["x"]), "metadata: a list of 1, expected an object"),
        (nam(sample_rate="fast"), 'sample_rate: the text "fast", expected a whole number'),
        (nam(version="five"), 'version: the text "five", expected a version as 0.5.4'),
        (
            nam(metadata={"date": {"year": 2023, "month": 2, "day": 30}}),
            "metadata.date: 2023-2-30 is no date",
        ),
        (nam(metadata={"date": "soon"}), 'metadata.date: the text "soon", expected a date as'),
        (
            nam(metadata={"training": {"validation_esr": float("nan")}}),
            "metadata.training.validation_esr: nan, expected a number from 0",
        ),
        (nam(metadata={"a": {"b": [1, float("inf")]}}), "metadata.a.b[1]: inf, expected a number"),
        (nam(metadata={"a": NESTED}), "nested more than 32 deep"),
        (rtneural(esr="good"), 'esr: the text "good", expected a number'),
        (rtneural(metadata={"samplerate": 1}), "metadata.samplerate: 1, expected 8000 to 384000"),
        (
            rtneural(input_batch=["x"], output_batch=[1.0]),
            'input_batch[0]: the text "x", expected a number',
        ),
        (pedalnet(level_adjust=float("nan")), "level_adjust: nan, expected a number"),
    ],
)
def test_a_value_that_is_left_out_is_logged(write, document: Any, message: str) -> None:
    """With the file, the key, what it is and what was expected."""
    _, logged = warnings(write, document)
    assert message in logged


def test_the_same_warning_is_logged_once(write) -> None:
    """A model is read for the list, for a check and for each build."""
    path = write(nam(metadata={"esr": "unknown"}))
    with capture_logs() as logs:
        load_model(path)
        load_model(path)
    assert len(logs) == 1


def test_good_and_empty_values_are_not_logged(write, rnn) -> None:
    """NAM's trainer writes null for what the user left empty."""
    said = {"author": "A", "gear_make": None, "tone_type": "", "esr": 0.01, "date": "2024-12-31"}
    for document in ({**rnn(), "metadata": said}, nam(metadata=said), rtneural(**said)):
        assert warnings(write, document)[1] == ""


def test_what_else_a_file_says_survives_a_bad_neighbour(write) -> None:
    """Only the value itself is left out: in a list null stands in its place."""
    model, _ = warnings(
        write,
        nam(
            metadata={"esr": "?", "author": "A", "own": {"a": float("nan"), "b": [1, "x" * 20_000]}}
        ),
    )
    assert model.info == ModelInfo(author="A", other={"own": {"b": [1, None]}})


def test_many_bad_values_make_a_short_warning(write) -> None:
    """Twenty are named, the others counted."""
    model, logged = warnings(write, nam(metadata={"own": [float("nan")] * 1000}))
    assert model.info.other == {"own": [None] * 1000}
    assert logged.endswith("own[19]: nan, expected a number from -1e+300 to 1e+300; 980 more")


def test_metadata_is_bounded(write) -> None:
    """What does not fit is left out and named; what fits stays."""
    own = {f"key {number}": "x" * 9_000 for number in range(8)} | {"short": 1}
    model, logged = warnings(write, nam(metadata=own))
    # 7 x (9,000 characters, the key, quotes and braces) are less than 65,536; 8 are more.
    assert list(model.info.other) == [*(f"key {number}" for number in range(7)), "short"]
    assert "metadata.key 7: more than 65536 characters of unknown metadata" in logged
    model, logged = warnings(write, nam(metadata={"own": [0] * 1_000_000, "short": 1}))
    assert (model.info.other, "metadata.own: more than" in logged) == ({"short": 1}, True)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"9" * 5000, "metadata.loudness: inf, expected a number"),
        (b"-" + b"9" * 5000, "metadata.loudness: -inf, expected a number"),
        (b"[" * 5000 + b"]" * 5000, "metadata.loudness: a list of 1, expected a number"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "metadata.loudness: an object of 1, expected"),
        (b'"J\xfcrgen"', "byte 0xfc is not UTF-8"),
        (b'"' + b"9" * 5000 + b'"', 'metadata.loudness: the text "99999'),
    ],
    ids=["digits", "minus", "lists", "objects", "latin-1", "text"],
)
def test_extreme_json_in_metadata_refuses_no_model(write, raw: bytes, message: str) -> None:
    """Beyond what Python's own parser reads."""
    document = json.dumps(nam(metadata={"loudness": "HERE"}, weights=[0.25])).encode()
    model, logged = warnings(write, document.replace(b'"HERE"', raw))
    assert message in logged
    assert model.weights.w.tolist() == [[0.25]]
    assert model.info.loudness_db is None


def test_long_numbers_keep_their_value(write) -> None:
    """A fraction is cut at 400 digits, which float32 cannot tell."""
    document = json.dumps(nam(weights=["HERE"])).encode()
    for raw, expected in (
        (b"0." + b"3" * 5000, 1.0 / 3.0),
        (b"-0." + b"0" * 300 + b"3" * 300 + b"e300", -1.0 / 3.0),
        (b"2.5" + b"0" * 5000 + b"e-1", 0.25),
    ):
        weights = load_model(write(document.replace(b'"HERE"', raw))).weights
        assert weights.w[0, 0] == pytest.approx(expected, rel=1e-7)


def test_control_characters_in_text_refuse_no_model(write) -> None:
    """A line break that was typed into a description."""
    document = json.dumps(nam(metadata={"description": "HERE"})).encode()
    model = load_model(write(document.replace(b"HERE", b"a\n\tb")))
    assert model.info.description == "a\n\tb"


@pytest.mark.parametrize("stated", [0, -1, "fast", 1e9, 44_100.5, float("nan"), [], True])
def test_a_nonsensical_rate_is_left_out(write, rnn, stated: Any) -> None:
    """The dialect's own rate is assumed, as for a file that states none."""
    data = rnn()["model_data"] | {"sample_rate": stated}
    for document, expected in (
        ({**rnn(), "model_data": data}, (44_100, False, False)),
        ({**rnn(), "metadata": {"sample_rate": stated}}, (44_100, False, False)),
        (nam(sample_rate=stated), (48_000, False, False)),
        (rtneural(samplerate=stated), (48_000, False, True)),
    ):
        model, logged = warnings(write, document)
        assert (model.sample_rate, model.rate_stated, model.rate_follows_device) == expected
        assert "rate: " in logged


def test_the_second_place_of_a_rate_is_used_where_the_first_is_bad(write, rnn) -> None:
    """`model_data.sample_rate`, then `metadata.sample_rate`."""
    document = {**rnn(), "metadata": {"sample_rate": 96_000}}
    document["model_data"]["sample_rate"] = "unknown"
    model = load_model(write(document))
    assert (model.sample_rate, model.rate_stated) == (96_000, True)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ([{"name": "Drive", "default": 2.0}], Knob("Drive")),
        ([{"name": "Drive", "low": -1, "high": 2, "default": "?"}], Knob("Drive", -1.0, 2.0)),
        ([{"name": None, "default": 0.25}], Knob("1", default=0.25)),
        ([{"name": "x" * 300}], Knob("1")),
        ([{"name": "A"}, {"name": "B"}], Knob("1")),
        ({"Drive": 5}, Knob("1")),
        (["Drive"], Knob("1")),
    ],
)
def test_a_knob_keeps_what_is_usable(write, rnn, stated: Any, expected: Knob) -> None:
    """In both dialects that name knobs."""
    document = {**rnn(inputs=2), "metadata": {"knobs": stated}}
    assert load_model(write(document)).knobs == (expected,)
    layer = {"type": "dense", "activation": "", "shape": 1, "weights": [[[2.0], [1.0]]]}
    document = {"in_shape": 2, "layers": [layer], "metadata": {"knobs": stated}}
    assert load_model(write(document)).knobs == (expected,)


def test_what_the_sound_needs_is_still_an_error(write) -> None:
    """Gains, weights and sizes are no metadata."""
    for document in (
        rtneural(in_gain=float("nan")),
        rtneural(in_skip="maybe"),
        nam(weights=[float("nan")]),
        pedalnet(filter_width="wide"),
    ):
        with pytest.raises(ModelError):
            load_model(write(document))


# --- what is understood ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"modeled_by": "A"}, ModelInfo(author="A")),
        ({"author": "A", "modeled_by": "B"}, ModelInfo(author="A", other={"modeled_by": "B"})),
        ({"author": " ", "modelled_by": "B"}, ModelInfo(author="B")),
        ({"license": "MIT"}, ModelInfo(licence="MIT")),
        ({"esr": "0.25"}, ModelInfo(esr=0.25)),
        ({"validation_esr": 0.5}, ModelInfo(esr=0.5, other={"validation_esr": 0.5})),
        (
            {"training": {"validation_esr": 0.5}},
            ModelInfo(esr=0.5, other={"training": {"validation_esr": 0.5}}),
        ),
        ({"loudness": -18, "gain": 0.5}, ModelInfo(loudness_db=-18.0, gain=0.5)),
        ({"input_level_dbu": 12.5}, ModelInfo(input_level_dbu=12.5)),
        ({"output_level_dbu": 12.5}, ModelInfo(output_level_dbu=12.5)),
        ({"based": "AC30"}, ModelInfo(gear="AC30")),
        ({"tone_type": "clean"}, ModelInfo(tone="clean")),
        ({"date": "2024-12-31T23:59:59"}, ModelInfo(date="2024-12-31T23:59:59")),
        ({"date": "2024"}, ModelInfo(date="2024")),
        ({"date": {"year": 2024, "month": 1, "day": 2}}, ModelInfo(date="2024-01-02")),
        (
            {"date": {"year": 2024, "month": 1, "day": 2, "hour": 3, "minute": 4, "second": 5}},
            ModelInfo(date="2024-01-02T03:04:05"),
        ),
        ({"style": "metal"}, ModelInfo(other={"style": "metal"})),
    ],
)
def test_every_spelling_becomes_one_field(write, said: dict[str, Any], expected: ModelInfo) -> None:
    """Of NAM, of AIDA-X, and of this project's trainer."""
    assert load_model(write(nam(metadata=said))).info == expected
    assert load_model(write(rtneural(**said))).info == expected
    assert info_of(said) == expected


def test_the_gear_is_one_line() -> None:
    """As the file states it, or from NAM's make, model and type."""
    said = {"gear_make": "Vox", "gear_model": "AC30", "gear_type": "amp_cab"}
    assert info_of(said).gear_line == "Vox AC30 (amp and cab)"
    assert info_of({**said, "gear": "my amp"}).gear_line == "my amp"
    assert info_of({}).gear_line == ""


def test_plain_metadata_reads_back_the_same() -> None:
    """A saved model keeps what its file said."""
    said = {"modeled_by": "A", "loudness": -18.5, "tone_type": "clean", "own": {"a": [1, None]}}
    info = info_of(said)
    assert info_of(info.plain()) == info
    assert info.plain()["author"] == "A"

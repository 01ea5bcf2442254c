"""Folders, manifests and GuitarML configurations are read as a plan."""

import json
import struct
import zipfile
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import soundfile

from trainer.data.faults import DataError
from trainer.data.layouts import read_plan
from trainer.data.load import load_dataset
from trainer.data.plan import Part
from trainer.data.wav import read

RATE = 8_000


def touch(place: Path, *names: str) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()
    return place


def write(place: Path, text: str, name: str = "manifest.yaml") -> Path:
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text, encoding="utf-8")
    return place / name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["input.wav", "output.wav"], [("set", None, "input.wav", "output.wav")]),
        (["dry.wav", "wet.wav", "lfo.wav"], [("set", None, "dry.wav", "wet.wav")]),
        (["a_dry.wav", "a_wet.wav"], [("a", None, "a_dry.wav", "a_wet.wav")]),
        (
            ["val-input.wav", "val-target.wav"],
            [("val", "validation", "val-input.wav", "val-target.wav")],
        ),
        (
            ["Amp_Training_Clean.wav", "Amp_Training_Dirty.wav"],
            [
                (
                    "Amp_Training",
                    "train",
                    "Amp_Training_Clean.wav",
                    "Amp_Training_Dirty.wav",
                )
            ],
        ),
        (
            ["test/x-input.flac", "test/x-target.flac"],
            [("test/x", "test", "test/x-input.flac", "test/x-target.flac")],
        ),
        (
            ["input.wav", "low-output.wav", "high-output.wav"],
            [
                ("high", None, "input.wav", "high-output.wav"),
                ("low", None, "input.wav", "low-output.wav"),
            ],
        ),
    ],
)
def test_a_folder_is_read_by_its_names(
    tmp_path: Path, names: list[str], expected: list[tuple[str, str | None, str, str]]
) -> None:
    """Each layout has its pairs with name, split and files."""
    place = touch(tmp_path / "set", *names)
    found = [
        (s.name, s.split, str(s.dry.relative_to(place)), str(s.wet.relative_to(place)))
        for s in read_plan(place).sources
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "no dry and wet recordings were found"),
        (["a-input.wav"], "a-input.wav has no counterpart"),
        (["a-input.wav", "b-output.wav"], "b-output.wav has no counterpart"),
        (["output.wav"], "output.wav has no counterpart"),
    ],
)
def test_a_folder_without_pairs_is_reported(tmp_path: Path, names: list[str], text: str) -> None:
    """The message names the file without a counterpart."""
    tmp_path.joinpath("set").mkdir()
    with pytest.raises(DataError, match=text):
        read_plan(touch(tmp_path / "set", *names))


def test_every_key_of_a_manifest_is_read(tmp_path: Path) -> None:
    """The plan has all stated values."""
    path = write(
        tmp_path,
        "name: Fuzz\nknobs: [drive, tone]\ndefaults: {tone: 0.8}\nrate: 48000\nchannel: 2\n"
        "invert: true\nalign: false\n"
        "lag: 7\nsplit: {validation: 8 s, test: 0.25}\n"
        "pairs: [{dry: a.wav, wet: b.wav, split: val, knobs: {tone: 1, drive: 0.5}, lag: 3}]\n",
    )
    plan = read_plan(path)
    (source,) = plan.sources
    assert (plan.name, plan.knobs, plan.rate, plan.channel) == ("Fuzz", ("drive", "tone"), 48000, 2)
    assert (plan.invert, plan.align) == (True, False)
    assert plan.defaults == {"tone": 0.8}
    assert plan.cut == {"validation": Part(8.0, seconds=True), "test": Part(0.25)}
    assert (source.dry, source.wet) == (tmp_path / "a.wav", tmp_path / "b.wav")
    assert (source.split, source.lag, source.knobs) == (
        "validation",
        3,
        {"tone": 1.0, "drive": 0.5},
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pairs: 3", "a list `pairs` is expected"),
        ("pairs: []", "`pairs` is empty"),
        ("parts: []\npairs: [{}]", "parts: unknown key, did you mean 'pairs'"),
        ("pairs: [{dry: a.wav}]", r"pairs\[0\]: one file under `wet`"),
        ("pairs: [{dry: a, wet: b, split: trian}]", "'trian'.*did you mean 'train'"),
        ("pairs: [{dry: a, wet: b, wett: c}]", r"pairs\[0\].wett: unknown key"),
        ("pairs: [{dry: a, wet: b, knobs: {tone: high}}]", "knob tone: 'high'"),
        ("rate: 3\npairs: [{dry: a, wet: b}]", "rate: 3: a whole number from 8000"),
        (
            "defaults: {tne: 0.5}\npairs: [{dry: a, wet: b, knobs: {tone: 1}}]",
            r"defaults: 'tne' is not a knob of this set, did you mean 'tone'\? \(tone\)",
        ),
        (
            "defaults: {tone: 5}\npairs: [{dry: a, wet: b, knobs: {tone: 1}}]",
            "defaults: knob tone: 5: a number from 0 to 1",
        ),
        ("defaults: 0.5\npairs: [{dry: a, wet: b}]", "defaults: positions by name"),
        ("split: {test: 2}\npairs: [{dry: a, wet: b}]", "split.test: 2"),
        ("pairs: [", "line 1, column"),
    ],
)
def test_an_invalid_manifest_is_reported_with_its_key(
    tmp_path: Path, text: str, problem: str
) -> None:
    """The message has the key, the given value and the allowed values."""
    with pytest.raises(DataError, match=problem):
        read_plan(write(tmp_path, text))


def test_a_guitarml_configuration_finds_its_recordings(tmp_path: Path) -> None:
    """`file_name` below `Data`, one folder up from `Configs`."""
    names = [f"Data/{s}/ts9-{r}.wav" for s in ("train", "test") for r in ("input", "target")]
    touch(tmp_path, *names)
    path = write(tmp_path, json.dumps({"unit_type": "LSTM", "file_name": "ts9"}), "Configs/a.json")
    assert [(s.name, s.split) for s in read_plan(path).sources] == [
        ("train/ts9", "train"),
        ("test/ts9", "test"),
    ]


def test_a_parameterised_guitarml_configuration_is_read(tmp_path: Path) -> None:
    """Each of its data sets has a training and a test pair at its knob positions."""
    entry = {
        "Parameters": [0.0, 0.25],
        "TrainingClean": "./R/a.wav",
        "TrainingTarget": "./R/b.wav",
        "TestClean": "./R/c.wav",
        "TestTarget": "./R/d.wav",
    }
    touch(tmp_path, "R/a.wav", "R/b.wav", "R/c.wav", "R/d.wav")
    tree = {"Number of Parameters": 2, "Data Sets": [entry]}
    plan = read_plan(write(tmp_path, json.dumps(tree), "Configs/p.json"))
    assert plan.knobs == ("knob1", "knob2")
    assert [(s.split, s.dry.name, dict(s.knobs)) for s in plan.sources] == [
        ("train", "a.wav", {"knob1": 0.0, "knob2": 0.25}),
        ("test", "c.wav", {"knob1": 0.0, "knob2": 0.25}),
    ]
    assert plan.cut == {"validation": Part(0.2)}


@pytest.mark.parametrize("rate", [RATE, RATE // 2])
def test_guitarml_knob_channels_are_read(tmp_path: Path, rate: int) -> None:
    """A conditioned file is cut where its knobs change, also at another rate."""
    random = np.random.default_rng(0)
    dry = 0.1 * random.standard_normal(40 * RATE)
    knob = np.where(np.arange(dry.size) < 30 * RATE, 0.25, 0.75)
    for split in ("train", "val", "test"):
        (tmp_path / split).mkdir()
        noise = 0.1 * random.standard_normal(dry.size)
        both = np.stack([noise, knob], axis=1)
        soundfile.write(tmp_path / split / "a-input.wav", both, RATE, subtype="FLOAT")
        wet = np.tanh(4 * noise)
        soundfile.write(tmp_path / split / "a-target.wav", wet, RATE, subtype="FLOAT")
    data = load_dataset(tmp_path, rate=rate, report=lambda finding: None)
    assert data.knobs == ("knob1",)
    assert [(pair.knobs, pair.dry.size // rate) for pair in data.train] == [
        ((0.25,), 30),
        ((0.75,), 10),
    ]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_integer_and_float_files_are_read(tmp_path: Path, subtype: str) -> None:
    """Full scale is +-1."""
    random = np.random.default_rng(1)
    dry = 0.1 * random.standard_normal(20 * RATE)
    soundfile.write(tmp_path / "dry.wav", dry, RATE, subtype=subtype)
    soundfile.write(tmp_path / "wet.wav", np.tanh(4 * dry), RATE, subtype=subtype)
    data = load_dataset(tmp_path, report=lambda finding: None)
    step = 2**-15 if subtype == "PCM_16" else 2**-23
    assert np.max(np.abs(data.train[0].dry - dry[: 16 * RATE])) <= step
    sizes = [sum(p.dry.size for p in part) for part in (data.train, data.validation, data.test)]
    assert sizes == [16 * RATE, 2 * RATE, 2 * RATE]


def test_the_digest_depends_on_sound_and_knobs_only(tmp_path: Path) -> None:
    """Other file names do not change it; another knob position does."""
    dry = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE)
    digests = []
    for name, position in (("a", 0.5), ("b", 0.5), ("c", 0.6)):
        place = tmp_path / name
        text = f"pairs: [{{dry: {name}1.wav, wet: {name}2.wav, knobs: {{tone: {position}}}}}]"
        write(place, text)
        soundfile.write(place / f"{name}1.wav", dry, RATE, subtype="FLOAT")
        soundfile.write(place / f"{name}2.wav", np.tanh(4 * dry), RATE, subtype="FLOAT")
        digests.append(load_dataset(place, report=lambda finding: None).digest)
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_knobs_can_be_reordered(tmp_path: Path) -> None:
    """The caller chooses the order of the model's inputs, and positions follow it."""
    dry = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE)
    soundfile.write(tmp_path / "dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "wet.wav", np.tanh(4 * dry), RATE, subtype="FLOAT")
    write(tmp_path, "pairs: [{dry: dry.wav, wet: wet.wav, volume: 0.2, tone: 0.3, sustain: 0.4}]")
    data = load_dataset(tmp_path, knobs=("sustain", "volume", "tone"), report=lambda finding: None)
    assert (data.knobs, data.test[0].knobs) == (("sustain", "volume", "tone"), (0.4, 0.2, 0.3))


def test_configurations_without_recordings_are_rejected_with_a_message(shared_data: Path) -> None:
    """Published configurations name missing recordings; none causes a crash."""
    for path in sorted((shared_data / "models" / "train_config").rglob("*.json")):
        with pytest.raises(DataError):
            load_dataset(path)


@pytest.mark.parametrize("hidden", ["._input.wav", "._output.wav", ".DS_Store", ".b-input.wav"])
@pytest.mark.parametrize("below", ["", "train/"])
def test_hidden_files_are_ignored(tmp_path: Path, hidden: str, below: str) -> None:
    """In the folder and in the folders of the splits."""
    place = touch(tmp_path / "set", f"{below}input.wav", f"{below}output.wav", f"{below}{hidden}")
    (source,) = read_plan(place).sources
    assert (source.dry.name, source.wet.name) == ("input.wav", "output.wav")


def test_hidden_folders_and_manifests_are_ignored(tmp_path: Path) -> None:
    """Such as those that macOS writes beside a manifest or the folder of a split."""
    place = touch(tmp_path / "set", "input.wav", "output.wav", ".train/a-input.wav")
    (place / "._manifest.yaml").write_bytes(b"\0\5\26\7")
    assert len(read_plan(place).sources) == 1


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (["input.wav", "out.wav", "output.wav"], "out.wav and output.wav are both the wet"),
        (["in.wav", "input.flac", "output.wav"], "in.wav and input.flac are both the dry"),
        (["a-input.wav", "a-wet.flac", "a-wet.wav"], "a-wet.flac and a-wet.wav are both the wet"),
        (["manifest.json", "manifest.yaml"], "manifest.yaml and manifest.json"),
    ],
)
def test_two_files_of_one_role_are_rejected(tmp_path: Path, names: list[str], both: str) -> None:
    """The message names both."""
    with pytest.raises(DataError, match=both):
        read_plan(touch(tmp_path / "set", *names))


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_both_unicode_forms_are_equal(tmp_path: Path, forms: tuple[str, str]) -> None:
    """In a folder, and in a manifest in another form than the file system."""
    dry, wet = (
        normalize(form, f"G\u00fcrtel-{role}.wav")
        for form, role in zip(forms, ("input", "target"), strict=True)
    )
    place = touch(tmp_path / "set", dry, wet)
    (source,) = read_plan(place).sources
    assert (source.dry.name, source.wet.name) == (dry, wet)
    other = [normalize(form, name) for form, name in zip(forms[::-1], (dry, wet), strict=True)]
    write(place, json.dumps([{"dry": other[0], "wet": other[1]}]), "manifest.json")
    (source,) = read_plan(place).sources
    assert (source.dry, source.wet) == (place / dry, place / wet)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("fuzz-dry.wav", "fuzz-wet.wav"), ("fuzz", "fuzz-dry.wav", "fuzz-wet.wav")),
        (("output.wav", "input.wav"), ("set", "input.wav", "output.wav")),
        (("take 1.wav", "take 2.wav"), ("take 2", "take 1.wav", "take 2.wav")),
    ],
)
def test_two_files_are_a_pair(
    tmp_path: Path, names: tuple[str, str], expected: tuple[str, str, str]
) -> None:
    """Dry first, unless the names state the opposite."""
    place = touch(tmp_path / "set", *names)
    plan = read_plan(place / names[0], place / names[1])
    (source,) = plan.sources
    assert (plan.name, source.dry.name, source.wet.name) == expected


def test_a_zip_archive_is_reported(tmp_path: Path) -> None:
    """It is not parsed as a manifest."""
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("input.wav", b"")
    with pytest.raises(DataError, match="ZIP archive; extract it"):
        read_plan(tmp_path / "pack.zip")


def test_a_manifest_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As Windows editors write it."""
    place = touch(tmp_path / "set", "input.wav", "output.wav")
    text = '{"name": 5150, "pairs": [{"dry": "input.wav", "wet": "output.wav"}]}'
    (place / "manifest.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_plan(place).name == "5150"


def test_an_empty_file_is_reported(tmp_path: Path) -> None:
    """If wet is empty, the dry recording is not reported as silent."""
    dry = 0.1 * np.random.default_rng(1).standard_normal(20 * RATE)
    soundfile.write(tmp_path / "input.wav", dry, RATE)
    soundfile.write(tmp_path / "output.wav", dry[:0], RATE)
    with pytest.raises(DataError, match=r"output\.wav contains no samples\.") as caught:
        load_dataset(tmp_path)
    assert len(caught.value.findings) == 1


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_file_without_a_stated_length_is_read_to_its_end(tmp_path: Path, stated: int) -> None:
    """Streams and power failures leave such files: all 1000 samples are read, in steps of 2^-15."""
    samples = np.arange(1_000, dtype="<i2")
    fmt = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"RIFF" + struct.pack("<I", stated) + b"WAVEfmt " + fmt + b"data"
    path = tmp_path / "cut.wav"
    path.write_bytes(head + struct.pack("<I", stated) + samples.tobytes())
    recording = read(path, 1, "pair")
    assert recording.rate == RATE
    assert np.array_equal(recording.samples, samples / np.float32(2**15))


@pytest.mark.parametrize("text", ["5150", "0815", "on", "2024-01-01", "1e3", "null"])
def test_a_name_in_a_manifest_is_the_text_as_written(tmp_path: Path, text: str) -> None:
    """Regardless of its YAML type: for set, pairs, files and knobs; numbers stay numbers."""
    pair = f"{{name: {text}, dry: {text}, wet: b.wav, lag: 3, knobs: {{{text}: 0.5}}}}"
    for manifest in (f"name: {text}\nknobs: [{text}]\npairs: [{pair}]", f"- {pair}"):
        plan = read_plan(write(tmp_path, manifest))
        assert plan.name == (text if manifest.startswith("name") else tmp_path.name)
        assert plan.knobs == (text,)
        (source,) = plan.sources
        assert (source.name, source.dry, source.lag) == (text, tmp_path / text, 3)
        assert source.knobs == {text: 0.5}


def test_a_number_in_json_is_a_name_where_one_is_expected(tmp_path: Path) -> None:
    """The text as written, without rounding."""
    text = '{"name": 5150, "pairs": [{"name": 1.50, "dry": "a.wav", "wet": "b.wav", "lag": 2}]}'
    plan = read_plan(write(tmp_path, text, "manifest.json"))
    assert (plan.name, plan.sources[0].name, plan.sources[0].lag) == ("5150", "1.50", 2)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.yaml"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_skipped(tmp_path: Path, name: str, encoding: str) -> None:
    """Windows editors write one."""
    (tmp_path / name).write_bytes(
        '{"name": "Größe", "pairs": [{"dry": "a.wav", "wet": "b.wav"}]}'.encode(encoding)
    )
    assert read_plan(tmp_path).name == "Größe"

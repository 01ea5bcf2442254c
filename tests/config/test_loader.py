"""Loading the configuration: all errors at once, and no exception but `ConfigError`."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nemod.common.errors import ConfigError
from nemod.config import (
    LOG_LEVELS,
    AudioConfig,
    Config,
    LogConfig,
    OscConfig,
    default_path,
    load,
    log_level,
)
from nemod.config.loader import MAX_CONFIG_BYTES
from tests.config.conftest import Write


def problems(path: Path | None, overrides: dict[str, Any] | None = None) -> tuple[str, ...]:
    """Return the problems of a file."""
    with pytest.raises(ConfigError) as caught:
        load(path, overrides or {})
    assert caught.value.source == (str(path) if path else "command line")
    return caught.value.problems


def test_without_a_file_everything_has_its_default() -> None:
    """The file at the default path may be absent."""
    assert not default_path().exists()
    assert load(None, {}) == Config()
    assert Config().audio == AudioConfig(device="demo", input=1, output=(), rate=None, block=64)
    assert Config().osc == OscConfig(port=9000, local=False, allow=())
    assert Config().log == LogConfig(level="info", json=False)


def test_the_default_path_follows_the_desktops_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    """`$XDG_CONFIG_HOME/nemod/config.yaml`, else `~/.config/nemod/config.yaml`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/etc/here")
    assert default_path() == Path("/etc/here/nemod/config.yaml")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_path() == Path("/home/somebody/.config/nemod/config.yaml")


def test_the_file_at_the_default_path_is_read() -> None:
    """Without `--config`."""
    default_path().parent.mkdir(parents=True)
    default_path().write_text("audio: {block: 128}\n")
    assert load(None, {}).audio.block == 128


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """Only the default one may be absent."""
    assert problems(tmp_path / "none.yaml") == ("No such file or directory",)
    assert problems(tmp_path) == ("Is a directory",)


def test_every_key_is_read(write: Write) -> None:
    """A whole file, as the documentation shows it."""
    path = write(
        """
        audio:
          device: Scarlett
          input: 2
          output: [3, 4]
          rate: 96000
          block: 32
        osc: {port: 0, local: true, allow: [10.8.0.0/24, 192.168.7.4, "fd00::1/8"]}
        log: {level: Debug, json: true}
        model: amp
        library: [/srv/models, ~/amps]
        """
    )
    assert load(path, {}) == Config(
        audio=AudioConfig(device="Scarlett", input=2, output=(3, 4), rate=96_000, block=32),
        osc=OscConfig(port=0, local=True, allow=("10.8.0.0/24", "192.168.7.4/32", "fd00::/8")),
        log=LogConfig(level="debug", json=True),
        model="amp",
        library=(Path("/srv/models"), Path.home() / "amps"),
    )


def test_what_surfaces_may_do_is_read(write: Write) -> None:
    """Targets have an address and a port, several values may be one."""
    path = write(
        """
        osc:
          allow_write: 192.168.1.7
          feedback: ["192.168.1.7:9001", "[fd00::7]:9002"]
          compat: NeuralPi
        http: {port: off, allow_hosts: [rig.example.org, rig.example.org]}
        presets: sounds
        announce: false
        """
    )
    config = load(path, {})
    assert config.osc.allow_write == ("192.168.1.7/32",)
    assert config.osc.feedback == (("192.168.1.7", 9001), ("fd00::7", 9002))
    assert config.osc.compat == ("neuralpi",)
    assert (config.http.port, config.http.allow_hosts) == (-1, ("rig.example.org",))
    assert (config.presets, config.announce) == (path.parent / "sounds", False)


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "{}"])
def test_an_empty_file_changes_nothing(write: Write, text: str) -> None:
    """Comments alone are a configuration too."""
    assert load(write(text), {}) == Config()


@pytest.mark.parametrize(
    ("text", "expected"), [("off", None), ("'off'", None), ("auto", "auto"), ("0", 0), ("20", 20)]
)
def test_how_long_processors_may_sleep(write: Write, text: str, expected: object) -> None:
    """Zero is no sleep at all, which is not the same as `off`."""
    assert load(write(f"audio: {{cpu_latency: {text}}}"), {}).audio.cpu_latency == expected


def test_one_value_may_stand_for_a_list_of_one(write: Write) -> None:
    """A channel, a folder, a network."""
    config = load(write("audio: {output: 2}\nosc: {allow: 10.0.0.1}\nlibrary: /srv"), {})
    assert config.audio.output == (2,)
    assert config.osc.allow == ("10.0.0.1/32",)
    assert config.library == (Path("/srv"),)


def test_the_command_line_wins_over_the_file(write: Write) -> None:
    """Key by key: what it does not state is as the file says."""
    path = write("audio: {block: 128, rate: 48000}\nmodel: one")
    config = load(path, {"audio.block": 256, "model": "two", "osc.local": True})
    assert (config.audio.block, config.audio.rate) == (256, 48_000)
    assert (config.model, config.osc.local) == ("two", True)


def test_all_problems_are_reported_at_once(write: Write) -> None:
    """Each with its key, what was written, what is allowed, and a suggestion."""
    path = write(
        """
        audio: {blok: 64, block: 16, rate: fast, input: true}
        osc: {port: 70000, local: 1, allow: [everywhere]}
        log: {level: warn}
        modle: amp
        """
    )
    blok, block, rate, channel, port, local, allow, level, modle = problems(path)
    assert blok == (
        "audio.blok: unknown key, did you mean 'block'?; "
        "allowed here: device, input_device, input, output, rate, block, periods, cpu_latency, wait"
    )
    assert block == "audio.block: 16: a whole number from 32 to 1024 frames is expected"
    assert rate == (
        "audio.rate: 'fast': a whole number from 44100 to 96000 Hz is expected, or 'model'"
    )
    assert channel == "audio.input: true: a whole number from 1 to 256 is expected"
    assert port == "osc.port: 70000: a whole number from 0 to 65535 is expected"
    assert local == "osc.local: 1: true or false is expected"
    assert allow.startswith("osc.allow: ['everywhere']: 'everywhere' is not a network, such as ")
    assert level == (
        "log.level: 'warn': one of debug, info, warning, error is expected, did you mean 'warning'?"
    )
    assert modle.startswith("modle: unknown key, did you mean 'model'?; allowed here: audio, osc")


def test_problems_of_the_command_line_come_with_those_of_the_file(write: Write) -> None:
    """Each says where it is from."""
    file, line = problems(write("audio: {block: 1}"), {"audio.rate": "x"})
    assert file.startswith("audio.block: 1:")
    assert line.startswith("command line: --rate x:")


def test_problems_of_the_command_line_alone_are_its_own(write: Write) -> None:
    """The file is not mentioned."""
    path = write("audio: {block: 64}")
    with pytest.raises(ConfigError) as caught:
        load(path, {"audio.block": 7})
    assert caught.value.source == "command line"
    assert problems(None, {"audio.block": 7}) == caught.value.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "audio: 64",
            "audio: keys (device, input_device, input, output, rate, block, periods, cpu_latency, "
            "wait) are expected, "
            "not 64",
        ),
        (
            "- audio",
            "the file: keys (audio, osc, http, midi, log, level, size, step_down, model, library, "
            "cab, cabinets, chains, state, presets, announce, standby) are expected, not a list",
        ),
        ("audio: {output: [1, 2, 3]}", "audio.output: [1, 2, 3]: one channel or two"),
        ("audio: {output: []}", "audio.output: []: one channel or two"),
        ("audio: {output: [0]}", "audio.output: [0]: a whole number from 1 to 256 is expected"),
        ("audio: {device: ' '}", "audio.device: ' ': a name (text) is expected"),
        ("audio: {block: 64.0}", "audio.block: 64.0: a whole number"),
        (
            "audio: {cpu_latency: -1}",
            "audio.cpu_latency: -1: a whole number from 0 to 10000 us is expected, or 'auto' "
            "or 'off'",
        ),
        ("audio: {cpu_latency: on}", "audio.cpu_latency: on: a whole number from 0"),
        ("model: ''", "model: '': a name (text) is expected"),
        ("model:", "model: nothing: a name (text) is expected"),
        ("model: [Crunch]", "model: ['Crunch']: a name (text) is expected, in quotes where it "),
        ("library: [[a]]", "library: [['a']]: a folder, or a list of folders, is expected"),
        ("library: ~nobody-has-this-name/x", "library: '~nobody-has-this-name/x': ~nobody-has-"),
        ("osc: {local: 'on'}", "osc.local: 'on': true or false is expected, without quotes"),
        ("audio: {output: 1,2}", "audio.2: unknown key; inside { } a value with a comma needs "),
        ("osc: {allow: 10}", "osc.allow: 10: 10 is not a network"),
        ("osc: {allow: true}", "osc.allow: true: true is not a network"),
        ("osc: {feedback: 192.168.1.7}", "osc.feedback: '192.168.1.7': '192.168.1.7' is not an "),
        ("osc: {feedback: 'phone:9001'}", "osc.feedback: 'phone:9001': 'phone:9001' is not an "),
        ("osc: {feedback: '10.0.0.1:0'}", "osc.feedback: '10.0.0.1:0': '10.0.0.1:0' is not an "),
        ("osc: {feedback: 'fd00::7:9001'}", "osc.feedback: 'fd00::7:9001': 'fd00::7:9001' is not"),
        ("osc: {compat: [nam]}", "osc.compat: ['nam']: one of neuralpi is expected"),
        ("http: {port: 65536}", "http.port: 65536: a whole number from 0 to 65535 is expected, or"),
        ("http: {allow_hosts: ['']}", "http.allow_hosts: ['']: a host name (text) is expected"),
        ("presets: []", "presets: []: a folder is expected"),
        ("1: 2", "1: unknown key"),
    ],
)
def test_a_wrong_value_is_reported_with_its_key(write: Write, text: str, problem: str) -> None:
    """With what was written and what is allowed."""
    (found,) = problems(write(text))
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("audio:\n  block: [64\n", "line 3, column 1: not YAML: "),
        ("audio: {block: 64}\n\tosc: 1\n", "line 2, column 1: not YAML: "),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4: not YAML: "),
        ("a: !!timestamp '2001-99-99'", "line 1, column 4: not YAML: '2001-99-99' cannot be"),
        ("a: !!int '0x_'", "line 1, column 4: not YAML: '0x_' cannot be read as int"),
        ("a: !!int '" + "9" * 5000 + "'", "line 1, column 4: not YAML: '999"),
        (
            "model: *Crunch*",
            "line 1, column 15: not YAML: expected alphabetic or numeric character, ",
        ),
        ("model: Amp: Clean", "line 1, column 11: not YAML: mapping values are not allowed here; "),
        ("model: @home", "line 1, column 8: not YAML: found character '@' that cannot start any "),
        ("model: !Crunch", "line 1, column 8: not YAML: could not determine a constructor for the"),
        ('model: "\\ud800"', "line 1, column 8: not YAML: "),
        ('library: "a\\0b"', "line 1, column 10: not YAML: "),
        ("a: 1\n---\nb: 2", "line 2, column 1: not YAML: "),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place(write: Write, text: str, place: str) -> None:
    """Line and column, counted from 1."""
    (found,) = problems(write(text))
    assert found.startswith(place)


def test_aliases_are_refused(write: Write) -> None:
    """A few lines of them can grow to any size."""
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    (found,) = problems(write("\n".join(lines)))
    assert (
        found
        == "line 2, column 10: not YAML: aliases are not allowed; a name with : # @ % & * ! or "
        "a comma in it needs quotes"
    )


def test_what_is_not_utf_8_is_refused(write: Write) -> None:
    """With the position of the first such byte."""
    assert problems(write(b"model: \xffamp")) == ("not UTF-8 text, at byte 7",)


def test_a_file_that_is_too_large_is_not_even_read(write: Write) -> None:
    """A configuration has a few lines."""
    path = write("#" * (MAX_CONFIG_BYTES + 1))
    assert problems(path) == (f"larger than {MAX_CONFIG_BYTES} bytes",)


def test_deep_nesting_is_refused(write: Write) -> None:
    """Without a stack overflow."""
    assert problems(write("[" * 5000)) == ("nested too deeply",)


def test_every_level_has_a_number() -> None:
    """In the order in which they are listed."""
    numbers = [log_level(name) for name in LOG_LEVELS]
    assert numbers == sorted(set(numbers))


def test_a_written_configuration_is_read_back(write: Write) -> None:
    """YAML writes and reads the same values."""
    tree = {
        "audio": {"device": "x: y", "input": 7, "output": [2, 1], "rate": 44_100, "block": 1024},
        "osc": {"port": 65_535, "local": True, "allow": ["0.0.0.0/0"]},
        "log": {"level": "error", "json": True},
        "model": "no",
        "library": ["/a", "/b"],
    }
    config = load(write(yaml.safe_dump(tree)), {})
    assert config.audio == AudioConfig(
        device="x: y", input=7, output=(2, 1), rate=44_100, block=1024
    )
    assert config.model == "no"
    assert config.library == (Path("/a"), Path("/b"))


KEYS = ["audio", "device", "input", "output", "rate", "block", "osc", "port", "local", "allow"]
KEYS += ["log", "level", "json", "model", "library", "<<", "1", "!!int", "!!timestamp", "~"]
SCALARS = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        [
            "64",
            "[1, 2]",
            "null",
            "~",
            "~root",
            "~x",
            "yes",
            "1:30",
            "2001-01-01",
            "=",
            "0x_",
            ".nan",
            "&a",
            "*a",
            "!!binary AAAA",
            "!!set {a}",
            "!!bool x",
            "!!float",
            '"\\U00110000"',
            "{",
        ]
    ),
    st.text(max_size=8),
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Generate lines that look like a configuration, and some that do not."""
    line = st.builds(
        lambda indent, key, value: f"{'  ' * indent}{key}: {value}",
        st.integers(0, 2),
        st.sampled_from(KEYS),
        st.one_of(st.just(""), SCALARS),
    )
    return "\n".join(draw(st.lists(st.one_of(line, st.text(max_size=12)), max_size=8)))


def outcome(path: Path) -> tuple[str, ...]:
    """Return the problems of a file, or what its configuration looks like."""
    try:
        return (repr(load(path, {})),)
    except ConfigError as error:
        return error.problems or ("",)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(documents(), st.text(max_size=60)))
@example('a: "\\UFFFFFFFF"')
@example("a: !!timestamp x")
@example("a: !!int ''")
@example("? 0x" + "f" * 5000 + "\n: 1")
@example("? [a]\n: 1")
@example("\x00")
def test_any_text_is_a_configuration_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """No other exception is raised, whatever the file contains."""
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert all(outcome(path))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_configuration_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Text or not."""
    path = tmp_path_factory.getbasetemp() / f"any-{os.getpid()}.yaml"
    path.write_bytes(data)
    assert all(outcome(path))

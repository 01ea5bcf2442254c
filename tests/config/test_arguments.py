"""The options on the command line, made from their declarations."""

import argparse
import os
import re
from pathlib import Path

import pytest

from nemod.config import Config, load
from nemod.config.arguments import add_options, configuration, words
from nemod.config.options import OPTIONS

SAMPLES = {
    "audio.device": ["UMC 202HD"],
    "audio.input_device": ["Scarlett"],
    "audio.input": ["2"],
    "audio.output": ["1,2"],
    "audio.rate": ["model"],
    "audio.block": ["128"],
    "audio.periods": ["2"],
    "audio.cpu_latency": ["off"],
    "audio.wait": [],
    "osc.port": ["9001"],
    "osc.local": [],
    "osc.allow": ["10.0.0.0/8", "fd00::/8"],
    "http.port": ["9090"],
    "midi.enable": [],
    "midi.bindings": ["pedals.yaml"],
    "midi.raw": ["/dev/ttyAMA0", "pipe"],
    "log.level": ["debug"],
    "log.json": [],
    "size": ["0.5"],
    "model": ["0815"],
    "library": ["/a", "b"],
    "cab": ["4x12"],
    "cabinets": ["/c", "d"],
    "state": ["c.json"],
    "presets": ["p"],
    "announce": [],
    "standby": [],
    "step_down": [],
}
"""A value that is not the default, for each option with a flag."""


def parser() -> argparse.ArgumentParser:
    """Return a parser with all options."""
    made = argparse.ArgumentParser(prog="program")
    add_options(made)
    return made


def given(key: str) -> list[str]:
    """Return an option as it is typed."""
    flag = OPTIONS[key].declaration.flag
    return [word for value in SAMPLES[key] for word in (flag, value)] or [flag]


def test_every_option_with_a_flag_has_a_sample() -> None:
    """A new option is tested below as soon as it is declared."""
    assert set(SAMPLES) == {key for key, option in OPTIONS.items() if option.declaration.flag}


@pytest.mark.parametrize("key", SAMPLES)
def test_flag_and_key_mean_the_same(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a flag, as the value of the key in a file of the current folder."""
    monkeypatch.chdir(tmp_path)
    *sections, name = key.split(".")
    values = SAMPLES[key] or ["true"]
    text = values[0] if len(values) == 1 else f"[{', '.join(map(repr, values))}]"
    line = f"{name}: {text}\n"
    Path("c.yaml").write_text(f"{sections[0]}:\n  {line}" if sections else line)
    from_file = load(Path("c.yaml"), {})
    assert configuration(parser().parse_args(given(key))) == from_file != Config()


@pytest.mark.parametrize("key", SAMPLES)
def test_words_are_the_same_command_line_with_absolute_paths(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed in another folder, they give the same configuration."""
    monkeypatch.chdir(tmp_path)
    parsed = parser().parse_args(given(key))
    config, typed = configuration(parsed), words(parsed)
    monkeypatch.chdir("/")
    assert configuration(parser().parse_args(typed)) == config


def test_a_configuration_file_is_absolute_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is a relative one below the home."""
    monkeypatch.chdir(tmp_path)
    assert words(parser().parse_args(["--config", "c.yaml"])) == ["--config", f"{tmp_path}/c.yaml"]
    monkeypatch.setenv("HOME", "/home/jimi")
    assert words(parser().parse_args(["--config=~/c"])) == ["--config", "/home/jimi/c"]


def test_help_has_range_and_default_of_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the declaration: what is enforced is what is documented."""
    monkeypatch.setenv("COLUMNS", "300")
    lines = re.sub(r"\n {20,}", " ", parser().format_help())
    for option in OPTIONS.values():
        if not (flag := option.declaration.flag):
            continue
        (line,) = re.findall(rf"^  {flag}[ \n].*", lines, re.MULTILINE)
        assert option.declaration.check.range in line
        assert option.declaration.help.partition("'")[0] in line
        if option.default is not False:
            assert f"[{option.default_text}]" in line


@pytest.mark.parametrize(("given", "problem"), [("31", "32 to 1024"), ("1025", "32 to 1024")])
def test_the_range_of_the_help_is_enforced(given: str, problem: str) -> None:
    """At both ends."""
    with pytest.raises(Exception, match=f"--block {given}: a whole number from {problem} frames"):
        configuration(parser().parse_args(["--block", given]))
    for allowed in ("32", "1024"):
        config = configuration(parser().parse_args(["--block", allowed, "--config", os.devnull]))
        assert config.audio.block == int(allowed)

"""Values of the configuration: names as they were written, and absolute paths."""

from pathlib import Path

import pytest

from nemod.common.errors import ConfigError
from nemod.config import Config, load
from tests.config.conftest import Write

TYPED = ["5150", "0815", "0777", "1e3", "1_000", "1:30", "on", "no", "null", "~", "2024-01-01"]
TYPED += ["2024-13-99", "0x1F", ".5", "9" * 500, "=", "<<", "Überdrive", "1.50", "+5"]


@pytest.mark.parametrize("text", TYPED)
def test_a_name_is_the_text_that_was_written(write: Write, text: str) -> None:
    """Whatever YAML takes it for; the command line gives the same."""
    config = load(write(f"model: {text}\naudio:\n  device: {text}\n"), {})
    assert (config.model, config.audio.device) == (text, text)
    assert load(None, {"model": text, "audio.device": text}).model == text
    assert load(write(f"state: x/{text}"), {}).state == write("").parent / "x" / text


@pytest.mark.parametrize("text", ['"1,2"', "1,2", "[1, 2]", "'1, 2'"])
def test_two_channels_in_any_notation(write: Write, text: str) -> None:
    """As on the command line."""
    assert load(write(f"audio:\n  output: {text}\n"), {}).audio.output == (1, 2)
    assert load(None, {"audio.output": "1,2"}).audio.output == (1, 2)


def test_a_number_in_quotes_is_a_number(write: Write) -> None:
    """Where a number is expected."""
    config = load(write('audio: {block: "128", output: "2"}\nsize: ".5"'), {})
    assert (config.audio.block, config.audio.output, config.size) == (128, (2,), 0.5)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_skipped(write: Write, encoding: str) -> None:
    """Editors of Windows write one, in UTF-8 and in UTF-16."""
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""
    assert load(write((mark + "model: Größe").encode(encoding)), {}).model == "Größe"


def test_paths_in_a_file_are_relative_to_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    """Wherever the program is started; the result is absolute."""
    (tmp_path / "amps").mkdir()
    (tmp_path / "amps" / "5150").write_text("a model")
    path = write("library: [amps, ../b, ~/c]\nstate: kept/state.json\nmodel: amps/5150")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("HOME", "/home/jimi")
    for folder, name in ((elsewhere, path), (tmp_path, Path(path.name))):
        monkeypatch.chdir(folder)
        config = load(name, {})
        assert config.library == (tmp_path / "amps", tmp_path / "../b", Path("/home/jimi/c"))
        assert config.state == tmp_path / "kept/state.json"
        assert config.model == str(tmp_path / "amps/5150")


def test_paths_on_the_command_line_are_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    """Not to the file's; a model that is no file stays a name."""
    path = write("library: amps")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    config = load(path, {"library": ["amps"], "state": "my.json", "model": "fuzz"})
    assert config.library == (elsewhere / "amps",)
    assert (config.state, config.model) == (elsewhere / "my.json", "fuzz")


def test_a_current_folder_that_was_deleted_matters_only_to_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is then an error that says so."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load(None, {"audio.block": "128", "state": "/a/b"}).audio.block == 128
    with pytest.raises(ConfigError, match="--state b: the current folder cannot be determined"):
        load(None, {"state": "b"})


def test_without_a_home_there_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is looked for."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert load(None, {}) == Config()

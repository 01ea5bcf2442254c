"""Files that are no model: each is refused with one clear error, in bounded time."""

import json
import os
from pathlib import Path

import pytest

from nemod.common.errors import ModelError
from nemod.formats import load_model
from nemod.formats.readers.json_file import MAX_BYTES

CONTENT = [
    (b"", "the file is empty"),
    (b" \n\n", "the file is empty"),
    (b"\xef\xbb\xbf", "the file is empty"),
    (b"\n<!DOCTYPE html><html>", "this is a web page"),
    (b"version https://git-lfs.github.com/spec/v1\n", "this is a Git LFS pointer"),
    (b"PK\x03\x04\x14\x00", "this is a zip archive, expected JSON; unpack it and use the model"),
    (b"\x1f\x8b\x08\x00", "this is a gzip archive"),
    (b"\x89PNG\r\n", "this is not JSON: it begins with b'\\x89PNG"),
    (b"\xff\xfe{", "begins with a UTF-16 byte order mark, but is not UTF-16"),
    (b'{"a": "\x00"}', "this is not JSON: it begins with"),
    (b'{"a":\n  "\xff"}', "line 2 column 4: byte 0xff is not UTF-8"),
    (b'{"a": 1\n "b": 2}', "line 2 column 2: not JSON: Expecting ',' delimiter"),
    (b'{"a": [1, 2', "line 1 column 12: not JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b"[" + b"[],\n" * 600_000 + b"1]", "more than 500000 objects and lists"),
    (b"[" + b'"",' * 2_100_000 + b"1]", "more than 2000000 strings"),
    (b"[]", "a list of 0, expected an object"),
    (b"3", "3, expected an object"),
    (b"{}", "no known kind of model: it has nothing"),
    (b'{"weight": [], "bias": []}', "bare PyTorch tensors without their sizes, expected"),
]


@pytest.mark.parametrize(("content", "message"), CONTENT, ids=[m[:24] for _, m in CONTENT])
def test_other_content_is_named(write, content: bytes, message: str) -> None:
    """The error says what the file is, with line and column where there is one."""
    path = write(content)
    with pytest.raises(ModelError) as caught:
        load_model(path)
    assert caught.value.reason.startswith(message)
    assert caught.value.path == str(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_allowed(write, rnn, encoding: str) -> None:
    """Windows editors write one, PowerShell's redirection writes UTF-16."""
    mark = "\ufeff" if encoding.endswith("e") else ""
    path = write((mark + json.dumps(rnn())).encode(encoding))
    assert load_model(path).name == "model"


def test_a_directory_a_pipe_and_nothing_are_named(tmp_path: Path) -> None:
    """A named pipe is refused without waiting for a writer."""
    with pytest.raises(ModelError, match="this is a directory"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "absent.json")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="not a regular file"):
        load_model(tmp_path / "pipe")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(tmp_path / ("x" * 5000))


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """Its size is checked before it is read."""
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelError, match="a model file has at most"):
        load_model(path)


def test_released_malformed_files_are_refused(shared_data: Path) -> None:
    """A saved web page, and two documents that lack a comma."""
    folder = shared_data / "models" / "malformed"
    for path in sorted(folder.iterdir()):
        with pytest.raises(ModelError, match=r"web page|line [0-9]+ column [0-9]+: not JSON"):
            load_model(path)

"""Logging: one line an event, on standard error."""

import json

import pytest
import structlog

from nemod.cli.log import configure
from nemod.config import LogConfig


def test_json_lines_can_be_read_by_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, with event, level, time and what was given."""
    configure(LogConfig(json=True))
    log = structlog.get_logger()
    log.info("model", name="amp\n2")
    log.warning("rate", model_rate_hz=44_100)
    out, err = capsys.readouterr()
    first, second = (json.loads(line) for line in err.splitlines())
    assert out == ""
    assert (first["event"], first["level"], first["name"]) == ("model", "info", "amp\n2")
    assert (second["level"], second["model_rate_hz"]) == ("warning", 44_100)
    assert first["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """The level is the configuration's."""
    configure(LogConfig(level="warning", json=True))
    log = structlog.get_logger()
    log.info("hidden")
    log.error("shown")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["shown"]


def test_lines_for_people_hold_event_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Without colour codes where standard error is no terminal."""
    configure(LogConfig())
    structlog.get_logger().info("model", name="amp")
    line = capsys.readouterr().err
    assert "info" in line
    assert "model name=amp" in line
    assert "\x1b" not in line


def test_an_exception_is_logged_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """As text within the object."""
    configure(LogConfig(json=True))
    try:
        float("out of reach")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = capsys.readouterr().err.splitlines()
    trace = json.loads(line)["exception"]
    assert trace.endswith("ValueError: could not convert string to float: 'out of reach'")

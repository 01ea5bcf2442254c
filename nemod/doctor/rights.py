"""Real-time priority, locked memory and device nodes: what the audio process may do."""

import os
from collections.abc import Iterator

from nemod.doctor.finding import Finding, advice, ok, problem, unknown
from nemod.doctor.machine import UNLIMITED, Machine
from nemod.engine.realtime import FIFO_PRIORITY

LIMITS_FILE = "/etc/security/limits.d/audio.conf"
_SHARE_US = 950_000
"""[us] Of each second, the kernel's default share for threads of real-time priority."""


def _limits(line: str, machine: Machine) -> str:
    join = "" if "audio" in machine.groups else f", add {machine.user} to the group audio"
    return (
        f"put the line '{line}' into {LIMITS_FILE}{join}, and log in again; "
        "`nemod service install` needs neither"
    )


def check_priority(machine: Machine) -> Iterator[Finding]:
    """Check that the audio thread may take its real-time priority."""
    if machine.is_root or machine.rtprio == UNLIMITED or machine.rtprio >= FIFO_PRIORITY:
        yield ok("realtime-priority", "the audio thread gets its real-time priority")
    else:
        yield problem(
            "realtime-priority",
            f"the audio thread gets no real-time priority: {FIFO_PRIORITY} is needed, the limit is "
            f"{machine.rtprio}",
            _limits("@audio - rtprio 95", machine),
        )
    share_us = machine.number("/proc/sys/kernel/sched_rt_runtime_us")
    if share_us is not None and 0 <= share_us < _SHARE_US:
        yield advice(
            "realtime-share",
            f"threads of real-time priority get {share_us / 10_000:.0f} % of a processor at most",
            f"sysctl kernel.sched_rt_runtime_us={_SHARE_US}",
        )


def check_memory(machine: Machine) -> Iterator[Finding]:
    """Check that the audio process may lock its memory."""
    if machine.is_root or machine.memlock_bytes == UNLIMITED:
        yield ok("locked-memory", "the audio process locks its memory")
        return
    yield problem(
        "locked-memory",
        f"the audio process cannot lock its memory (the limit is {machine.memlock_bytes} bytes): "
        "what is swapped out is a dropout when it is needed",
        _limits("@audio - memlock unlimited", machine),
    )


def check_nodes(machine: Machine) -> Iterator[Finding]:
    """Check that the nodes of sound cards may be opened, and by which group."""
    nodes = machine.find("/dev/snd/pcmC*")
    if not nodes:
        if machine.path("/dev/snd").is_dir() or not machine.read("/proc/asound/cards"):
            yield unknown("sound-nodes", "there is no sound card whose rights could be checked")
        else:
            yield problem(
                "sound-nodes",
                "the kernel has sound cards and /dev/snd is missing",
                "a container gets them by --device /dev/snd; a system service by the unit of "
                "`nemod service install --system`",
            )
        return
    refused = [node.name for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if not refused:
        yield ok("sound-nodes", "sound cards may be opened")
        return
    member = "audio" in machine.groups
    yield problem(
        "sound-nodes",
        f"{machine.user} may not open {', '.join(refused)}",
        "udev gives them to the group audio: check `ls -l /dev/snd`"
        if member
        else f"add {machine.user} to the group audio (usermod -aG audio {machine.user}) and log in "
        "again",
    )


def check_cpu_latency(machine: Machine) -> Iterator[Finding]:
    """Check that processors can be kept out of deep idle states."""
    node = machine.path("/dev/cpu_dma_latency")
    driver = machine.read("/sys/devices/system/cpu/cpuidle/current_driver")
    if driver in ("", "none"):
        yield ok("idle-states", "the processors have no idle states that delay a block")
    elif machine.is_root or os.access(node, os.W_OK):
        yield ok("idle-states", "nemod keeps the processors out of deep idle states")
    else:
        yield advice(
            "idle-states",
            "the processors may enter deep idle states between two blocks",
            'put KERNEL=="cpu_dma_latency", GROUP="audio", MODE="0660" into '
            "/etc/udev/rules.d/99-audio.rules and restart; `nemod service install --system` does "
            "it by itself",
        )

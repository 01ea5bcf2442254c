"""The checks of `nemod doctor`, in a folder that stands for a machine."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from nemod.doctor import cards, checks, interrupts, network, processor, rights, service, storage
from nemod.doctor.finding import Finding, Level
from nemod.doctor.machine import UNLIMITED, Machine
from nemod.service.unit import ServiceKind, UnitRequest, render

OK, ADVICE, PROBLEM, UNKNOWN = Level
Check = Callable[[Machine], Iterable[Finding]]
CPU = "sys/devices/system/cpu"
USB = "sys/devices/usb1/1-1/1-1.2"


def machine(root: Path, files: dict[str, str], **facts: Any) -> Machine:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Machine(**{"root": root, "user": "ada", "groups": frozenset({"audio"}), **facts})


def swaps(line: str) -> dict[str, str]:
    return {
        "proc/swaps": f"Filename Type Size Used Priority\n{line}\n",
        "proc/mounts": "/dev/mmcblk0p2 / ext4 rw 0 0\n",
    }


def irq(priority: int) -> dict[str, str]:
    fields = ["S", *["0"] * 36, str(priority), "1"]
    return {
        "proc/9/comm": "irq/31-xhci_hcd\n",
        "proc/9/stat": f"9 (irq/31-xhci) {' '.join(fields)}",
    }


CARD = {
    "proc/asound/cards": " 2 [U192k          ]: USB-Audio - UMC202HD\n   at usb-1\n",
    "proc/asound/pcm": "02-00: USB Audio : USB Audio : playback 1 : capture 1\n",
}
TWO_CARDS = {
    "proc/asound/cards": CARD["proc/asound/cards"] + " 3 [USB  ]: USB-Audio - Scarlett\n",
    "proc/asound/pcm": CARD["proc/asound/pcm"] + "03-00: USB Audio : USB Audio : capture 1\n",
}
DRIFT = {"clocks": ADVICE}
JACKD = {
    "proc/asound/card2/pcm0p/sub0/status": "state: RUNNING\nowner_pid   : 812\n",
    "proc/812/status": "Tgid:\t812\n",
    "proc/812/cmdline": "jackd\0-d\0alsa\0",
}
SHARED = "   16:   5   7  IR-IO-APIC   16-fasteoi   xhci_hcd:usb1, ath9k\n"
ALONE = (
    "   16:   5   7  IR-IO-APIC   16-fasteoi   xhci_hcd:usb1\n   17:  1 1  GIC-0 9 Level  eth0, x\n"
)


@pytest.mark.parametrize(
    ("check", "files", "facts", "expected"),
    [
        (rights.check_priority, {}, {"rtprio": 95}, {"realtime-priority": OK}),
        (rights.check_priority, {}, {"rtprio": UNLIMITED}, {"realtime-priority": OK}),
        (rights.check_priority, {}, {"rtprio": 20}, {"realtime-priority": PROBLEM}),
        (
            rights.check_priority,
            {"proc/sys/kernel/sched_rt_runtime_us": "500000"},
            {"is_root": True},
            {"realtime-priority": OK, "realtime-share": ADVICE},
        ),
        (rights.check_memory, {}, {"memlock_bytes": 8_388_608}, {"locked-memory": PROBLEM}),
        (rights.check_memory, {}, {"memlock_bytes": UNLIMITED}, {"locked-memory": OK}),
        (rights.check_nodes, {}, {}, {"sound-nodes": UNKNOWN}),
        (rights.check_nodes, {"dev/snd/pcmC0D0p": ""}, {}, {"sound-nodes": OK}),
        (rights.check_nodes, CARD, {}, {"sound-nodes": PROBLEM}),
        (rights.check_cpu_latency, {}, {}, {"idle-states": OK}),
        (
            rights.check_cpu_latency,
            {f"{CPU}/cpuidle/current_driver": "intel_idle"},
            {},
            {"idle-states": ADVICE},
        ),
        (processor.check_governor, {}, {}, {"governor": OK}),
        (
            processor.check_governor,
            {f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n"},
            {},
            {"governor": OK},
        ),
        (
            processor.check_governor,
            {
                f"{CPU}/cpu0/cpufreq/scaling_governor": "performance\n",
                f"{CPU}/cpu1/cpufreq/scaling_governor": "powersave\n",
            },
            {},
            {"governor": ADVICE},
        ),
        (processor.check_temperature, {}, {}, {"temperature": UNKNOWN}),
        (
            processor.check_temperature,
            {
                "sys/class/thermal/thermal_zone0/temp": "45000\n",
                "sys/class/thermal/thermal_zone1/temp": "84000\n",
                "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
            },
            {},
            {"temperature": PROBLEM, "throttling": PROBLEM},
        ),
        (
            processor.check_temperature,
            {
                "sys/class/thermal/thermal_zone0/temp": "45000\n",
                "sys/devices/platform/soc/soc:firmware/get_throttled": "0\n",
            },
            {},
            {"temperature": OK, "throttling": OK},
        ),
        (
            processor.check_temperature,
            {
                "sys/class/thermal/thermal_zone0/temp": "45000\n",
                "sys/devices/platform/soc@1/soc@1:firmware/get_throttled": "4\n",
            },
            {},
            {"temperature": OK, "throttling": PROBLEM},
        ),
        (processor.check_kernel, {"proc/cmdline": "quiet preempt=none"}, {}, {"kernel": ADVICE}),
        (processor.check_kernel, {"sys/kernel/realtime": "1\n"}, {}, {"kernel": OK}),
        (interrupts.check_shared, {"proc/interrupts": SHARED}, {}, {"shared-interrupts": ADVICE}),
        (interrupts.check_shared, {"proc/interrupts": ALONE}, {}, {"shared-interrupts": OK}),
        (interrupts.check_threaded, irq(50), {}, {"threaded-interrupts": ADVICE}),
        (interrupts.check_threaded, irq(85), {}, {"threaded-interrupts": OK}),
        (cards.check_cards, {}, {}, {"cards": PROBLEM}),
        (cards.check_cards, CARD, {}, {"cards": OK}),
        (cards.check_cards, CARD | JACKD, {}, {"cards": OK, "card-owner": PROBLEM}),
        (
            cards.check_cards,
            CARD | JACKD | {"proc/812/cmdline": "nemod audio\0"},
            {},
            {"cards": OK, "card-owner": OK},
        ),
        (cards.check_clocks, CARD, {"device": "UMC202HD"}, {"clocks": OK}),
        (cards.check_clocks, CARD, {"device": "umc", "input_device": "U192k"}, {"clocks": OK}),
        (cards.check_clocks, {}, {"device": "umc", "input_device": "umc"}, {"clocks": OK}),
        (cards.check_clocks, TWO_CARDS, {"device": "UMC", "input_device": "Scar"}, DRIFT),
        (cards.check_clocks, CARD, {"device": "umc", "input_device": "other"}, DRIFT),
        (cards.check_clocks, {}, {"device": "plughw:1", "input_device": "hw:2"}, DRIFT),
        (cards.check_servers, {"proc/7/comm": "wireplumber\n"}, {}, {"sound-servers": ADVICE}),
        (cards.check_servers, {"proc/7/comm": "jackd\n"}, {}, {"sound-servers": OK}),
        (cards.check_servers, {"proc/7/comm": "bash\n"}, {}, {"sound-servers": OK}),
        (storage.check_swap, swaps("/dev/zram0 partition 1 0 100"), {}, {"swap": OK}),
        (storage.check_swap, swaps("/dev/sda2 partition 1 0 100"), {}, {"swap": OK}),
        (storage.check_swap, swaps("/var/swap file 1 0 100"), {}, {"swap": ADVICE}),
        (storage.check_swap, swaps("/dev/mmcblk0p3 partition 1 0 1"), {}, {"swap": ADVICE}),
        (
            storage.check_memory_size,
            {"proc/meminfo": "MemTotal: 900000 kB"},
            {},
            {"memory": ADVICE},
        ),
        (storage.check_memory_size, {"proc/meminfo": "MemTotal: 3900000 kB"}, {}, {"memory": OK}),
        (network.check_wifi, {}, {}, {"wifi-power": OK}),
        (
            network.check_wifi,
            {"sys/class/net/nosuch0/wireless/x": ""},
            {},
            {"wifi-power": UNKNOWN},
        ),
    ],
)
def test_a_check_finds_what_there_is(
    tmp_path: Path,
    check: Check,
    files: dict[str, str],
    facts: dict[str, Any],
    expected: dict[str, Level],
) -> None:
    """Whatever is not well has a remedy."""
    found = list(check(machine(tmp_path, files, **facts)))
    assert {finding.check: finding.level for finding in found} == expected
    for finding in found:
        assert bool(finding.remedy) == (finding.level in (ADVICE, PROBLEM)), finding


@pytest.mark.parametrize(
    ("files", "facts", "text"),
    [
        (TWO_CARDS, {"device": "UMC", "input_device": "Scar"}, "and the output 'UMC' are two"),
        (CARD, {"device": "umc", "input_device": "other"}, "and the output 'umc' may be two"),
        ({}, {"input_device": "umc"}, "input 'umc' and the default output may be two"),
    ],
)
def test_two_clocks_are_stated_where_both_cards_were_found(
    tmp_path: Path, files: dict[str, str], facts: dict[str, Any], text: str
) -> None:
    """Otherwise they may be two; without a name it is the default output."""
    (finding,) = cards.check_clocks(machine(tmp_path, files, **facts))
    assert text in finding.text


def test_an_interface_on_usb_is_looked_at(tmp_path: Path) -> None:
    """One that sleeps, behind a hub with a disk."""
    files = CARD | {
        "proc/asound/card2/usbid": "1397:0507\n",
        f"{USB}/idVendor": "1397\n",
        f"{USB}/idProduct": "0507\n",
        f"{USB}/power/control": "auto\n",
        f"{USB}/1-1.2:1.0/x": "",
        "sys/devices/usb1/1-1/1-1.3/product": "Portable Disk\n",
    }
    made = machine(tmp_path, files)
    card = tmp_path / "sys/class/sound/card2"
    card.mkdir(parents=True)
    (card / "device").symlink_to(tmp_path / USB / "1-1.2:1.0")
    power, hub = cards.check_usb(made)
    assert (power.check, power.level, hub.check, hub.level) == (
        *("usb-power", ADVICE),
        *("usb-hub", ADVICE),
    )
    assert 'ATTR{idVendor}=="1397", ATTR{idProduct}=="0507"' in power.remedy
    assert "Portable Disk" in hub.text
    (tmp_path / USB / "power/control").write_text("on\n")
    (tmp_path / "sys/devices/usb1/1-1/1-1.3/product").unlink()
    os.rmdir(tmp_path / "sys/devices/usb1/1-1/1-1.3")
    assert [finding.level for finding in cards.check_usb(made)] == [OK, OK]


def test_a_port_in_use_is_a_problem(tmp_path: Path) -> None:
    """One that is bound by this test, and none that is free."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        made = Machine(osc_port=port, http_port=-1)
        levels = {finding.text.split()[0]: finding.level for finding in network.check_ports(made)}
    assert levels["UDP"] is PROBLEM
    assert {finding.level for finding in network.check_ports(made)} == {OK}


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the folder, or of the nearest one that exists."""
    free = {"now": 5_000_000}
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: type("Usage", (), {"free": free["now"]})()
    )
    made = Machine(root=tmp_path, folders=(tmp_path / "not/there",))
    (full,) = storage.check_disk(made)
    free["now"] = 100_000_000
    (low,) = storage.check_disk(made)
    free["now"] = 5_000_000_000
    (well,) = storage.check_disk(made)
    assert [full.level, low.level, well.level] == [PROBLEM, ADVICE, OK]
    assert "5.0 GB free" in well.text.replace("5 GB", "5.0 GB")


@pytest.mark.parametrize(
    ("old", "new", "check", "level"),
    [
        ("", "", "service-rights", OK),
        (
            "Wants=modprobe@snd.service\nAfter=modprobe@snd.service\n",
            "",
            "service-devices",
            PROBLEM,
        ),
        ("LimitRTPRIO=95\n", "", "service-rights", PROBLEM),
    ],
)
def test_the_unit_of_the_service_is_looked_at(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    check: str,
    level: Level,
) -> None:
    """One of an older nemod lacks what a newer one writes."""
    monkeypatch.setattr(service.systemctl, "reason_unavailable", lambda kind: "no systemd")
    text = render(UnitRequest(kind=ServiceKind.SYSTEM, arguments=()))
    assert old in text
    made = machine(tmp_path, {"etc/systemd/system/nemod.service": text.replace(old, new)})
    found = {finding.check: finding.level for finding in service.check_service(made)}
    assert found[check] is level
    empty = tmp_path / "empty"
    empty.mkdir()
    (none,) = service.check_service(machine(empty, {}))
    assert (none.check, none.level) == ("service", OK)


def test_a_check_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what happened."""

    def check_nothing(machine: Machine) -> Iterable[Finding]:
        raise ValueError("odd")

    monkeypatch.setattr(checks, "CHECKS", (check_nothing, storage.check_swap))
    first, second = checks.run(Machine())
    assert (first.check, first.level) == ("nothing", UNKNOWN)
    assert "ValueError: odd" in first.text
    assert second.check == "swap"

"""The daemon: wires the control core, the audio process, the builder and the surfaces together.

app                creates all parts, starts them in order, stops them in reverse
startup            what to start with: command line, configuration, last session
surfaces           OSC, OSCQuery over HTTP, and their announcement
model_switcher     decides which model plays next
build_ahead        builds rigs, also before they are requested
supervisor         keeps an audio process playing
device_probe       looks for a device that is disconnected
standby            starts audio processes and keeps one ready
child_processes    handles of the audio process and the builder
progress_watchdog  how long to wait for the builder
quarantine         which model crashed the audio process too often
telemetry          counts and timings from the audio process
tuner_thread       the tuner, on the input of the audio process
monitor            status and meters for the control core
recorder           writes the output to a file
session            what survives a power cycle: the state file
session_writer     writes the state file after a change
failed_starts      a clean start after several that failed
notify             notifies systemd
"""

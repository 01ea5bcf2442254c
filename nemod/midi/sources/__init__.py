"""Where messages come from: each source opens its devices, follows them, and delivers messages.

base        what a source is, and what it delivers to
sequencer   MIDI ports of the ALSA sequencer (alsa-midi)
raw         bytes of a raw MIDI device, a serial port or a named pipe
keys        input devices, such as page-turn pedals (evdev)
pins        buttons and encoders at the pins of the machine (gpiod)
"""

"""Audio devices: what calls the engine once a block.

base        the interface of all devices
factory     opens a device by name
ports       all devices of this machine
names       names that last, and which device a name means
alsa        sound cards
portaudio   JACK
clock       no sound card: a clock
demo        the guitar phrase of the demo device
lock        one daemon per device
probe       checks whether a device exists, in a process of its own
duplex      plays and records at once
roundtrip   measures the round trip through a cable
"""

"""ALSA: sound cards with the period and the buffer that were asked for.

library     libasound through cffi: declarations, loading, errors
cards       the cards of this machine, their PCMs, and who uses them
listing     cards and plug-ins as ports that a name can choose from
formats     samples of a card to float32 and back
pcm         one direction of a card: hardware parameters, buffers, transfers
duplex      both directions started together, and their recovery from xruns
device      the device: a thread that calls the engine once a block
hotplug     reports that sound cards appear or disappear
"""

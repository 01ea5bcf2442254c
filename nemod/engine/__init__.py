"""The audio side: rigs are made by the foundry, played by the engine, in processes of their own.

rig       the chain of effects, compiled for one rate, block size and network
programs  compiled rigs on disk, so that a model is compiled once
foundry   makes rigs: reads the model, compiles, proves, warms up
engine    plays rigs: the callback
link      what travels between the planes
plane     the audio plane's process
offline   the same rig over a file
devices   what calls the engine: portaudio, or clock (demo, null)
workers   the control plane's handles on both child processes
"""

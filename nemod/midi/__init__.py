"""The MIDI surface: controllers, pedals, keys and pins control the rig.

surface     what sources deliver goes to the control core, and back
sources/    ports of the ALSA sequencer, raw MIDI files, input devices, pins
messages    what controllers send
parser      MIDI bytes -> messages
binding     which control does what; defaults: what is bound when nobody has bound it
reader      the text of the file of bindings -> bindings; writer the way back; store the file
mapper      messages -> the controls that they belong to
controls    knobs with take-over, encoders, switches, programs
switches    presses, releases, long presses
targets     parameters and actions that a control can have
learning    which control is moved
echo        values -> lamps and motors of controllers
clock       MIDI clock -> tempo
quadrature  edges of an encoder's contacts -> steps
"""

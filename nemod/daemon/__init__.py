"""The daemon: wires the control core, the audio process, the builder and the surfaces together."""

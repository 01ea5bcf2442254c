"""Audio devices: sound cards and JACK through PortAudio, a clock, and the demo phrase."""

"""The control core: what every surface can read, set and start, and the events it gets."""

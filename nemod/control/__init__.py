"""The control core: what every surface can read, set and start, and the events it gets.

controller   the one API of all surfaces
settings     the positions of all parameters
events       the event stream and its subscriptions
jobs         background jobs, such as loading a model
errors       errors without addresses
rig          what the core needs of the rest of the daemon, as protocols
"""

"""The control core: what every surface can read, set and start, and the events it gets.

controller      the one API of all surfaces
settings        the positions of all parameters
presets         the current preset: load, save, dirty
preset_list     numbers and names of presets
preset_models   the files of presets' models; neighbours: those that are built ahead
snapshots       positions within a preset
model_size      the size of models that have several
tempo           tap tempo
events          the event stream and its subscriptions
jobs            background jobs, such as loading a model; disk_jobs: those that write files
errors          errors without addresses; similar_names: "did you mean"
backends        what the core needs of the rest of the daemon, as protocols
"""

"""The builder: reads, compiles, verifies, warms up and caches rigs.

process        the builder process: requests in, rigs out
messages       `BuildRequest` and its answers, `BuildResult` and `BuildFailure`
answer         from a request to its answer
chain_files    reads the files of a chain's slots
filled_chain   a chain with what its slots hold
build          a filled chain -> rig for one rate and block size, ready to be shipped
build_steps    the same for a rig of several programs
compile        compiles parts, and keeps those that were warmed up last
warm_up        plays silence to a rig until its model rests
rate_policy    how a model is played at a device's rate: exact, delayed state or resampled
probe          plays the probe that a model's file may have
verify         tests a built rig with noise and silence before it is played
describe       what `/nemo/model/info` says of a model
level          input calibration and output normalisation of a model
program_cache  compiled programs on disk
load_chain     `nemod.load_chain`: a chain's file, or a preset's, with the files that it names
offline        `nemod.render`: the same rig over an array
"""

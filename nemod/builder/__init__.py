"""The builder: reads, compiles, verifies, warms up and caches rigs.

process        the builder process: requests in, rigs out
messages       `BuildRequest` and its answers, `BuildResult` and `BuildFailure`
build          model -> rig for one rate and block size, ready to be shipped
warm_up        plays silence to a rig until its model rests
rate_policy    how a model is played at a device's rate: exact, delayed state or resampled
verify         tests a built rig with noise and silence before it is played
describe       what `/nemo/model/info` says of a model
level          input calibration and output normalisation of a model
program_cache  compiled programs on disk
offline        `nemod.render`: the same rig over an array
"""

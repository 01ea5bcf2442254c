"""The builder: reads, compiles, verifies, warms up and caches rigs.

process        the builder process: requests in, rigs out
messages       `BuildRequest` and its answers, `BuildResult` and `BuildFailure`
build          model -> rig for one rate and block size, ready to be shipped
warm_up        plays silence to a rig until its model rests
level          input calibration and output normalisation of a model
program_cache  compiled programs on disk
offline        `nemod.render`: the same rig over an array
"""

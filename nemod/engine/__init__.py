"""The audio process and the rigs that it plays.

The life of a rig, file by file:

    chain          what the slots of a chain are made of: effects and models in order
    parts          effects and models in order -> the parts of a rig
    rig            part, or parts that are joined -> `RigSpec`, before compilation
    program        `RigSpec` -> serialised program; program -> a function that can be called
    compiled_rig   `CompiledRig` and `CompiledSteps`, the forms in which a rig is shipped
    loading        a compiled rig -> `LoadedRig`
    steps          a rig of several programs
    resampled      a model that runs at its own rate, between two resamplers
    active_rig     `LoadedRig`, and `ActiveRig`, the one that sounds
    loaded_rigs    the rigs that the audio process has loaded and verified

The process around it:

    ipc            pipes, sockets and messages between daemon, audio process and builder
    process        the audio process: opens a device, runs the engine, loads rigs
    engine         the callback: plays a rig, counts what happens
    crossfade      the gains from one rig to the next
    tails          echoes and reverberation that ring out after a change of rig
    panic          silence within milliseconds, and empty effects
    realtime       locked memory and real-time priority
    cpu_latency    forbids deep idle states of the processors
    governor       reports governors that keep the clock low
    histogram      counts of block times in shared memory
    devices/       what calls the engine: PortAudio, a clock, the demo
"""

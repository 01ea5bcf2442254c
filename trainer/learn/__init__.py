"""Trains a network on a data set and exports it to a model file.

The modules:

    recipe         `Recipe`: network, loss, optimisation and stopping
    fit            `fit`: the training run
    run_folder     names, exclusive use and checks of a run's folder
    run_writer     writes the files of a run
    checkpoint     the saved state of a run
    segments       data set -> shuffled batches of segments
    networks       recipe -> network and initial weights
    batch          runs a network over a batch
    recurrence     LSTM and GRU over a batch, with a custom backward pass
    loss           ESR, DC and STFT losses
    step           the compiled training step
    schedule       the learning rate over a run
    evaluate       plays recordings through a model and computes its errors
    export         trained network -> model file
"""

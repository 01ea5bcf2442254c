"""Readers of model files: from an untrusted document to a `Model`, one reader per dialect.

guitarml            GuitarML, and what nemod-train writes
rtneural            RTNeural and AIDA-X
nam                 Neural Amp Modeler; nam_wavenet, nam_wavenet_config and nam_curves are parts
wavenetva           PedalNet, SmartGuitarAmp, WaveNetVA
other_files         what a file is that no reader accepts

json_file           a file as a JSON document, in bounded memory and time
document            `Node`: a value of the document, checked before it is returned
common              building blocks of networks, and limits
weight_reader       flat lists of weights
info_reader         what the file says about the model
extras              values that are dropped where they are unusable
reading             what passes between `load_model` and a reader
"""

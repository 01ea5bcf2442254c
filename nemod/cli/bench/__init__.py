"""`nemod bench`: how long a block takes on this machine.

command         the command line, and the tables by hidden size and by architecture
block_cost      measures one model at one block size
slot_cost       measures a chain, slot by slot; for `nemod check`
models          untrained models to measure
study           the comparison with PyTorch by hidden size
study_report    its table, page and plot
pytorch         the same models in PyTorch
"""

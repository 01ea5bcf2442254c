"""`nemod bench`: what a block costs on this machine."""

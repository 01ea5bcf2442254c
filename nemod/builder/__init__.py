"""The builder: reads, compiles, verifies, warms up and caches rigs."""

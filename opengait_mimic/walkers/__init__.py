"""Generated walkers: numbers in, silhouettes out; no file, no network."""

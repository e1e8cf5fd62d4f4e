"""What one process of a run has: its device, its group, its memory, its loader and its random numbers."""

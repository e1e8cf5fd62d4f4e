"""Training, testing and checking a configuration."""

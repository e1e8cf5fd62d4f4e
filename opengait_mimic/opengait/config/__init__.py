"""One schema for every key of a YAML."""

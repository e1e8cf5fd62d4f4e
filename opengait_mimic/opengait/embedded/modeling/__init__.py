"""The networks, their life cycle and their losses."""

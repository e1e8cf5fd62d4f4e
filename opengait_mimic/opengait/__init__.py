"""Everything that speaks OpenGait."""

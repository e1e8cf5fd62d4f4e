"""The losses: `functional` knows no host; `host` wraps them in OpenGait's interface."""

"""What prepares a machine or an OpenGait checkout."""

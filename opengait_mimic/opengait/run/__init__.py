"""Launching, resuming, devices."""

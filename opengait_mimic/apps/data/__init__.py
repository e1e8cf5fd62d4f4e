"""Making, checking and looking at data sets."""

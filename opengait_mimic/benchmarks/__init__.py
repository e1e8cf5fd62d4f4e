"""Speed and memory beside what a user would have instead, both sides in one run."""

"""`python -m opengait_mimic`."""

from opengait_mimic.cli import main

if __name__ == "__main__":
    main()

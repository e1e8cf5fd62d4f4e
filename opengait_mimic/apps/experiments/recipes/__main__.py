"""`python -m opengait_mimic.apps.experiments.recipes FOLDER`: write the shipped configurations again."""

from pathlib import Path

import click

from opengait_mimic.apps.experiments.recipes import write_configs


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write every shipped configuration below FOLDER, one folder per data set."""
    click.echo(f"{len(write_configs(folder))} files below {folder}")


main()

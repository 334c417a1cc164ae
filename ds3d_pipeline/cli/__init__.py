"""The command line: `ds3d_pipeline.cli:main` is the program `ds3d`."""

from ds3d_pipeline.cli.main import main

__all__ = ["main"]

"""`python -m ds3d_pipeline` is `ds3d`."""

import sys

from ds3d_pipeline.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

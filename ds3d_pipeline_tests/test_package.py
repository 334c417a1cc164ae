"""What holds for every process that imports the package."""

import subprocess
import sys

import pytest

COMPILE = "import numba; assert numba.njit(lambda x: x + 1)(1) == 2"
ARCHIVE = "import gzip; assert gzip.decompress(gzip.compress(b'colmap' * 1000)) == b'colmap' * 1000"
PICTURE = "import io; from PIL import Image; Image.new('RGB', (90, 90)).save(io.BytesIO(), 'PNG')"


@pytest.mark.parametrize("deflate", [COMPILE, ARCHIVE, PICTURE])
def test_whatever_deflates_lives_beside_pycolmap(deflate):
    code = f"import ds3d_pipeline, pycolmap; {deflate}"
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]

"""What holds for every process that imports the package."""

import importlib.resources
import subprocess
import sys

import pytest

import ds3d_pipeline

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


@pytest.mark.parametrize(
    "words", [["-m", "ds3d_pipeline"], ["-c", "from ds3d_pipeline.cli import main; main()"]]
)
def test_one_version_wherever_it_is_asked_for(words):
    done = subprocess.run([sys.executable, *words, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ds3d", ds3d_pipeline.__version__]


def test_the_package_is_marked_as_typed():
    assert importlib.resources.files("ds3d_pipeline").joinpath("py.typed").is_file()

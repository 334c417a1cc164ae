"""Compiles gsplat's CUDA kernels as the module `gsplat.csrc` and prints its file: no GPU is needed for that.

gsplat looks for that module first, and without it compiles at its first use with a whole CUDA toolkit.
"""

import importlib.util
import os
import sys
from pathlib import Path

NAME = "csrc"


def link_toolkit(home: Path) -> None:
    """Gives the toolkit of NVIDIA's packages the names that PyTorch's builder looks for."""
    (home / "lib64").symlink_to("lib")
    for library in home.glob("lib/libcudart.so.*"):
        (home / "lib/libcudart.so").symlink_to(library.name)


def compile_kernels(package: Path, folder: Path) -> Path:
    """Builds the sources of `package` in `folder` with gsplat's own flags; returns the module's file."""
    from torch.utils.cpp_extension import load

    sources = [*package.glob("cuda/csrc/*.cu"), *package.glob("cuda/csrc/*.cpp"), package / "cuda/ext.cpp"]
    folder.mkdir(parents=True, exist_ok=True)
    load(
        name=NAME,
        sources=[str(path) for path in sources],
        extra_cflags=["-O3", "-Wno-attributes"],
        extra_cuda_cflags=["-O3", "-use_fast_math"],
        extra_include_paths=[str(package / "cuda/include"), str(package / "cuda/csrc/third_party/glm")],
        build_directory=str(folder),
    )
    return folder / f"{NAME}.so"


def find_package(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name)
    return Path(spec.submodule_search_locations[0])


if __name__ == "__main__":
    toolkit = next(find_package("nvidia").glob("cu[0-9]*"))
    link_toolkit(toolkit)
    os.environ["CUDA_HOME"] = str(toolkit)
    sys.stdout.write(f"{compile_kernels(find_package('gsplat'), Path(sys.argv[1]))}\n")

"""Compiles every kernel of training, so that none is compiled where the image is used."""

from ds3d_pipeline.splats.training.trainer import compile_kernels

if __name__ == "__main__":
    compile_kernels()

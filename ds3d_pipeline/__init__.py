"""ds3d: one short phone video or a set of photos into 3D, on the user's own machine."""

__version__ = "0.1.0"

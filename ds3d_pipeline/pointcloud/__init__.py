"""Depth maps into one cloud of coloured, oriented points."""

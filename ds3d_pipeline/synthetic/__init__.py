"""Synthetic captures with exact truth: a textured scene of our own, photographed by our own small renderer.

The frame of the truth is the pipeline's world: metres, +y down.
"""

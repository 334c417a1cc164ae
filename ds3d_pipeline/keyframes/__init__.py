"""Keyframes: which frames of a capture are worth reconstructing from, at the mode's size."""

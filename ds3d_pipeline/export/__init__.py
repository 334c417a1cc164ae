"""A finished capture in the formats of other programs."""

"""From the bundles of a capture to its finished folder."""

"""The upload API and its page: `ds3d serve`."""

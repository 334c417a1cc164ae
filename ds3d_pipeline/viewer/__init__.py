"""`ds3d view`: a finished capture in the browser."""

"""Structure from motion on OpenCV, NumPy and numba: the rung below pycolmap, which it does without."""

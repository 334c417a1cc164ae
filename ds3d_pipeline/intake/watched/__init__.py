"""The watched folder: what is in it, what of it is complete, and which runs that asks for."""

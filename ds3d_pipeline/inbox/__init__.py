"""The watched folder: what lies in it, what of it is complete, and which runs that asks for."""

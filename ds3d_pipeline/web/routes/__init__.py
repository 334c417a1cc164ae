"""What can be asked of the server: one `router` a module, put together in `web/app.py`."""

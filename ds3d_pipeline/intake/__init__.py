"""The desk: how a request from any door is read, checked and accepted."""

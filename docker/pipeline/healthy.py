"""Exit 0 where this container's service answers: `python healthy.py PORT`, or `PORT /path` for HTTP."""

import socket
import sys
import urllib.request

if len(sys.argv) > 2:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{sys.argv[2]}", timeout=9).close()
else:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=9).close()

"""Forms as browsers write them."""

BOUNDARY = b"----ds3dtest7MA4YWxkTrZu0gW"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


def file_part(name: str, data: bytes, field: str = "files") -> bytes:
    """One file; quotes and line ends of its name as browsers write them."""
    shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    head = f'Content-Disposition: form-data; name="{field}"; filename="{shown}"\r\n'
    return head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n"


def field_part(name: str, value: str | bytes) -> bytes:
    """One field."""
    text = value if isinstance(value, bytes) else value.encode()
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + text + b"\r\n"


def form(*parts: bytes) -> bytes:
    """The whole body."""
    return b"".join(b"--" + BOUNDARY + b"\r\n" + part for part in parts) + b"--" + BOUNDARY + b"--\r\n"

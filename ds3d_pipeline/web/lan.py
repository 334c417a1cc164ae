"""What other machines need to open the page: addresses, a token, a QR code, and a certificate of our own."""

from __future__ import annotations

import io
import os
import secrets
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ds3d_pipeline.errors import InputError
from ds3d_pipeline.storage.home import Home

CERTIFICATE_DAYS = 825
"""Phones refuse certificates that are valid for longer."""


def own_addresses() -> list[str]:
    """The IPv4 addresses by which other machines reach this one."""
    import psutil

    up = {name for name, facts in psutil.net_if_stats().items() if facts.isup}
    found = [
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if name in up and address.family == socket.AF_INET
    ]
    return [address for address in found if not address.startswith(("127.", "169.254."))]


def own_names() -> list[str]:
    """The names by which they may."""
    name = socket.gethostname().lower()
    return [name] if "." in name else [name, f"{name}.local"]


def kept_token(home: Home) -> str:
    """128 random bits, made once a home, so that links and phones that have it keep working."""
    path = home.root / "token"
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(16))
    return path.read_text(encoding="ascii").strip()


def qr_code(url: str) -> str:
    """The address as a picture of characters for a terminal."""
    import segno

    out = io.StringIO()
    segno.make(url, micro=False).terminal(out, compact=True)
    return out.getvalue()


def certificate(home: Home, hosts: Iterable[str]) -> tuple[Path, Path]:
    """A self-made certificate for these names and addresses, and its key; made again where the names change.

    Raises InputError where there is no `openssl`.
    """
    folder = home.root / "https"
    names = ",".join(sorted(_alternative(host) for host in hosts))
    pem, key, known = folder / "certificate.pem", folder / "key.pem", folder / "names.txt"
    if known.exists() and known.read_text(encoding="utf-8") == names:
        return pem, key
    folder.mkdir(mode=0o700, exist_ok=True)
    known.unlink(missing_ok=True)
    _make_certificate(pem, key, names)
    key.chmod(0o600)
    known.write_text(names, encoding="utf-8")
    return pem, key


def _alternative(host: str) -> str:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return f"DNS:{host}"
    return f"IP:{host}"


def _make_certificate(pem: Path, key: Path, names: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", str(CERTIFICATE_DAYS), "-subj", "/CN=ds3d", "-addext"]
    command += [f"subjectAltName={names}", "-keyout", str(key), "-out", str(pem)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise InputError(
            "--https needs the program `openssl`.", "Install it, or leave --https out."
        ) from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise InputError(f"No certificate could be made: {last[0]}.", "Leave --https out.") from error

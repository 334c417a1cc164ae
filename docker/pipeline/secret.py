"""Makes the password of Postgres at the first start, in a volume that only the stack's own services mount.

`DS3D_DB_PASSWORD`, where it is set, is that password; else a random one is made once and kept. The services
of ds3d find it as libpq does, in `pgpass`, so that `docker inspect` does not show it.
"""

import os
import secrets
import sys
from pathlib import Path


def main(folder: Path, told: str) -> None:
    """Writes `password` and `pgpass` into the folder, for their owner only."""
    file = folder / "password"
    password = told or (file.read_text(encoding="utf-8") if file.exists() else secrets.token_urlsafe(32))
    place = (os.environ["DS3D_DB_HOST"], "5432", os.environ["DS3D_DB_NAME"], os.environ["DS3D_DB_USER"])
    write(file, password)
    write(folder / "pgpass", ":".join(map(escaped, (*place, password))) + "\n")


def escaped(text: str) -> str:
    """As a field of pgpass. Source: https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    return text.replace("\\", "\\\\").replace(":", "\\:")


def write(file: Path, text: str) -> None:
    """In one step, readable for the owner only."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    part.replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "/ds3d/secret"), os.environ.get("DS3D_DB_PASSWORD", ""))

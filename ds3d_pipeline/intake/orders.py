"""Orders: what the page asks Dagster to run, one small file each, until Dagster is known to have the run.

The server writes them and a sensor takes them, so that nothing is lost while either is away. A run key sees
to it that no run starts twice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.programs.records import read_json, write_json
from ds3d_pipeline.storage.home import Home

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A run to start."""

    run_key: str
    """Of `intake.request.run_key_of`, or one made of it where the same content is to run once more."""
    request: RunRequest
    """Of a registered capture."""
    asked_at: float
    """In seconds since 1970."""


def orders_folder(home: Home) -> Path:
    """Where orders wait."""
    return home.root / "orders"


def place_order(home: Home, order: Order) -> None:
    """Writes the order down as one change of a name; one of the same run key takes its place."""
    folder = orders_folder(home)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{order.run_key}.json", order, durable=True)


def orders(home: Home) -> list[Order]:
    """All that wait, the oldest first. What cannot be read is set aside, and logged."""
    found = [_read(path) for path in orders_folder(home).glob("*.json")]
    return sorted((order for order in found if order), key=lambda order: order.asked_at)


def order_of(home: Home, capture: str) -> Order | None:
    """The oldest order of this capture."""
    return next((order for order in orders(home) if order.request.capture == capture), None)


def drop_order(home: Home, run_key: str) -> None:
    """Forgets the order, if there is one."""
    (orders_folder(home) / f"{run_key}.json").unlink(missing_ok=True)


def _read(path: Path) -> Order | None:
    """None where the file is gone meanwhile, or is no order."""
    try:
        return read_json(path, Order)
    except FileNotFoundError:
        return None
    except ValueError as error:
        log.warning("the order %s is set aside: %s", path.name, error)
        path.replace(path.with_suffix(".damaged"))
        return None

"""The orders of the page as Dagster sees them."""

import dataclasses

import dagster as dg
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG

from ds3d_pipeline.capture.options import CaptureOptions
from ds3d_pipeline.definitions import defs
from ds3d_pipeline.defs.launch import request_of
from ds3d_pipeline.defs.sensors.web_orders import web_orders
from ds3d_pipeline.intake.accept import accept
from ds3d_pipeline.intake.orders import Order, drop_order, orders, place_order
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline.storage.home import outputs_folder, prepare_home


@pytest.fixture
def placed(tmp_path, monkeypatch, small_photos):
    """A home with one order, and that order."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    capture = accept([small_photos], CaptureOptions()).capture
    home = prepare_home()
    request = RunRequest(
        capture=capture, mode="fastest", output=outputs_folder(home), source="page", upload="fox"
    )
    order = Order(run_key="0123-fastest", request=request, asked_at=1.0)
    place_order(home, order)
    return home, order


def tick(instance):
    with dg.build_sensor_context(instance=instance, definitions=defs) as context:
        return web_orders(context)


def test_it_runs_from_the_start():
    assert defs.resolve_sensor_def("web_orders").default_status == dg.DefaultSensorStatus.RUNNING


def test_an_order_becomes_a_run_of_its_capture_and_stays_until_dagster_has_it(placed):
    home, order = placed
    with dg.DagsterInstance.get() as instance:
        (asked,) = tick(instance).run_requests
    assert (asked.run_key, asked.partition_key) == ("0123-fastest", order.request.capture)
    tags = {**asked.tags, "dagster/partition": asked.partition_key}
    assert request_of(asked.run_config, tags) == order.request
    assert orders(home) == [order]


def test_an_order_whose_run_dagster_has_is_dropped(placed):
    home, _ = placed
    with dg.DagsterInstance.get() as instance:
        instance.create_run_for_job(
            defs.resolve_job_def("reconstruct_fastest"), tags={RUN_KEY_TAG: "0123-fastest"}
        )
        assert isinstance(tick(instance), dg.SkipReason)
    assert orders(home) == []


def test_an_order_of_a_deleted_capture_is_dropped(placed):
    home, order = placed
    for path in (home.registered / order.request.capture).iterdir():
        path.unlink()
    with dg.DagsterInstance.get() as instance:
        assert isinstance(tick(instance), dg.SkipReason)
    assert orders(home) == []


def test_an_order_that_no_longer_fits_is_named_and_stops_no_other(placed):
    home, order = placed
    unfit = dataclasses.replace(order.request, upload="old", tables={"soup": {"salt": 1}})
    place_order(home, dataclasses.replace(order, run_key="old-fastest", request=unfit))
    with dg.DagsterInstance.get() as instance:
        (asked,) = tick(instance).run_requests
        assert asked.run_key == order.run_key
        drop_order(home, order.run_key)
        assert tick(instance).skip_message.startswith("old cannot be run: 'soup' is not a stage.")

"""Orders of the page wait in the home until a run is known."""

from pathlib import Path

import pytest

from ds3d_pipeline.intake.orders import Order, drop_order, order_of, orders, orders_folder, place_order
from ds3d_pipeline.intake.request import RunRequest
from ds3d_pipeline_tests.homes import make_home


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "home")


def order(run_key="0123-fastest", capture="fox-0123abcd", asked_at=1.0):
    request = RunRequest(capture=capture, mode="fastest", output=Path("outputs"), source="page", upload="fox")
    return Order(run_key=run_key, request=request, asked_at=asked_at)


def test_a_home_without_orders_has_none(home):
    assert orders(home) == []


def test_orders_come_back_whole_and_the_oldest_first(home):
    later, earlier = order("b-fastest", asked_at=2.0), order("c-fastest", asked_at=1.0)
    place_order(home, later)
    place_order(home, earlier)
    assert orders(home) == [earlier, later]


def test_an_order_of_the_same_run_key_takes_the_place_of_the_earlier_one(home):
    place_order(home, order(asked_at=1.0))
    place_order(home, order(asked_at=2.0))
    assert [known.asked_at for known in orders(home)] == [2.0]


def test_a_dropped_order_is_gone_and_dropping_it_again_does_nothing(home):
    place_order(home, order())
    drop_order(home, "0123-fastest")
    drop_order(home, "0123-fastest")
    assert orders(home) == []


def test_the_order_of_a_capture_is_found(home):
    place_order(home, order("b-fastest", capture="other-0123abcd"))
    place_order(home, order())
    assert order_of(home, "fox-0123abcd") == order()
    assert order_of(home, "nobody-0123abcd") is None


def test_a_damaged_order_is_set_aside_and_the_others_go_on(home):
    place_order(home, order())
    (orders_folder(home) / "damaged.json").write_text('{"run_key": 3')
    assert orders(home) == [order()]
    assert (orders_folder(home) / "damaged.damaged").read_text() == '{"run_key": 3'

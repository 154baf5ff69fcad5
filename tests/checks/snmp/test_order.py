from __future__ import annotations

from checks.snmp.order import Order

Oid = tuple[int, ...]


def walked(*numbers: int, limit: int = 100) -> tuple[list[int], Order]:
    order = Order(limit)
    new: list[int] = []
    for number in numbers:
        if order.ended:
            break
        if order.admits((number,)):
            new.append(number)
    return new, order


def test_rows_in_order_are_new() -> None:
    new, order = walked(1, 2, 10)
    assert (new, order.ended, order.faults) == ([1, 2, 10], False, set())


def test_rows_out_of_order_are_new_too_and_it_is_noted() -> None:
    new, order = walked(1, 10, 2, 3)
    assert (new, order.ended, order.faults) == ([1, 10, 2, 3], False, {"unsorted"})


def test_a_row_that_comes_twice_is_one() -> None:
    new, order = walked(1, 2, 2, 3)
    assert (new, order.ended, order.faults) == ([1, 2, 3], False, {"duplicates"})


def test_a_device_that_goes_round_in_a_circle_is_left() -> None:
    new, order = walked(*[1, 2, 3] * 10)
    assert (new, order.ended, "loop" in order.faults) == ([1, 2, 3], True, True)


def test_a_device_that_stays_where_it_is_is_left() -> None:
    new, order = walked(1, *[2] * 50)
    assert (new, order.ended, "loop" in order.faults) == ([1, 2], True, True)


def test_a_table_without_end_is_left() -> None:
    new, order = walked(*range(1000), limit=50)
    assert (len(new), order.ended, order.faults) == (50, True, {"endless"})


def test_a_walk_that_begins_anew_after_a_lost_answer_is_no_circle() -> None:
    order = Order()
    assert all(order.admits((number,)) for number in range(40))
    order.resume()
    assert not any(order.admits((number,)) for number in range(40))
    assert order.admits((40,))
    assert (order.ended, order.faults) == (False, set())

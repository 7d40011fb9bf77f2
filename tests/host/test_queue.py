"""A queue gives requests in the order of (key, id)."""

from hypothesis import given
from hypothesis import strategies as st

from plimsoll.host.queue import arrange, empty, pop, push

keys = st.lists(st.sampled_from([0.0, 1.0, 1.5, 2.0, 7.0]) | st.floats(-1e9, 1e9), max_size=60)


def emptied(queue):
    """Whom the queue gives, until it is empty."""
    order = []
    while queue[0].id > 0:
        order.append((float(queue[1].key), int(queue[1].id)))
        assert pop(queue) == order[-1][1]
    return order


@given(keys)
def test_pushed_ones_come_out_in_order(values):
    queue = empty(len(values))
    for i, key in enumerate(values):
        push(queue, key, i)
    assert emptied(queue) == sorted(zip(values, range(len(values)), strict=True))


@given(keys)
def test_arranged_ones_come_out_in_order(values):
    queue = empty(len(values))
    queue["key"][1:], queue["id"][1:], queue[0].id = values, range(len(values)), len(values)
    arrange(queue)
    assert emptied(queue) == sorted(zip(values, range(len(values)), strict=True))


def test_ties_go_by_id():
    queue = empty(3)
    for i in (2, 0, 1):
        push(queue, 4.0, i)
    assert emptied(queue) == [(4.0, 0), (4.0, 1), (4.0, 2)]

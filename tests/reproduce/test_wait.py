"""Parts of the WAIT experiments against what is known by hand."""

from __future__ import annotations

import pytest

from plimsoll.reproduce import wait
from plimsoll.reproduce.lab import Cells, Lab
from plimsoll.reproduce.ledger import IN_SHAPE, NOT_REPRODUCED, REPRODUCED

LAB = Lab(True, Cells(None))


def test_the_published_table_of_fluid_memory_follows_from_two_of_its_rows():
    found = wait._table(LAB)
    assert found.verdict == REPRODUCED
    assert found.measured["M* at 70/s"] == pytest.approx(100_327, rel=1e-3)
    assert found.measured["crossing (1/s)"] == pytest.approx(74.14, abs=0.05)


def test_the_printed_step_time_saturates_below_the_printed_rates():
    found = wait._units(LAB)
    assert found.verdict == NOT_REPRODUCED
    assert found.measured["saturation as printed (1/s)"] == pytest.approx(7.93, abs=0.01)


def test_admitting_what_fits_completes_three_in_an_iteration_and_wait_four():
    found = wait._cascade(LAB)
    assert found.verdict == IN_SHAPE
    assert list(found.measured.values()) == pytest.approx([3, 4], abs=0.03)

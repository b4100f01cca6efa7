import pytest
from benchmarks.measuring import Spread, by_turns, ratio


def test_sides_are_measured_forwards_and_backwards_in_turn():
    asked = []

    def side(name):
        return lambda: asked.append(name) or 1.0

    by_turns({"a": side("a"), "b": side("b")}, rounds=3, warm_up=1)
    assert asked == ["b", "a", "a", "b", "b", "a", "a", "b"]


def test_what_warms_up_is_not_kept():
    values = iter([100.0, 1.0, 2.0, 3.0])
    assert by_turns({"a": lambda: next(values)}, rounds=3, warm_up=1) == {"a": [1.0, 2.0, 3.0]}


def test_a_spread_is_the_median_and_the_quartiles():
    assert Spread.of([5, 1, 3, 2, 4]) == Spread(2, 3, 4)


def test_one_value_is_its_own_spread():
    assert Spread.of([7]) == Spread(7, 7, 7)


def test_a_machine_that_slows_down_between_rounds_cancels_in_the_ratio():
    below = [1.0, 10.0, 100.0]
    assert ratio([2 * value for value in below], below) == Spread(2, 2, 2)


def test_sides_of_different_rounds_have_no_ratio():
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])

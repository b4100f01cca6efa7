"""Numbers with their units, and names in their order and colours."""

import pytest

from palette import GREY, SEVERAL, TINTS, colours_of, in_order, is_reference
from units import exact, measure_of, said


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "short", "–"),
        (float("nan"), "s", "–"),
        (0, "percentunit", "0%"),
        (0.1234, "percentunit", "12.3%"),
        (0.5, "percentunit", "50%"),
        (0.0042, "percentunit", "0.42%"),
        (0.00001, "percentunit", "<0.01%"),
        (0.99999, "percentunit", ">99.9%"),
        (1, "percentunit", "100%"),
        (-0.5, "percentunit", "-50%"),
        (999, "short", "999"),
        (1_234, "short", "1.2k"),
        (999_999, "short", "1M"),
        (12_345_678, "short", "12.3M"),
        (0, "s", "0 s"),
        (0.12, "s", "120 ms"),
        (0.0004, "s", "0.4 ms"),
        (2.1, "s", "2.1 s"),
        (59.999, "s", "1 min"),
        (7_200, "s", "2 h"),
        (864_000, "s", "10 d"),
        (0, "m", "0 min"),
        (0.5, "m", "30 s"),
        (4, "m", "4 min"),
        (150, "m", "2.5 h"),
        (12_000_000, "bytes", "12 MB"),
        (512, "bytes", "512 B"),
        (0.25, "cps", "0.25/s"),
        (1_500, "cps", "1.5k/s"),
        (0.2487, "none", "0.249"),
        (1.25, "none", "1.25"),
        (12_345.6, "none", "12,346"),
        (0.0000001, "none", "<0.00001"),
        (3, "a unit of the future", "3"),
    ],
)
def test_a_number_is_said_as_people_read_it(value, unit, words):
    assert said(value, unit) == words


def test_a_count_in_a_table_is_exact_to_the_last_one():
    assert exact(12_345, "short") == "12,345"
    assert exact(0.1234, "percentunit") == "12.3%"
    assert exact(None, "short") == "–"


def test_an_axis_takes_the_measure_of_its_largest_number():
    assert measure_of("s", 240).mark == " min"
    assert measure_of("s", 240).factor * 240 == pytest.approx(4)
    assert measure_of("m", 240).factor * 240 == pytest.approx(4)
    assert measure_of("m", 240).mark == " h"


def test_names_are_listed_the_better_first_numbers_by_size_and_training_last():
    assert in_order(["high", "training", "none", "medium", "low"])[:2] == ["none", "low"]
    assert in_order(["p99", "p5", "p50"]) == ["p5", "p50", "p99"]
    assert in_order(["training", "serving"]) == ["serving", "training"]


def test_a_name_that_says_something_always_has_its_colour():
    alone, together = colours_of(["bad"]), colours_of(["good", "bad", "other"])
    assert alone[0] == together[1]
    assert len(set(together)) == 3
    assert colours_of(["serving", "training"])[1] == GREY
    # A column may be called so, too.
    assert not is_reference("Training time · webapp")


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("colour", sorted({*SEVERAL, *TINTS.values()}))
@pytest.mark.parametrize("ground", ["#ffffff", "#0e1117"], ids=["light", "dark"])
def test_every_colour_stands_out_from_light_and_dark_ground(colour, ground):
    lighter, darker = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3

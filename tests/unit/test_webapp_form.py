"""The form's widgets: what they say, how they are grouped, and what the page makes of them."""

import pytest
from streamlit.testing.v1 import AppTest

from form import Shape, asked, groups_of, read_all, widget_of
from jobchurn.contract import JOB_CHANGE, Role, Violation

COLUMNS = {column.name: column for column in asked(JOB_CHANGE)}


def widget(name, known=()):
    return widget_of(COLUMNS[name], known)


def test_what_is_predicted_is_not_asked():
    assert JOB_CHANGE.outcome.name not in COLUMNS


def test_only_what_describes_the_subject_is_required():
    assert not widget("enrollee_id").required
    assert widget("city").required
    assert not widget("gender").required


def test_a_label_names_the_unit_unless_it_does_so_already():
    assert widget("training_hours").label == "Training time (hours)"
    assert widget("last_new_job").label == "Years since the last job change"
    assert widget("city").label == "City"


def test_a_tooltip_gives_the_meaning_and_the_range_of_a_number():
    meaning = COLUMNS["training_hours"].meaning
    assert widget("training_hours").help == f"{meaning} Allowed: a whole number from 0 to 1000."
    assert widget("city").help == COLUMNS["city"].meaning


def test_options_read_as_the_contract_words_them():
    university = widget("enrolled_university")
    assert [university.words(option) for option in university.options] == [
        "Unknown",
        "Not enrolled",
        "Full-time course",
        "Part-time course",
    ]


def test_a_required_choice_has_no_unknown_and_starts_empty():
    required = widget("relevent_experience")
    assert "" not in required.options
    assert required.empty is None


def test_known_texts_are_suggested_in_the_order_of_their_numbers_and_shown_as_they_are():
    suggested = widget("city", ["city_103", "city_21", "city_9", "city_21"])
    assert suggested.options == ("city_9", "city_21", "city_103")
    assert suggested.words("city_9") == "city_9"


def test_a_whole_number_too_large_for_a_browser_is_typed_as_text():
    assert widget("enrollee_id").shape is Shape.TYPED
    assert widget("enrollee_id").read(" 9007199254740993 ") == 9007199254740993
    assert widget("enrollee_id").read("") is None


def test_a_number_shows_as_many_decimals_as_its_examples():
    assert widget("city_development_index").decimals == 3
    assert widget("training_hours").decimals == 0


def test_blanks_around_a_text_are_dropped():
    assert widget("city").read("  city_1 ") == "city_1"


@pytest.mark.parametrize("name", COLUMNS)
def test_the_example_of_every_widget_is_admitted(name):
    example = widget(name).example
    assert COLUMNS[name].admits(widget(name).read(example))


def test_the_groups_hold_every_field_once_by_what_it_is_for():
    needed, helpful, kept = groups_of(JOB_CHANGE, {})
    assert all(field.required for field in needed.widgets)
    assert not any(field.required for field in (*helpful.widgets, *kept.widgets))
    assert {field.column.role for field in kept.widgets} == {Role.ID, Role.PROTECTED}
    names = [field.column.name for group in (needed, helpful, kept) for field in group.widgets]
    assert sorted(names) == sorted(COLUMNS)


def test_what_was_entered_becomes_a_record_and_what_is_not_admitted_is_named():
    entries = [(widget("city"), "city_1"), (widget("training_hours"), 5000), (widget("gender"), "")]
    record, wrong = read_all(entries)
    assert record == {"city": "city_1", "gender": None}
    [(field, violation)] = wrong
    assert field.column.name == "training_hours"
    assert isinstance(violation, Violation)


def page_of_the_form():
    import streamlit as st

    from form import draw, groups_of
    from jobchurn.contract import JOB_CHANGE

    groups = groups_of(JOB_CHANGE, {"city": ["city_1", "city_2"]})
    st.session_state["entries"] = {
        field.column.name: draw(field) for group in groups for field in group.widgets
    }


def test_the_page_draws_one_labelled_field_for_every_column():
    page = AppTest.from_function(page_of_the_form).run()
    assert not page.exception
    drawn = [*page.selectbox, *page.number_input, *page.text_input]
    labels = [field.label for group in groups_of(JOB_CHANGE, {}) for field in group.widgets]
    assert sorted(field.label for field in drawn) == sorted(labels)
    assert all(field.help for field in drawn)


def test_an_untouched_form_holds_each_widgets_empty_entry():
    page = AppTest.from_function(page_of_the_form).run()
    assert page.session_state["entries"] == {name: widget(name).empty for name in COLUMNS}


def test_a_new_text_can_be_entered_where_the_column_is_open():
    page = AppTest.from_function(page_of_the_form).run()
    takes_new = {field.label for field in page.selectbox if field.proto.accept_new_options}
    assert takes_new == {widget("city").label}

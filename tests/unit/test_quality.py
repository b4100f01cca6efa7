"""A file's cells as a verdict: rows, reasons, statistics and notes."""

import os
from dataclasses import replace

import pytest

from jobchurn import quality
from jobchurn.contract import BIGGEST_INTEGER, JOB_CHANGE, Kind, Role, Rule
from jobchurn.verdict import Reason, RuleResult, Verdict

GOOD = {
    "enrollee_id": "7",
    "city": "city_103",
    "city_development_index": "0.92",
    "gender": "Female",
    "relevent_experience": "Has relevent experience",
    "enrolled_university": "",
    "education_level": "Graduate",
    "major_discipline": "STEM",
    "experience": ">20",
    "company_size": "",
    "company_type": "",
    "last_new_job": "1",
    "training_hours": "36",
    "target": "",
}


def judge(*changes, faults=None, without=(), **arguments):
    """The verdict on as many rows as there are changes, each made to a good row."""
    rows = [GOOD | {"enrollee_id": str(n)} | change for n, change in enumerate(changes, 1)]
    columns = {name: [row[name] for row in rows] for name in GOOD if name not in without}
    return quality.judge(columns, JOB_CHANGE, rows=len(rows), faults=faults, **arguments)


def result_of(verdict, column, rule):
    (result,) = [r for r in verdict.results if (r.column, r.rule) == (column, rule)]
    return result


def broken(row, rule="cell count"):
    return Reason(row, None, rule, "a,b", "2 cells where 14 are expected")


def test_a_blank_in_an_optional_column_is_admitted():
    assert judge({"gender": "", "company_size": ""}).bad == {}


def test_a_blank_in_a_required_column_is_refused():
    verdict = judge({}, {"city": ""})
    assert verdict.bad == {
        2: (
            Reason(
                row=2,
                column="city",
                rule="required",
                text="",
                message="city is blank: a value is required; allowed: text of 1 to 64 characters "
                "without control characters",
            ),
        )
    }
    assert (verdict.rows_valid, verdict.rows_invalid) == (1, 1)


def test_a_reason_says_what_was_likely_meant():
    ((reason,),) = judge({"gender": "female "}).bad.values()
    assert (reason.text, reason.repair) == ("female ", "Female")
    assert "Male, Female, Other" in reason.message


def test_a_row_has_one_reason_for_each_column_that_it_breaks_in_the_order_of_the_contract():
    verdict = judge({"training_hours": "-3", "city": "", "gender": "x"}, {"target": "2"})
    assert [(r.column, r.rule) for r in verdict.bad[1]] == [
        ("city", "required"),
        ("gender", "domain"),
        ("training_hours", "range"),
    ]
    assert [(r.row, r.column) for r in verdict.bad[2]] == [(2, "target")]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("inf", "finite"),
        ("1e400", "finite"),
        ("ten", "kind"),
        ("1.5", "integral"),
        ("1000.5", "integral"),
        ("1001", "range"),
        ("36\n", "kind"),
    ],
)
def test_the_reason_is_the_first_rule_that_is_broken(text, rule):
    ((reason,),) = judge({"training_hours": text}).bad.values()
    assert reason.rule == rule


def test_the_cells_of_a_row_with_a_bad_structure_are_not_judged():
    verdict = judge({}, {"city": "", "gender": "nonsense"}, faults={2: broken(2)})
    assert verdict.bad == {2: (broken(2),)}
    assert result_of(verdict, "city", "required") == RuleResult(
        "city", "required", "ExpectColumnValuesToNotBeNull", rows=1, failed=0
    )
    assert result_of(verdict, None, "cell count") == RuleResult(None, "cell count", None, 2, 1)


def test_bad_rows_come_in_the_order_of_the_file():
    verdict = judge({"target": "x"}, {}, {"city": ""}, {}, faults={2: broken(2)})
    assert list(verdict.bad) == [1, 2, 3]


def test_every_bad_text_is_found_however_many_there_are():
    verdict = judge(*({"gender": f"g{n}"} for n in range(500)))
    assert verdict.rows_invalid == 500
    assert {reason.text for (reason,) in verdict.bad.values()} == {f"g{n}" for n in range(500)}


def test_a_result_counts_the_rows_that_reach_its_rule():
    verdict = judge(*({"training_hours": text} for text in ("", "", "inf", "ten", "-1", "-1", "5")))
    counts = [(r.rule, r.rows, r.failed) for r in verdict.results if r.column == "training_hours"]
    assert counts == [
        ("required", 7, 2),
        ("finite", 5, 1),
        ("kind", 4, 1),
        ("integral", 3, 0),
        ("range", 3, 2),
    ]
    assert result_of(verdict, "training_hours", "range").examples == (("-1", 2),)


def test_blanks_do_not_count_for_the_rules_of_an_optional_column():
    verdict = judge({"gender": ""}, {"gender": "x"}, {"gender": "Male"})
    assert result_of(verdict, "gender", "domain") == RuleResult(
        "gender", "domain", "ExpectColumnValuesToBeInSet", rows=2, failed=1, examples=(("x", 1),)
    )


def test_a_result_names_every_expectation_that_judged():
    expectation = result_of(judge({}), "training_hours", "finite").expectation
    assert expectation == "ExpectColumnValuesToNotMatchRegex + ExpectColumnValuesToNotBeInSet"


def test_examples_are_the_most_frequent_and_few():
    texts = [f"g{n}" for n in range(20)] + ["often"] * 3
    examples = result_of(judge(*({"gender": t} for t in texts)), "gender", "domain").examples
    assert examples[0] == ("often", 3)
    assert len(examples) == 5


def test_a_missing_required_column_makes_every_row_bad_and_the_rest_is_still_judged():
    verdict = judge({}, {"gender": "x"}, without=("city",), missing=("city",))
    assert (verdict.rows_invalid, verdict.missing, verdict.bad) == (2, ("city",), {})
    assert result_of(verdict, "city", "missing column").failed == 2
    assert result_of(verdict, "gender", "domain").failed == 1


def test_an_optional_column_may_be_absent():
    verdict = judge({}, without=("gender", "target"))
    assert verdict.rows_valid == 1
    assert "gender" not in {result.column for result in verdict.results}


def test_a_file_with_a_header_alone_has_an_empty_verdict():
    verdict = judge()
    assert (verdict.rows_total, verdict.bad, verdict.notes) == (0, {}, ())
    assert {result.rows for result in verdict.results} == {0}


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"colour": ["red"]}, {}, "colour is no column"),
        ({"gender": ["Male"]}, {"rows": 2}, "1 cells in 2 rows"),
        ({"gender": ["Male"]}, {}, "it is either there or missing"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(columns, arguments, said):
    with pytest.raises(ValueError, match=said):
        quality.judge(columns, JOB_CHANGE, **({"rows": 1} | arguments))


def test_an_accepted_spelling_is_good_and_noted():
    verdict = judge({"company_size": "Oct-49"}, {"company_size": "Oct-49"}, {})
    assert verdict.bad == {}
    assert verdict.notes == ("Company size: 'Oct-49' was read as '10-49' in 2 rows.",)


def test_a_level_that_the_model_has_not_seen_is_good_and_noted():
    verdict = judge({"city": "city_1"}, {"city": "x"}, {"city": "x"}, {"city": ""},
                    known_levels={"city": ["city_1"]})  # fmt: skip
    assert list(verdict.bad) == [4]
    assert verdict.notes == ("City: 1 value unknown to the model, in 2 rows: 'x' (2).",)


def test_without_known_levels_none_is_noted():
    assert judge({"city": "x"}).notes == ()


def test_a_long_list_in_a_note_is_cut():
    verdict = judge(*({"city": f"c{n}"} for n in range(13)), known_levels={"city": ()})
    assert verdict.notes == (
        "City: 13 values unknown to the model, in 13 rows: "
        + ", ".join(f"'c{n}' (1)" for n in range(10))
        + " and 3 more.",
    )


def test_repeated_ids_are_noted_by_row_and_never_shown():
    ids = ["4711", "5", "4711.0", "6", "04711"]
    verdict = judge(*({"enrollee_id": text} for text in ids))
    assert verdict.bad == {}
    assert verdict.notes == ("Enrollee: 1 value more than once, in rows 1, 3, 5.",)


def test_notes_about_the_file_come_first():
    verdict = judge({"company_size": "10/49"}, notes=["It has a byte-order mark."])
    assert [note[:12] for note in verdict.notes] == ["It has a byt", "Company size"]


def test_an_offending_id_is_never_shown():
    verdict = judge({"enrollee_id": "4,711"}, {"enrollee_id": "a4711"}, {"enrollee_id": ""})
    assert "711" not in verdict.to_json()
    assert [(r.text, r.repair) for (r,) in verdict.bad.values()] == [
        ("text of 5 characters", None),
        ("text of 5 characters", None),
        ("", None),
    ]
    assert verdict.bad[1][0].message == (
        "enrollee_id is text of 5 characters: not a value of this kind; allowed: a whole number "
        "from 1"
    )
    assert result_of(verdict, "enrollee_id", "kind").examples == (("text of 5 characters", 2),)


def test_an_id_beyond_the_numbers_that_a_float_holds_is_judged_exactly():
    verdict = judge({"enrollee_id": str(BIGGEST_INTEGER)}, {"enrollee_id": str(2**63)})
    assert list(verdict.bad) == [2]


def test_a_long_text_is_kept_only_in_part():
    ((reason,),) = judge({"city": "x" * 60_000}).bad.values()
    assert len(reason.text) == quality.TEXT_LIMIT
    assert reason.text.endswith("x…")
    assert len(reason.message) < 300


def test_the_search_for_repairs_ends(monkeypatch):
    monkeypatch.setattr("jobchurn.quality.reasoning._REPAIRS", 2)
    verdict = judge(*({"gender": f"Male{n}"} for n in range(4)))
    assert [reason.repair for (reason,) in verdict.bad.values()] == ["Male", "Male", None, None]


def test_a_verdict_survives_being_written_down():
    verdict = judge({"gender": "Mâle\u202e"}, {"city": ""}, known_levels={"city": ()})
    assert Verdict.from_json(verdict.to_json()) == verdict


def weakened(rule):
    """The suite without one rule."""
    exact = quality.expectations_of
    return lambda column: [e for e in exact(column) if e.meta["rule"] != rule]


def test_it_is_great_expectations_that_judges(monkeypatch):
    assert judge({"gender": "x"}).bad
    monkeypatch.setattr(quality.suite, "expectations_of", weakened("domain"))
    assert judge({"gender": "x"}).bad == {}


def test_a_judgement_against_the_contract_is_an_error(monkeypatch):
    column = replace(JOB_CHANGE["gender"], levels=("Female", "Other"))
    stricter = quality.expectations_of(column)
    monkeypatch.setattr(quality.suite, "expectations_of", lambda _: stricter)
    required = tuple(column.name for column in JOB_CHANGE.required)
    with pytest.raises(quality.JudgementFailed, match=r"'Male' breaks .* it is admitted"):
        judge({"gender": "Male"}, without=set(GOOD) - {"gender"}, missing=required)


def test_a_judgement_by_another_rule_than_the_contract_names_is_an_error(monkeypatch):
    monkeypatch.setattr(quality.suite, "expectations_of", weakened("finite"))
    with pytest.raises(quality.JudgementFailed, match="by the contract it breaks"):
        judge({"training_hours": "inf"})


def test_an_expectation_that_cannot_be_evaluated_is_an_error(monkeypatch):
    elsewhere = quality.expectations_of(JOB_CHANGE["city"])
    monkeypatch.setattr(quality.suite, "expectations_of", lambda _: elsewhere)
    with pytest.raises(quality.JudgementFailed, match="could not be evaluated"):
        judge({})


@pytest.mark.parametrize("column", JOB_CHANGE.columns, ids=lambda column: column.name)
def test_each_rule_of_a_column_has_its_expectations_and_no_other_has(column):
    stated = [expectation.meta for expectation in quality.expectations_of(column)]
    assert {meta["column"] for meta in stated} == {column.name}
    assert tuple(dict.fromkeys(Rule(meta["rule"]) for meta in stated)) == column.rules


def test_a_bound_that_great_expectations_would_round_is_refused():
    column = replace(JOB_CHANGE["training_hours"], maximum=2**60 + 1)
    with pytest.raises(ValueError, match="no float holds"):
        quality.expectations_of(column)


def test_an_id_may_be_a_text(monkeypatch):
    plate = replace(
        JOB_CHANGE["enrollee_id"], kind=Kind.TEXT, max_length=4, minimum=None, maximum=None
    )
    assert plate.role is Role.ID
    contract = replace(JOB_CHANGE, columns=(plate, JOB_CHANGE.outcome))
    columns = {plate.name: ["ab", "01", "ab", "1", "secret"], "target": ["0"] * 5}
    verdict = quality.judge(columns, contract, rows=5)
    assert verdict.notes == ("Enrollee: 1 value more than once, in rows 1, 3.",)
    assert "secret" not in verdict.to_json()


def test_judging_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    quality.suite._batches.cache_clear()
    judge({"gender": "x"})
    assert list(tmp_path.rglob("*")) == []


def test_judging_prints_nothing(capfd):
    judge({"gender": "x"})
    assert capfd.readouterr() == ("", "")


def test_great_expectations_calls_nobody():
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"

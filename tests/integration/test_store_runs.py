"""Runs: kept under way, published once."""

import os

import pytest

from jobchurn.errors import NotFound
from jobchurn.policy import Criticality
from jobchurn.store import Issue
from jobchurn.verdict import Reason, Verdict
from store_work import at_once, claimed


def reason(row, rule, column=None):
    return Reason(row=row, column=column, rule=rule, text="x", message="wrong")


VERDICT = Verdict(
    rows_total=4,
    bad={
        1: (reason(1, "range", "training_hours"), reason(1, "domain", "gender")),
        3: (reason(3, "range", "training_hours"),),
        4: (reason(4, "cell count"), reason(4, "cell count")),
    },
    notes=("an unknown level: \ud800 \x00",),
)


def published(store, claim, **paths):
    places = {"good": None, "bad": None, "reasons": None, "report": None} | paths
    return store.runs.finish(claim, **places)


def test_a_run_is_published_with_all_that_is_known_of_it(store, contract):
    claim = claimed(store, os.fsdecode(b"caf\xe9.csv"), trigger="dag")
    store.runs.save_statistics(claim, VERDICT, Criticality.HIGH)
    good = os.fsdecode(b"/data/good_data/caf\xe9.csv")
    run = published(store, claim, good=good, report="/data/reports/r.html")
    assert (run.run_id, run.file, run.sha256) == (claim.run_id, claim.name, claim.sha256)
    assert (run.trigger, run.contract) == ("dag", contract.fingerprint)
    assert (run.rows_total, run.rows_valid, run.rows_invalid) == (4, 1, 3)
    assert (run.invalid_ratio, run.criticality) == (0.75, "high")
    assert (run.good, run.bad, run.reasons) == (good, None, None)
    assert run.report == "/data/reports/r.html"
    assert (run.duplicate_of, run.started_at) == (None, claim.started_at)
    assert run.finished_at > run.started_at
    assert run.notes == VERDICT.notes
    assert store.runs.get(claim.run_id) == run


def test_issues_count_rows_by_rule_and_column(store):
    claim = claimed(store)
    store.runs.save_statistics(claim, VERDICT, "high")
    assert store.runs.issues(claim.run_id) == [
        Issue("range", "training_hours", 2),
        Issue("domain", "gender", 1),
        Issue("cell count", None, 1),
    ]


@pytest.mark.parametrize(
    ("verdict", "issue"),
    [
        (Verdict(rows_total=9, missing=("city",)), Issue("missing column", "city", 9)),
        (Verdict(rows_total=0, refusal=reason(None, "binary")), Issue("binary", None, 0)),
    ],
)
def test_what_is_wrong_with_a_whole_file_counts_all_its_rows(store, verdict, issue):
    claim = claimed(store)
    store.runs.save_statistics(claim, verdict, "high")
    assert store.runs.issues(claim.run_id) == [issue]


def test_statistics_that_are_saved_again_replace_what_was_kept(store):
    claim = claimed(store)
    store.runs.save_statistics(claim, VERDICT, "high")
    store.runs.save_statistics(claim, Verdict(rows_total=2), "none")
    run = store.runs.get(claim.run_id)
    assert (run.rows_total, run.criticality, run.finished_at) == (2, "none", None)
    assert store.runs.issues(claim.run_id) == []


def test_publishing_again_changes_nothing(store):
    claim = claimed(store)
    store.runs.save_statistics(claim, VERDICT, "high")
    first = published(store, claim, good="/good/a.csv")
    store.runs.save_statistics(claim, Verdict(rows_total=0), "none")
    assert published(store, claim, good="/elsewhere") == first
    assert len(store.runs.issues(claim.run_id)) == 3


def test_a_run_of_which_nothing_is_known_is_not_published(store):
    claim = claimed(store)
    with pytest.raises(NotFound, match=claim.run_id):
        published(store, claim)
    assert store.arrivals.get(claim.run_id).is_open


def test_a_duplicate_takes_the_statistics_of_the_run_that_it_repeats(store):
    first = claimed(store)
    store.runs.save_statistics(first, VERDICT, "high")
    published(store, first, good="/good/a.csv")
    run = published(store, claimed(store, "b.csv"))
    assert (run.duplicate_of, run.rows_invalid, run.criticality) == (first.run_id, 3, "high")
    assert run.good is None


def test_only_published_runs_are_listed_the_last_published_first(store):
    claims = [claimed(store, f"{n}.csv", str(n).encode()) for n in range(5)]
    for claim in claims:
        store.runs.save_statistics(claim, Verdict(rows_total=0), "none")
    for number in (2, 0, 3, 1):
        published(store, claims[number])
    listed = [run.file for run in store.runs.finished()]
    assert listed == ["1.csv", "3.csv", "0.csv", "2.csv"]
    first_page = store.runs.finished(limit=2)
    second_page = store.runs.finished(limit=2, before=first_page[-1].run_id)
    assert [run.file for run in first_page + second_page] == listed
    assert store.runs.finished(before=second_page[-1].run_id) == []


def test_an_unknown_run_is_not_found(store):
    with pytest.raises(NotFound, match="Nothing is known"):
        store.runs.get("20260101T000000-000000")


def test_a_name_is_given_once_and_to_the_same_run_again(store):
    first, second = claimed(store, content=b"1"), claimed(store, content=b"2")
    assert store.runs.reserve_name(first, "a.csv") == "a.csv"
    assert store.runs.reserve_name(second, "a.csv") == f"a-{second.run_id}.csv"
    assert store.runs.reserve_name(first, "a.csv") == "a.csv"
    assert store.runs.reserve_name(second, "a.csv") == f"a-{second.run_id}.csv"


def test_many_that_ask_for_one_name_at_once_get_different_ones(store):
    claims = [claimed(store, content=str(n).encode()) for n in range(8)]
    names = at_once(8, lambda n: store.runs.reserve_name(claims[n], "a.csv"))
    assert len(set(names)) == 8
    assert "a.csv" in names


@pytest.mark.parametrize(
    "name", ["x" * 220, "é" * 110, "x" * 216 + ".csv", os.fsdecode(b"\xff" * 220)]
)
def test_a_long_name_with_a_suffix_is_no_longer_than_file_systems_take(store, name):
    first, second = claimed(store, content=b"1"), claimed(store, content=b"2")
    assert store.runs.reserve_name(first, name) == name
    marked = store.runs.reserve_name(second, name)
    assert second.run_id in marked
    assert len(os.fsencode(marked)) <= 220


@pytest.mark.parametrize("name", [".hidden", "no_suffix", "a.tar.csv"])
def test_a_marked_name_keeps_its_extension(store, name):
    first, second = claimed(store, content=b"1"), claimed(store, content=b"2")
    store.runs.reserve_name(first, name)
    marked = store.runs.reserve_name(second, name)
    assert marked.replace(f"-{second.run_id}", "") == name


def test_a_routed_file_is_never_named_as_another_one_s_reasons(store):
    first, second = claimed(store, content=b"1"), claimed(store, content=b"2")
    store.runs.reserve_name(first, "a.csv")
    assert not store.runs.reserve_name(second, "a.csv.reasons.jsonl").endswith(
        "a.csv.reasons.jsonl"
    )

"""Redactions: written down once, before anything is touched."""

from jobchurn.store import Redaction
from store_work import claimed

BEFORE, AFTER = "b" * 64, "a" * 64


def entry(**values):
    given = {"rows": 2, "file": "data/good_data/a.csv"}
    return Redaction(**given | {"sha256_before": BEFORE, "sha256_after": AFTER} | values)


def test_what_is_done_to_a_run_s_files_is_told_in_order(store):
    run = claimed(store).run_id
    first, second = entry(run_id=run), entry(run_id=run, file="data/reports/x.html", rows=1)
    store.redactions.record([first, second, entry(file="data/training.csv")])
    told = store.redactions.of_run(run)
    assert [(one.file, one.rows) for one in told] == [(first.file, 2), (second.file, 1)]
    assert (told[0].sha256_before, told[0].sha256_after) == (BEFORE, AFTER)
    assert told[0].at is not None


def test_what_is_repeated_after_a_kill_is_written_down_once(store):
    run = claimed(store).run_id
    for _ in range(2):
        store.redactions.record([entry(run_id=run)])
    store.redactions.record([entry(run_id=run, sha256_before=AFTER, sha256_after=None)])
    assert len(store.redactions.of_run(run)) == 2


def test_a_file_of_any_name_is_told_as_it_is_called(store):
    run = claimed(store).run_id
    name = "data/good_data/\udce9\n.csv"
    store.redactions.record([entry(run_id=run, file=name)])
    assert [one.file for one in store.redactions.of_run(run)] == [name]

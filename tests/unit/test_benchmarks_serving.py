import json
import os

import pytest
from benchmarks import load
from benchmarks.peers.servers import PEERS, Trees
from benchmarks.processes import cpu_seconds
from benchmarks.serving import known


def test_whoever_lacks_wrk_or_h2load_is_told_what_to_install(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit) as ended:
        load.require_tools()
    assert ended.value.code == 1
    assert "apt install wrk nghttp2-client" in capsys.readouterr().err


def test_of_an_answer_the_record_and_its_probability_are_known():
    answer = '{"predictions":[{"probability":0.25,"id":7}],"features":[{"a":"b"}],"n":1}'
    assert known(answer) == '[{"a":"b"}]\t0.25'


def test_an_answer_without_a_prediction_ends_the_benchmark():
    with pytest.raises(SystemExit, match="something else"):
        known('{"detail":"no"}')


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_peer_is_sent_every_number_and_null_for_a_blank(peer, tmp_path):
    (tmp_path / "trees.txt").write_text("tree\nfeature_names=a b c\n")
    trees = Trees(tmp_path / "trees.txt")
    [body] = peer.bodies(trees, [[1.5, float("nan"), 36.0]])
    assert "[1.5, null, 36.0]" in body
    json.loads(body)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_peer_is_pinned(peer):
    assert all("==" in requirement for requirement in peer.requirements)


def test_processor_time_counts_what_a_process_computes():
    begun = cpu_seconds(os.getpid())
    sum(range(10_000_000))  # tenths of a second; the clock ticks each hundredth
    assert cpu_seconds(os.getpid()) > begun

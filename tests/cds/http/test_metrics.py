"""The figures of /metrics, without a server."""

from wardround.cds.http.metrics import Metrics


def test_a_histogram_has_all_its_buckets_also_those_that_no_call_was_fast_enough_for(tmp_path):
    metrics = Metrics(tmp_path)
    metrics.call("sepsis-risk", "card", "high", seconds=0.3)
    metrics.call("sepsis-risk", "card", "high", seconds=60.0)
    lines = metrics.text().splitlines()
    buckets = [line for line in lines if line.startswith("wardround_cds_call_seconds_bucket")]
    assert [int(line.rpartition(" ")[2]) for line in buckets] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]
    assert 'wardround_cds_call_seconds_bucket{service="sepsis-risk",le="0.005"} 0' in lines
    assert 'wardround_cds_call_seconds_count{service="sepsis-risk"} 2' in lines

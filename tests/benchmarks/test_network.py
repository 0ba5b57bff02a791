from benchmarks.network import measure


def test_both_ways_see_the_same():
    result = measure((96, 64), 2, "cpu", 1, 1)

    assert result.torch_per_s > 0.0
    assert result.live_per_s > 0.0
    assert result.error < 1e-3

import os

import pytest

from stream.machine import cores, memory_bytes


def written(folder, texts):
    """The container's limits as files, by name."""
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def test_without_a_container_everything_may_be_used(tmp_path):
    assert cores(tmp_path) == len(os.sched_getaffinity(0))
    total, available = memory_bytes(tmp_path)
    assert 0 < available < total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_a_container_s_limits_count(tmp_path):
    limits = {"cpu.max": "50000 100000", "memory.max": 2**28, "memory.current": 2**27}
    assert cores(written(tmp_path, limits)) == 0.5
    assert memory_bytes(tmp_path) == (2**28, 2**27)


def test_a_container_s_limits_count_in_the_older_form_too(tmp_path):
    limits = {"cpu/cpu.cfs_quota_us": 25000, "cpu/cpu.cfs_period_us": 100000}
    limits |= {"memory/memory.limit_in_bytes": 2**28, "memory/memory.usage_in_bytes": 2**29}
    assert cores(written(tmp_path, limits)) == 0.25
    assert memory_bytes(tmp_path) == (2**28, 0)


@pytest.mark.parametrize(
    "limits",
    [{"cpu.max": "max 100000", "memory.max": "max"}, {"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100}],
)
def test_no_limit_is_no_limit(tmp_path, limits):
    assert cores(written(tmp_path, limits)) == len(os.sched_getaffinity(0))
    assert memory_bytes(tmp_path)[0] == memory_bytes(tmp_path / "none")[0]

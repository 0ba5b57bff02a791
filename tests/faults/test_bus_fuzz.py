import pytest

from tests.faults.bus_fuzz import broadcast_lane, fuzz, scores_lane

COUNT = 100_000  # about 5 s for each lane


@pytest.mark.parametrize("lane", [scores_lane, broadcast_lane])
def test_of_mutants_and_noise_only_what_is_a_message_is_taken_and_memory_stays_flat(lane):
    outcome = fuzz(lane, COUNT, seed=1)
    assert outcome.wrong == []
    assert outcome.lost == 0
    assert outcome.sent == COUNT
    assert outcome.refused + outcome.accepted == COUNT
    assert outcome.refused > 0.9 * COUNT
    assert outcome.grown_bytes < 20e6, outcome

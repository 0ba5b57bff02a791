import pytest

from benchmarks.detector import STAGES, measure


@pytest.mark.parametrize("people", [0, 3])
def test_every_frame_and_stage_is_counted(people):
    street = f"demo://street?camera=1&width=160&height=96&fps=10&people={people}"

    cost = measure([f"{street}&seconds=25"], f"{street}&seed=2", 20)

    assert cost.frames == 20
    assert (cost.cells > 0) == (people > 0)
    assert (cost.quiet == 20) == (people == 0)
    assert (cost.quiet_s > 0.0) == (cost.quiet > 0)
    assert all(cost.seconds[stage] >= 0.0 for stage in STAGES)
    assert cost.detector_s > 0.0
    assert cost.by_hand_s > 0.0

import pytest

from tests import rtsp_server
from tests.faults.soak import soak


@pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))
def test_the_books_balance_after_some_faults(tmp_path):
    """Half a minute; `python -m tests.faults.soak` goes on for as long as it is told to."""
    assert soak(tmp_path, minutes=0.5, cameras=2, faults_per_minute=16, seed=2) == []

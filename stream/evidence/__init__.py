"""What people see of an alert: its picture, a strip of its moments, its scores over time.

Knows neither ring nor store.
"""

from stream.evidence.drawing import outline_px
from stream.evidence.files import EvidenceError, write_file
from stream.evidence.picture import Heat, picture, snapshot
from stream.evidence.strip import strip
from stream.evidence.trace import trace
from stream.evidence.track import Track

__all__ = ["EvidenceError", "Heat", "Track", "outline_px", "picture", "snapshot", "strip", "trace", "write_file"]

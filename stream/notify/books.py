"""How each channel fares: what it sent, what it failed at, and since when it has failed. Logs the changes."""

import logging
import math
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Account:
    """One channel's. Times are monotonic."""

    name: str
    sent: int = 0
    failed: int = 0
    """Tries in vain."""
    rejected: int = 0
    given_up: int = 0
    failures: int = 0
    """Since the last success."""
    failing_since_s: float = math.inf
    pause_until_s: float = 0.0
    """When the next try is due, whatever waits."""
    _logged: bool = False
    _rejection_logged: bool = False

    def succeed(self) -> None:
        """Count a delivery; the first after failures is logged."""
        self.sent += 1
        if self.failures:
            logger.info("channel %s: delivers again", self.name)
        self.failures, self.failing_since_s, self.pause_until_s = 0, math.inf, 0.0

    def fail(self, fault: str, now_s: float, pause_s: float) -> None:
        """Count a try in vain; the first of a row is logged. The receiver has a pause, whatever else is due."""
        self.failed += 1
        self.failures += 1
        self.pause_until_s = now_s + pause_s
        if self.failures == 1:
            self.failing_since_s = now_s
            logger.warning("channel %s: cannot deliver, trying again: %s", self.name, fault)

    def reject(self, notice: str, fault: str) -> None:
        """Count a notice that the receiver will never have; the first one is logged."""
        self.rejected += 1
        if not self._rejection_logged:
            self._rejection_logged = True
            logger.error(
                "channel %s: its receiver refuses notice %s: %s; it is not tried again, and more like it are only "
                "counted",
                self.name,
                notice,
                fault,
            )

    def give_up(self, count: int) -> None:
        """Count what waited for too long."""
        self.given_up += count
        logger.error("channel %s: %d notices given up: not delivered for too long", self.name, count)

    def counters(self, now_s: float) -> dict[str, float]:
        """Numbers by name, as `Health` has them."""
        return {
            f"sent/{self.name}": float(self.sent),
            f"failed/{self.name}": float(self.failed),
            f"rejected/{self.name}": float(self.rejected),
            f"given_up/{self.name}": float(self.given_up),
            f"failing_s/{self.name}": max(0.0, now_s - self.failing_since_s),
        }

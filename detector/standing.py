"""Whether a camera is still the one that was calibrated: its picture, and what goes on in it."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from detector import condition, drift
from detector.bundle import Bundle, BundleError, below
from detector.condition import ConditionName, Image, Monitor, Reference
from detector.drift import Drift
from detector.fusion import Evidence

_OWN = (f"{condition.PREFIX}.", f"{drift.PREFIX}.")


class Standing:
    """Follows one camera. What its bundle was not calibrated for is taken for unchanged.

    Args:
        where: The bundle's file, for messages.
        drift_days: Mean time between false alarms of drift, at least.

    Raises:
        BundleError: Arrays do not fit.
    """

    def __init__(self, bundle: Bundle, where: str, drift_days: float) -> None:
        self._arrays = _own(bundle)
        reference = below(condition.PREFIX, self._arrays)
        try:
            self._monitor = Monitor(Reference.from_arrays(reference)) if reference else None
        except (KeyError, ValueError) as error:
            raise BundleError(f"{where}: its arrays do not fit ({error}): calibrate again") from error
        self._drift = Drift(below(drift.PREFIX, self._arrays), drift_days)

    def is_of(self, bundle: Bundle) -> bool:
        """Whether it was made from a bundle that knows the same of this."""
        other = _own(bundle)
        return other.keys() == self._arrays.keys() and all(
            np.array_equal(array, other[name]) for name, array in self._arrays.items()
        )

    def step(self, image: Image, evidence: Mapping[str, Evidence], time_s: float) -> ConditionName:
        """The condition now. Feed it every analysed picture.

        Args:
            evidence: Of each family, with nothing forgiven.
            time_s: Stream time, s.
        """
        name = "ok" if self._monitor is None else self._monitor.step(image, time_s)
        if name not in ("ok", "changed"):
            return name  # what families say of such a picture is no drift
        self._drift.step(evidence, time_s)
        return "changed" if self._drift.changed else name


def _own(bundle: Bundle) -> dict[str, npt.NDArray[np.floating]]:
    return {name: array for name, array in bundle.arrays.items() if name.startswith(_OWN)}

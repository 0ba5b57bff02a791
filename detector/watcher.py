"""One camera watched: pictures in, judgements out, by the regime that the camera is in.

Live watching and backtests both come through here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.bundle import Bundle, BundleError, below
from detector.clips import ClipCall
from detector.condition import ConditionName, Image
from detector.detector import Detector, Features, Sighting, detector_of, observer_of
from detector.fusion import Verdict, fuse
from detector.observer import Observer
from detector.regime import PREFIX, Chooser, Signature
from detector.standing import Standing
from detector.usual import PREFIX as USUAL
from detector.usual import Usual
from detector.words import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A bundle at work."""

    bundle: Bundle
    detector: Detector
    standing: Standing
    usual: Usual | None
    """None where calibration did not keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A picture on its way through the networks."""

    sighting: Sighting
    regime: Regime
    certain: bool
    """False while the camera seems to go over to another regime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is said of one picture."""

    verdict: Verdict
    """Nothing, while the camera seems to go over to another regime."""
    condition: ConditionName
    regime: str
    threshold: float
    """That regime's own."""


class Watcher:
    """Follows one camera. Feed it every analysed picture, in the order of time.

    Args:
        bundles: Of each regime, at least one.
        where: Their file, for messages.
        drift_days: Mean time between false alarms of drift, at least.

    Raises:
        BundleError: They were made for other families, settings or weights than this program has.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        where: str,
        device: str,
        clip_network: ClipCall | None,
        drift_days: float,
    ) -> None:
        self._where = where
        self._device = device
        self._clip_network = clip_network
        self._drift_days = drift_days
        self._regimes = self._at_work(bundles, {})
        self._chooser = self._chooser_of(bundles, None)
        self._observer: tuple[str, Observer] | None = None
        """Of the regime that the camera was in last."""

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Of each regime."""
        return tuple(one.bundle for one in self._regimes)

    def take_up(self, bundles: Sequence[Bundle]) -> None:
        """Go on with other bundles, which prepare pictures as these do.

        Raises:
            BundleError: As the constructor, or they prepare them in another way; all stays as it was then.
        """
        if bundles[0].preparation != self._regimes[0].bundle.preparation:
            raise BundleError(f"{self._where}: prepares pictures in another way: start again to use it")
        regimes = self._at_work(bundles, {one.bundle.regime: one.standing for one in self._regimes})
        chooser = self._chooser_of(bundles, None if self._observer is None else self._observer[0])
        self._regimes, self._chooser = regimes, chooser

    def sight(self, image: Image, time_s: float) -> Sight:
        """What `features` needs of a picture, which `judge` then judges.

        Args:
            time_s: Stream time, s.
        """
        number, certain = self._chooser.step(image, time_s)
        regime = self._regimes[number]
        name = regime.bundle.regime
        if self._observer is None or self._observer[0] != name:
            self._observer = (name, observer_of(regime.bundle, self._where, self._clip_network))
        sighting = Sighting(observer=self._observer[1], image=image, time_s=time_s)
        return Sight(sighting=sighting, regime=regime, certain=certain)

    def judge(self, sight: Sight, seen: Features) -> Judgement:
        """What is said of a picture. To be called in the order of `sight`."""
        now = sight.regime
        verdict = fuse({}, now.detector.grid)
        condition: ConditionName = "ok"
        if sight.certain:
            evidence, whole = now.detector.evidence(seen)
            condition = now.standing.step(sight.sighting.image, evidence, sight.sighting.time_s)
            verdict = now.detector.judge_by(seen, evidence, whole)
        return Judgement(
            verdict=verdict,
            condition=condition,
            regime=now.bundle.regime,
            threshold=now.bundle.budget.threshold,
        )

    def words(self, sight: Sight, seen: Features, judgement: Judgement) -> str:
        """What is unusual in a picture that was judged, for people."""
        return words(judgement.verdict, seen, sight.regime.detector, sight.regime.usual)

    def _at_work(self, bundles: Sequence[Bundle], known: Mapping[str, Standing]) -> tuple[Regime, ...]:
        """The bundles' regimes, with what is known of how the camera stands in them."""
        regimes = []
        for bundle in bundles:
            standing = known.get(bundle.regime)
            if standing is None or not standing.is_of(bundle):
                standing = Standing(bundle, self._where, self._drift_days)
            detector = detector_of(bundle, self._where, self._device)
            observer_of(bundle, self._where, self._clip_network)  # what is wrong with it is told now
            usual = Usual.from_arrays(below(USUAL, bundle.arrays))
            regimes.append(Regime(bundle=bundle, detector=detector, standing=standing, usual=usual))
        return tuple(regimes)

    def _chooser_of(self, bundles: Sequence[Bundle], now: str | None) -> Chooser:
        names = [bundle.regime for bundle in bundles]
        if len(bundles) == 1:
            return Chooser([], now=0)
        try:
            signatures = [Signature.from_arrays(below(PREFIX, bundle.arrays)) for bundle in bundles]
        except KeyError as error:
            raise BundleError(f"{self._where}: a regime has no {error}: calibrate it again") from error
        return Chooser(signatures, names.index(now) if now in names else None)

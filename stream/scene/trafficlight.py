"""The traffic light of the drawn road: when it shows what, and how it looks."""

import math

from stream.scene.layout import Colour, View
from stream.scene.pen import Image, Pen, Stand

CYCLE_S = 33.0
RED_S = 11.0
"""It is red for so long from the start of each cycle."""
WARNING_S = 2.0
"""And amber before that."""
CROSSING_M = 1.9
"""How far the crossing before it reaches to each side of the picture's middle."""
_HIGH_M = 3.1
_OFF = 0.22
_LAMPS: tuple[Colour, ...] = ((40, 40, 235), (40, 190, 250), (110, 215, 60))
"""Red, amber, green from above."""


class TrafficLight:
    """A light on a pole beside the roadway."""

    def __init__(self, view: View, x_m: float, z_m: float) -> None:
        self.z_m = z_m
        self._stand = Stand(view, (x_m, z_m), 1)

    def draw(self, image: Image, time_s: float, _wind_rad: float) -> None:
        """Draw it with the lamp that is on."""
        pen = Pen(image, self._stand)
        pen.limb(0j, _HIGH_M * 1j, 0.06, 0.05, (70, 72, 74))
        pen.shape(
            [complex(x_m, up_m) for x_m, up_m in ((-0.2, 2.1), (-0.2, 3.2), (0.2, 3.2), (0.2, 2.1))], (34, 34, 34)
        )
        since_s = math.fmod(time_s, CYCLE_S)
        on = 0 if since_s < RED_S else 1 if since_s > CYCLE_S - WARNING_S else 2
        for number, colour in enumerate(_LAMPS):
            light = 1.0 if number == on else _OFF
            pen.disc(
                complex(0, 3.02 - 0.36 * number),
                0.15,
                (int(colour[0] * light), int(colour[1] * light), int(colour[2] * light)),
            )

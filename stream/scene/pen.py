"""Smooth shapes in a drawn scene, placed and scaled by where a figure stands.

A figure is drawn in its own upright plane, in metres, as complex numbers: the real part points where the figure is
heading, the imaginary part up, 0 is the ground below it. So `point * exp(1j * angle)` turns a limb.
"""

import cmath
import math
from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from stream.scene.layout import Colour, View

Image = npt.NDArray[np.uint8]

_SUBPIXEL_BITS = 4
_ARC = [cmath.exp(1j * math.pi * step / 4) for step in range(5)]
CIRCLE = [cmath.exp(2j * math.pi * step / 24) for step in range(24)]
"""Radius 1, starting ahead and going up."""


def shade(colour: Colour, light: float) -> Colour:
    """The colour with this much of its light."""
    return int(min(255, colour[0] * light)), int(min(255, colour[1] * light)), int(min(255, colour[2] * light))


def fill(image: Image, corners_px: Iterable[tuple[float, float]], colour: Colour) -> None:
    """A filled polygon by its (column, row) corners."""
    cv2.fillPoly(image, [_subpixels(corners_px)], colour, cv2.LINE_AA, _SUBPIXEL_BITS)


class Stand:
    """A figure's own plane: where it stands in the picture, how large and which way it heads."""

    def __init__(self, view: View, place: tuple[float, float], facing: float) -> None:
        self._foot = view.x_px(*place), view.ground_px(place[1])
        self._facing = facing
        self.scale = view.px_per_m(place[1])
        """Pixels per metre."""

    def pixel(self, point: complex) -> tuple[float, float]:
        """Column and row of a point."""
        ahead_px = self._facing * point.real * self.scale
        return self._foot[0] + ahead_px, self._foot[1] - point.imag * self.scale


class Pen:
    """Draws shapes given in a figure's own plane into the picture."""

    def __init__(self, image: Image, stand: Stand) -> None:
        self._image = image
        self._stand = stand

    def shape(self, points: list[complex], colour: Colour) -> None:
        """A filled polygon."""
        fill(self._image, map(self._stand.pixel, points), colour)

    def limb(self, start: complex, end: complex, start_m: float, end_m: float, colour: Colour) -> None:
        """A tapered bar with round ends; widths are half ones."""
        along = end - start
        turn = along / abs(along) if along else 1 + 0j
        outline = [end + end_m * turn * -1j * step for step in _ARC]
        outline += [start + start_m * turn * 1j * step for step in _ARC]
        cv2.fillConvexPoly(self._image, self._pixels(outline), colour, cv2.LINE_AA, _SUBPIXEL_BITS)

    def disc(self, centre: complex, radius_m: float, colour: Colour) -> None:
        """A filled circle."""
        outline = self._pixels([centre + radius_m * step for step in CIRCLE])
        cv2.fillConvexPoly(self._image, outline, colour, cv2.LINE_AA, _SUBPIXEL_BITS)

    def ring(self, centre: complex, outer_m: float, inner_m: float, colour: Colour) -> None:
        """A circle with a hole."""
        outlines = [self._pixels(centre + radius_m * step for step in CIRCLE) for radius_m in (outer_m, inner_m)]
        cv2.fillPoly(self._image, outlines, colour, cv2.LINE_AA, _SUBPIXEL_BITS)

    def line(self, points: list[complex], width_m: float, colour: Colour) -> None:
        """A thin line, at least one pixel wide."""
        width_px = max(1, round(width_m * self._stand.scale))
        cv2.polylines(self._image, [self._pixels(points)], False, colour, width_px, cv2.LINE_AA, _SUBPIXEL_BITS)

    def _pixels(self, points: Iterable[complex]) -> npt.NDArray[np.int32]:
        return _subpixels(self._stand.pixel(point) for point in points)


def _subpixels(corners_px: Iterable[tuple[float, float]]) -> npt.NDArray[np.int32]:
    return (np.array(list(corners_px)) * (1 << _SUBPIXEL_BITS)).astype(np.int32)

"""A bag on the ground or in somebody's hand."""

from stream.scene.actors import Actor
from stream.scene.layout import Colour
from stream.scene.pen import Pen, shade

_LONG_M, _HIGH_M = 0.62, 0.4
_HANDLE_M = 0.14
_COLOURS: tuple[Colour, ...] = ((40, 44, 150), (52, 46, 40), (140, 84, 40), (46, 92, 118), (40, 120, 190))


def bag_discs() -> list[tuple[complex, float]]:
    """Discs (centre, radius) in metres that reach as far as a bag on the ground."""
    return [
        (complex(side * _LONG_M / 2, up_m), 0.02) for side in (-1, 1) for up_m in (0.02, _HIGH_M + 0.6 * _HANDLE_M)
    ]


def hanging(hand: complex) -> complex:
    """The foot of a bag that hangs from this hand."""
    return hand - 1j * (_HIGH_M + _HANDLE_M)


def draw_bag(pen: Pen, actor: Actor, foot: complex) -> None:
    """A bag whose foot is there in its owner's plane."""
    colour = _COLOURS[int(actor.phase * len(_COLOURS))]
    half_m, top = _LONG_M / 2, foot + 1j * _HIGH_M
    pen.line([top - 0.12, top - 0.07 + 1j * _HANDLE_M, top + 0.07 + 1j * _HANDLE_M, top + 0.12], 0.03, (36, 36, 38))
    pen.shape(
        [
            foot - half_m,
            top - half_m - 0.06j,
            top - half_m + 0.06,
            top + half_m - 0.06,
            top + half_m - 0.06j,
            foot + half_m,
        ],
        colour,
    )
    pen.shape(
        [top - half_m - 0.06j, top - half_m + 0.06, top + half_m - 0.06, top + half_m - 0.06j], shade(colour, 1.35)
    )
    pen.shape([foot - half_m, foot - half_m + 0.05j, foot + half_m + 0.05j, foot + half_m], shade(colour, 0.6))
    pen.line([foot - 0.16, top - 0.16], 0.03, shade(colour, 0.55))
    pen.line([foot + 0.16, top + 0.16], 0.03, shade(colour, 0.55))

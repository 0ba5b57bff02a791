import cv2
import numpy as np
import pytest

from calibrate.toy import pictures as toy_pictures
from calibrate.toy.experiment import draw_points

ACROSS, UP = np.linspace(-6, 6, 30), np.linspace(-6, 6, 30)
POINTS = draw_points(0, train=200, test=100)
MAPS = (toy_pictures.energy_maps, toy_pictures.score_norm_maps)


def values(scales):
    """A valley around the origin that gets wider from scale to scale."""
    distance = np.hypot(*np.meshgrid(ACROSS, UP))
    return np.stack([distance / (scale + 1) + 0.01 for scale in range(scales)])


def pixels(png):
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return picture.astype(int)


@pytest.mark.parametrize("draw", MAPS)
def test_maps_with_points_show_the_points_over_the_same_maps(draw):
    plain, dotted = (pixels(draw(ACROSS, UP, values(4), [0.1, 0.2, 0.3, 0.4], points)) for points in (None, POINTS))
    assert plain.shape == dotted.shape
    changed = (plain != dotted).any(axis=2).mean()
    assert 0.005 < changed < 0.2


@pytest.mark.parametrize("draw", MAPS)
def test_every_scale_has_a_map_in_the_same_colours(draw):
    """The valley is twice as wide at the second scale, so less of its map is bright."""
    picture = pixels(draw(ACROSS, UP, values(2), [0.1, 0.2]))
    width = picture.shape[1]
    bright = (picture[:, :, 0] > 120) & (picture[:, :, 2] < 100)  # the yellow end of the colours
    left, right = bright[:, : width * 2 // 5].sum(), bright[:, width * 9 // 20 : width * 4 // 5].sum()
    assert left > 1.5 * right


@pytest.mark.parametrize("scales", [1, 5, 16])
@pytest.mark.parametrize("draw", MAPS)
def test_any_number_of_scales_finds_room(draw, scales):
    picture = pixels(draw(ACROSS, UP, values(scales), np.linspace(0.1, 1, scales).tolist()))
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    assert (border == 255).all()  # nothing is cut off
    assert (picture != 255).any(axis=2).mean() > 0.3


def test_of_very_many_scales_no_more_are_drawn_than_can_be_seen():
    many = toy_pictures.energy_maps(ACROSS, UP, values(100), np.linspace(0.1, 1, 100).tolist())
    assert max(pixels(many).shape) < 2500


@pytest.mark.parametrize("draw", MAPS)
def test_a_plane_without_heights_can_be_drawn(draw):
    assert pixels(draw(ACROSS, UP, np.zeros((2, 30, 30)), [0.1, 0.2])).size


def test_the_dataset_shows_the_three_kinds_of_points_where_they_are():
    picture = pixels(toy_pictures.dataset(draw_points(0)))
    red, green, blue = np.moveaxis(picture, -1, 0)
    anomalous, normal = (red > 150) & (blue < 60), (blue > 120) & (red < 60)
    rows, columns = np.nonzero(anomalous)
    inner = np.nonzero(normal)
    assert np.ptp(rows) > np.ptp(inner[0]) > 100  # the outer anomalous clusters are beyond the normal ones
    assert np.ptp(columns) > np.ptp(inner[1]) > 100
    assert ((red == green) & (green == blue) & (red > 150) & (red < 200)).sum() > 100

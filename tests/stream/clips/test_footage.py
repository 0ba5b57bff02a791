import pytest

from stream.clips.footage import Footage

PACKET = b"x" * 800  # with what a sample takes beside it, 1000 bytes


class Template:
    """Of packets whose header is their first byte."""

    def header_in(self, key_packet):
        return key_packet[:1]


def footage(memory_bytes=10**6, pre_roll_s=0.0):
    made = Footage(memory_bytes, pre_roll_s)
    made.template = Template()
    return made


def film(footage, groups, group=10, fps=10.0, first=0, data=PACKET):
    """Packets in groups, each told its time as if it were decoded at once."""
    for index in range(first, first + groups * group):
        footage.add_packet(100.0 + index / fps, index % group == 0, data)
        footage.tell_time(100.0 + index / fps, index / fps)


def times_s(footage):
    return [round(sample.time_s, 6) for sample in footage.since(0)]


def test_whole_groups_are_kept_for_the_pre_roll_and_the_time_in_which_an_alert_is_heard_of():
    held = footage(pre_roll_s=2.0)
    film(held, groups=30)

    assert times_s(held) == [index / 10 for index in range(170, 300)]  # 12 s, and the rest of their first group
    assert [sample.number for sample in held.since(295)] == [295, 296, 297, 298, 299]
    assert held.key_at(20.95).time_s == 20.0
    assert held.key_at(3.0).time_s == 17.0  # the oldest
    assert not held.short


def test_the_memory_is_bounded_in_bytes_and_still_begins_with_a_key_frame():
    held = footage(memory_bytes=35_000, pre_roll_s=2.0)
    film(held, groups=30)

    assert times_s(held) == [index / 10 for index in range(270, 300)]
    assert held.held_bytes == 30_000
    assert held.short


def test_of_a_group_larger_than_the_memory_the_latest_is_there_for_a_clip_that_is_under_way():
    held = footage(memory_bytes=20_000)
    film(held, groups=1, group=500)

    assert held.held_bytes <= 20_000
    assert times_s(held) == [index / 10 for index in range(480, 500)]
    assert held.key_at(49.0) is None
    film(held, groups=1, first=500)
    assert held.key_at(49.0).time_s == 50.0


def test_packets_that_nothing_is_decoded_of_are_bounded_too_and_leave_a_gap():
    held = footage(memory_bytes=20_000)
    film(held, groups=1)
    for index in range(10, 60):
        held.add_packet(100.0 + index / 10, index % 10 == 0, PACKET)
        assert held.held_bytes <= 20_000
    film(held, groups=1, first=60)

    numbers = [sample.number for sample in held.since(0)]
    assert times_s(held)[-10:] == [index / 10 for index in range(60, 70)]
    assert held.since(0)[0].key
    assert numbers[0] > 10


def test_a_packet_has_the_stream_time_of_the_frame_that_is_decoded_of_it():
    held = footage()
    held.add_packet(None, True, b"a")  # the first of RTSP
    held.add_packet(7.2, False, b"a")
    held.add_packet(7.4, False, b"a")
    held.tell_time(None, 0.0)  # the decoder is two packets behind
    assert times_s(held) == [0.0]
    held.tell_time(7.2, 0.2)
    held.add_packet(7.3, False, b"a")  # shown before the one sent before it
    held.tell_time(7.4, 0.4)
    assert times_s(held) == [0.0, 0.2, 0.4, 0.3]
    held.add_packet(99.0, False, b"a")  # the camera's clock was set
    held.tell_time(99.0, 0.5)
    assert times_s(held)[-1] == 0.5


@pytest.mark.parametrize("key", [True, False])
def test_another_header_begins_anew_with_its_key_frame(key):
    held = footage()
    film(held, groups=2, data=b"a")
    held.add_packet(102.0, key, b"b")
    held.add_packet(102.1, False, b"b")
    held.tell_time(102.1, 2.1)

    if key:
        assert times_s(held) == [2.0, 2.1]
        assert held.since(0)[0].number > 20
    else:  # a header beside a key frame means nothing
        assert len(held.since(0)) == 22

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stream.ring import Ring, RingError, RingSpec
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
HEIGHT, WIDTH = 48, 64
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def ring():
    with Ring.create(4, HEIGHT, WIDTH) as ring:
        yield ring


def image_of(seq):
    """A picture whose every byte tells its sequence number."""
    return np.full((HEIGHT, WIDTH, 3), seq % 251, np.uint8)


def write(ring, count):
    for _ in range(count):
        seq = ring.newest + 1
        assert ring.write(image_of(seq), seq / 10, 1000.0 + seq, 1.7e9 + seq) == seq


def write_for_ever(spec):
    """A writer process, as fast as it can."""
    ring = Ring.attach(spec)
    while True:
        ring.write(image_of(ring.newest + 1), 0.0, 0.0, 0.0)


def read_once(spec, seq, line):
    ring = Ring.attach(spec)
    line.send(int(ring.read(seq).image[0, 0, 0]))
    ring.close()


def entries():
    return {path.name for path in Path("/dev/shm").iterdir()}


def test_an_empty_ring_has_no_frame(ring):
    assert ring.newest == -1
    assert ring.oldest == 0
    assert [ring.read(seq) for seq in (-4, -1, 0, 1, 4)] == [None] * 5


def test_a_frame_comes_back_as_it_was_written(ring):
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert ring.write(image, 81.2, 5123.25, 1_769_860_800.12) == 0
    frame = ring.read(0)
    assert (frame.seq, frame.stream_time_s, frame.captured_at_s, frame.utc_s) == (0, 81.2, 5123.25, 1_769_860_800.12)
    np.testing.assert_array_equal(frame.image, image)


def test_a_frame_that_was_read_is_the_readers_own(ring):
    write(ring, 1)
    frame = ring.read(0)
    write(ring, 4)
    np.testing.assert_array_equal(frame.image, image_of(0))


def test_ring_reports_every_overwritten_frame(ring):
    """4 slots hold 4 whole frames, of which the oldest is not counted on, as its slot is the next to be written."""
    write(ring, 10)
    assert [seq for seq in range(12) if ring.read(seq) is not None] == [6, 7, 8, 9]
    assert (ring.oldest, ring.newest) == (7, 9)


def test_every_reader_sees_what_any_writer_wrote(ring):
    with Ring.attach(ring.spec) as writer, Ring.attach(ring.spec) as reader:
        write(writer, 2)
        write(ring, 1)
        assert reader.newest == 2
        assert [reader.read(seq).image[0, 0, 0] for seq in range(3)] == [0, 1, 2]


def test_a_restarted_writer_goes_on_counting(ring):
    with Ring.attach(ring.spec) as writer:
        write(writer, 6)
    with Ring.attach(ring.spec) as writer:
        write(writer, 1)
    assert ring.newest == 6
    assert ring.read(6).captured_at_s == 1006.0


def test_a_writer_killed_between_its_last_two_stores_does_not_make_the_next_one_overwrite_its_frame(ring):
    """The same number twice in one slot would let a reader in the middle of its copy take a torn frame for whole."""
    write(ring, 6)
    ring._newest[0] = 4  # as it stands before the last store of frame 5
    assert ring.read(5) is not None
    assert ring.write(image_of(6), 0.6, 1006.0, 1.7e9) == 6
    assert (ring.newest, ring.read(5).captured_at_s, ring.read(6).captured_at_s) == (6, 1005.0, 1006.0)


def test_a_writer_killed_in_the_middle_of_a_picture_leaves_no_torn_frame(ring):
    write(ring, 5)
    ring._headers[5 % 4]["begin"] = 5  # as it stands while frame 5 is copied over frame 1
    ring._images[5 % 4][:20] = 5
    assert ring.read(1) is None
    assert ring.read(5) is None
    write(ring, 1)
    np.testing.assert_array_equal(ring.read(5).image, image_of(5))


def test_no_frame_is_ever_torn_by_a_fast_writer(ring):
    writer = SPAWN.Process(target=write_for_ever, args=(ring.spec,), daemon=True)
    writer.start()
    try:
        whole = gone = 0
        deadline_s = time.monotonic() + 20.0
        while (whole < 3000 or gone < 100) and time.monotonic() < deadline_s:
            # The frame just written, one from the middle, and the one whose slot is being written at this moment.
            for seq in (ring.newest, ring.newest - 2, ring.newest - 3):
                frame = ring.read(seq)
                if frame is None:
                    gone += 1
                    continue
                whole += 1
                assert frame.seq == seq
                assert (frame.image == seq % 251).all()
        assert whole >= 3000
        assert gone >= 100  # the writer did get in the reader's way
    finally:
        writer.kill()
        writer.join(5)
        writer.close()


def test_a_killed_writer_is_followed_by_one_that_goes_on(ring):
    for _ in range(2):
        before = ring.newest
        writer = SPAWN.Process(target=write_for_ever, args=(ring.spec,), daemon=True)
        writer.start()
        written = wait_until(lambda before=before: ring.newest >= before + 10, 10.0)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(5)
        writer.close()
        assert written
        assert ring.read(ring.newest).image[0, 0, 0] == ring.newest % 251


def test_too_little_shared_memory_is_one_clear_line():
    before = entries()
    with pytest.raises(RingError, match=r"^shared memory: \d+ MiB needed .*1920×1080, \d+ MiB free: .*--shm-size"):
        Ring.create(10_000_000, 1080, 1920)
    assert entries() == before


def test_a_ring_takes_its_memory_when_it_is_made():
    """Pages taken only when first written would let several rings share one promise, and kill a writer later."""
    with Ring.create(16, 480, 640) as ring:
        assert (Path("/dev/shm") / ring.spec.name).stat().st_blocks * 512 >= ring.spec.total_bytes


def test_a_ring_without_room_to_read_is_refused():
    with pytest.raises(RingError, match="at least 2 slots"):
        Ring.create(1, HEIGHT, WIDTH)


def test_a_ring_that_is_missing_or_too_small_is_one_clear_line(ring):
    with pytest.raises(RingError, match=r"^shared memory: mulde_none is not there"):
        Ring.attach(RingSpec(name="mulde_none", slots=4, height=HEIGHT, width=WIDTH))
    with pytest.raises(RingError, match=r"has \d+ bytes, not \d+$"):
        Ring.attach(RingSpec(name=ring.spec.name, slots=400, height=HEIGHT, width=WIDTH))


def test_only_the_creator_removes_a_ring_and_closing_twice_is_harmless():
    before = entries()
    ring = Ring.create(4, HEIGHT, WIDTH)
    reader = Ring.attach(ring.spec)
    reader.close()
    reader.close()
    assert entries() == before | {ring.spec.name}
    ring.close()
    ring.close()
    assert entries() == before
    assert (ring.newest, ring.oldest) == (-1, 0)


def test_neither_a_child_nor_a_stranger_takes_the_ring_along_when_it_ends(ring):
    """Before Python 3.13 a program that only attached removed the segment at its exit, with a warning."""
    write(ring, 1)
    here, there = SPAWN.Pipe()
    child = SPAWN.Process(target=read_once, args=(ring.spec, 0, there))
    child.start()
    child.join(20)
    assert (child.exitcode, here.recv()) == (0, 0)
    child.close()
    here.close()
    there.close()

    code = (
        "import sys\n"
        "from stream.ring import Ring, RingSpec\n"
        f"ring = Ring.attach(RingSpec(name={ring.spec.name!r}, slots=4, height={HEIGHT}, width={WIDTH}))\n"
        "print(ring.read(0).seq)\n"
        "ring.close()\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    stranger = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=20)
    assert (stranger.stdout, stranger.stderr) == ("0\n", "")
    with Ring.attach(ring.spec) as still_there:
        assert still_there.newest == 0


def test_a_creator_that_ends_without_closing_leaves_nothing():
    code = "from stream.ring import Ring; ring = Ring.create(4, 8, 8); print(ring.spec.name, flush=True); input()"
    creator = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    name = creator.stdout.readline().strip()
    assert name in entries()
    creator.kill()
    creator.communicate(timeout=10)
    assert wait_until(lambda: name not in entries(), 5.0)

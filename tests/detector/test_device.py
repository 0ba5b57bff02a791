import cv2
import pytest
import torch

from detector.device import DeviceError, use_device


@pytest.fixture(autouse=True)
def threads_are_put_back():
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_the_cpu_is_used_with_as_many_threads_as_asked_for():
    assert use_device("cpu", 2) == ("cpu", 2)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)


def test_no_number_of_threads_means_all_there_are():
    assert use_device("cpu", 0)[1] >= 1


def test_auto_takes_a_gpu_where_there_is_one():
    assert use_device("auto", 1) == ("cuda" if torch.cuda.is_available() else "cpu", 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_refused_with_the_way_out():
    with pytest.raises(DeviceError, match=r"device cuda: torch .*: use --device cpu"):
        use_device("cuda", 1)


@pytest.mark.gpu
def test_the_gpu_is_used_when_asked_for():
    assert use_device("cuda", 1) == ("cuda", 1)

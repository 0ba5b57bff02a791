"""Which device computes, and with how many threads."""

import os

import cv2
import torch


class DeviceError(Exception):
    """The device asked for is not there."""


def use_device(wanted: str, threads: int) -> tuple[str, int]:
    """Set this process up to compute on a device.

    Args:
        wanted: "auto", "cpu" or "cuda"; auto takes a GPU where there is one.
        threads: For the CPU; 0 = every core.

    Returns:
        "cpu" or "cuda", and the number of threads.

    Raises:
        DeviceError: No CUDA device, or a torch that was built without CUDA.
    """
    threads = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu", threads
    if not torch.cuda.is_available():
        why = "torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise DeviceError(f"device cuda: {why}: use --device cpu, or install the CUDA build of torch")
    return "cuda", threads

"""What could compute here, as one line of JSON on standard output, for who must not load torch itself.

python -m detector.device_report
"""

import json
import sys


def main() -> None:
    """Load what computes and say which versions and devices there are."""
    import onnxruntime
    import torch

    report = {
        "torch": torch.__version__,
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "onnxruntime": onnxruntime.__version__,
        "providers": [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()],
    }
    sys.stdout.write(f"{json.dumps(report)}\n")


if __name__ == "__main__":
    main()

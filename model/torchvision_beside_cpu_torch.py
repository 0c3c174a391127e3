"""Make ``import torchvision`` work where its CUDA build stands beside a CPU build of torch.

The default package index offers torchvision only as a CUDA build. Beside a CPU torch its import dies with "operator
torchvision::nms does not exist", and so does every library that imports it where it finds it: torchmetrics, hence
Lightning. Declaring the two missing operators lets the import go through; carvae calls neither. They are declared only
after that very failure, since declaring them unasked would break a healthy install.
"""

import importlib.util
import sys

import torch


def repair() -> None:
    """Import torchvision where it is installed, declaring its missing operators if it needs them.

    Raises
    ------
    RuntimeError
        Torchvision fails for another reason than its missing operators.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        torch.library.define("torchvision::nms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.library.define("torchvision::qnms", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401

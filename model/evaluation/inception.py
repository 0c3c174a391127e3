"""The usual features of Inception v3, in place of EfficientNet-Lite1's, where a machine may download them."""

import typing as t

import torch
from torch import Tensor, nn


class Inception(nn.Module):
    """torchmetrics' own network, the one that published KIDs and FIDs are measured with.

    Raises
    ------
    ValueError
        torch-fidelity, which holds the network and downloads its weights, is not installed.
    """

    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self.network = NoTrainInceptionV3(name="inception-v3-compat", features_list=["2048"])
        except ModuleNotFoundError as error:
            raise ValueError("--features inception needs `pip install torch-fidelity`, and the network") from error

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(N, 2048)`` of pictures ``(N, 3, H, W)`` in [0, 1]."""
        return t.cast(Tensor, self.network((images * 255).round().to(torch.uint8)))

"""A judge that knows what cars look like: EfficientNet-Lite1, which has learnt the photographs of ImageNet.

It sees each picture enlarged to the 240 px that it was trained on. Training learns from Lite0 at most, so that the
judge is not the teacher. Weights are chosen by what Lite1 says of them, so Lite2 may judge in its place afterwards.
"""

import dataclasses
import typing as t

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..vae.efficientnet import EfficientNetLite
from . import distances

#: Kinds of cars among ImageNet's 1,000 classes.
CARS = {
    436: "station wagon",
    468: "cab",
    479: "car wheel",
    511: "convertible",
    581: "grille",
    609: "jeep",
    627: "limousine",
    656: "minivan",
    661: "Model T",
    717: "pickup",
    751: "racer",
    817: "sports car",
    864: "tow truck",
}

#: Blocks whose maps the perceptual distance compares, at a half, a quarter, an eighth, a sixteenth and a thirty-second
#: of the enlarged picture's side.
BLOCKS = (0, 3, 6, 14, 20)

#: Pictures seen at once: more are no faster on a CPU.
BATCH = 16

Progress = t.Callable[[t.Sequence[t.Any]], t.Iterable[t.Any]]


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the judge sees in N pictures, on the CPU.

    Parameters
    ----------
    features : Tensor
        ``(N, F)``.
    recognised : Tensor
        ``(N,)``, 1 where the likeliest of ImageNet's classes is one of `CARS`, else 0.
    """

    features: Tensor
    recognised: Tensor

    def __len__(self) -> int:
        return len(self.features)


class Judge(nn.Module):
    """Features of pictures, and whether they are recognised as cars.

    Parameters
    ----------
    extractor : nn.Module, optional
        Computes the features of ``(N, 3, H, W)`` pictures in [0, 1]; the network then only recognises cars. Needs
        ``num_features``.
    network : {"lite1", "lite2"}
        Which EfficientNet-Lite judges.

    Raises
    ------
    ValueError
        There is no network of this name.
    ImportError
        The package of its weights is not installed.
    """

    def __init__(self, extractor: nn.Module | None = None, network: str = "lite1") -> None:
        super().__init__()
        self.network: EfficientNetLite = t.cast(t.Any, EfficientNetLite(network)).to(memory_format=torch.channels_last)
        self.extractor = extractor
        #: What torchmetrics' distances look for when a judge is their ``feature``.
        self.num_features = int(t.cast(int, extractor.num_features)) if extractor else 1280

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(N, F)`` of pictures ``(N, 3, H, W)`` in [0, 1]."""
        if self.extractor is not None:
            return t.cast(Tensor, self.extractor(images))
        return self.network.pooled(self.enlarged(images))

    def enlarged(self, images: Tensor) -> Tensor:
        """Pictures as the network sees them: ``(N, 3, 240, 240)`` for Lite1, ``(N, 3, 260, 260)`` for Lite2."""
        size = (self.network.side, self.network.side)
        images = F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return images.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def look(self, images: Tensor, progress: Progress = iter) -> Seen:
        """See pictures ``(N, 3, H, W)`` in [0, 1], once for all scores.

        Parameters
        ----------
        progress
            Wraps the batches, e.g. in a progress bar.
        """
        features, recognised = [], []
        cars = torch.tensor(list(CARS))
        for batch in progress(torch.split(images, BATCH)):
            pooled = self.network.pooled(self.enlarged(batch))
            features.append((pooled if self.extractor is None else self(batch)).float().cpu())
            likeliest = self.network.logits(pooled).argmax(1).cpu()
            recognised.append(torch.isin(likeliest, cars).float())
        return Seen(torch.cat(features), torch.cat(recognised))

    @torch.no_grad()
    def perceptual(self, images: Tensor, originals: Tensor, progress: Progress = iter) -> Tensor:
        """Perceptual distance of each picture from its original, ``(N,)``; 0 for equal ones.

        Zhang et al. 2018 (LPIPS) without learnt weights, in the network's maps after `BLOCKS`: each place's features
        are normalised to length 1, and their squared difference is averaged over places and then over the maps.

        Parameters
        ----------
        images, originals
            ``(N, 3, H, W)`` in [0, 1].
        """
        found = []
        for one, other in progress(list(zip(torch.split(images, BATCH), torch.split(originals, BATCH), strict=True))):
            maps = zip(*(self.network.maps(self.enlarged(each), BLOCKS) for each in (one, other)), strict=True)
            distances = [(F.normalize(a) - F.normalize(b)).square().sum(1).mean((1, 2)) for a, b in maps]
            found.append(torch.stack(distances).mean(0).cpu())
        return torch.cat(found)

    def score(self, images: Tensor, photographs: Seen) -> dict[str, float]:
        """Quick scores of pictures, for a training loop.

        Parameters
        ----------
        images
            ``(N, 3, H, W)`` in [0, 1].
        photographs
            What `look` saw in photographs that training does not see, once.

        Returns
        -------
        dict
            ``recognised``, a share, and ``kid``, times 1,000.
        """
        return self.compare(self.look(images), photographs)

    @staticmethod
    def compare(pictures: Seen, photographs: Seen) -> dict[str, float]:
        """`score` of pictures that were seen before."""
        return {
            "recognised": float(pictures.recognised.mean()),
            "kid": 1000 * distances.kernel_distance(photographs.features, pictures.features),
        }

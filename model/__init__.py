"""The learning side: networks, losses, priors, training, evaluation and export of a variational autoencoder."""

from . import torchvision_beside_cpu_torch

torchvision_beside_cpu_torch.repair()

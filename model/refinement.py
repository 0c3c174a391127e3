"""Refinement of a flow: it goes on training on those of its own samples that a critic takes for codes.

A flow of this size gives combinations that no car has. A critic learns to tell codes from samples; of every 16 samples
the one that it finds most like a code is kept (discriminator rejection sampling, Azadi et al. 2019, as best of n), and
the flow learns those that were kept, so drawing a car costs no more than before. Real codes among them keep it from
going past what the critic asks for.
"""

import copy
import typing as t

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from .flow import WIDE, Flow
from .priors import Array

#: Samples of which one is kept, samples kept in a round, and samples that the critic learns from.
CANDIDATES, KEPT, SEEN = 16, 20_000, 30_000

#: Steps that a critic learns.
STEPS = 2000

#: Real codes a kept sample: three beside seven.
ANCHORS = 3 / 7


class Critic(nn.Module):
    """The logarithm of how much likelier a place on the wide axes ``(N, D)`` is a code's than a sample's, ``(N,)``."""

    def __init__(self, latent_dim: int, width: int = 512) -> None:
        super().__init__()
        self.wide = min(WIDE, latent_dim)
        self.layers = nn.Sequential(
            *(nn.Linear(self.wide, width), nn.SiLU(), nn.Dropout(0.5)),
            *(nn.Linear(width, width), nn.SiLU(), nn.Dropout(0.5)),
            nn.Linear(width, 1),
        )

    def forward(self, places: Tensor) -> Tensor:
        return t.cast(Tensor, self.layers(places[:, : self.wide]).squeeze(1))


def train_critic(codes: Tensor, samples: Tensor, seed: int) -> Critic:
    """Train a critic on the places of codes and of samples, ``(N, D)`` each; returns its averaged weights."""
    torch.manual_seed(seed)
    critic = Critic(codes.shape[1])
    average = copy.deepcopy(critic).eval()
    optimizer = torch.optim.AdamW(critic.parameters(), 5e-4, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, STEPS)
    for _ in tqdm(range(STEPS), "critic", mininterval=1):
        real, drawn = (critic(places[torch.randint(len(places), (256,))]) for places in (codes, samples))
        loss = F.softplus(-real).mean() + F.softplus(drawn).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for kept, current in zip(average.parameters(), critic.parameters(), strict=True):
                kept.lerp_(current, 0.01)
    return average


@torch.inference_mode()
def told_apart(critic: Critic, codes: Tensor, samples: Tensor) -> float:
    """Chance that the critic puts a code before a sample (the area under the ROC curve): 0.5 if it can't tell."""
    return float((critic(codes)[:, None] > critic(samples)[None]).float().mean())


@torch.inference_mode()
def draw(flow: Flow, count: int, generator: torch.Generator) -> Tensor:
    """Samples ``(N, D)`` of the flow as it was trained."""
    with torch.autocast("cpu", torch.bfloat16):
        samples = [flow(torch.randn(500, flow.noise_dim, generator=generator)) for _ in range(-(-count // 500))]
    return torch.cat(samples)[:count].float()


@torch.inference_mode()
def pick(flow: Flow, critic: Critic, count: int, generator: torch.Generator) -> Array:
    """Samples ``(N, D)``, each the best of `CANDIDATES` in the critic's eyes."""
    kept = []
    for start in tqdm(range(0, count, 500), "samples", mininterval=1):
        rows = min(500, count - start)
        candidates = draw(flow, CANDIDATES * rows, generator)
        best = critic(flow.placed(candidates)).view(CANDIDATES, rows).argmax(0)
        kept.append(candidates.view(CANDIDATES, rows, -1)[best, torch.arange(rows)])
    return t.cast(Array, torch.cat(kept).numpy())


def lessons(flow: Flow, codes: Array, validation: Array, seed: int, kept: int = KEPT) -> tuple[Array, float]:
    """What the flow should learn next, ``(N, D)``, and how well the critic tells its samples from unseen codes."""
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        places, unseen = (flow.placed(torch.from_numpy(each)) for each in (codes, validation))
        samples = flow.placed(draw(flow, max(min(SEEN, 2 * kept), 2 * len(unseen)), generator))
    learnt = len(samples) - len(unseen)
    critic = train_critic(places.clone(), samples[:learnt].clone(), seed)
    apart = told_apart(critic, unseen, samples[learnt:])
    picked = pick(flow, critic, kept, generator)
    anchors = np.random.default_rng(seed).choice(len(codes), round(kept * ANCHORS))
    return np.concatenate([picked, codes[anchors]]), apart

"""Released weights: encoder, decoder and prior of a trained recipe in one safetensors file."""

import contextlib
import dataclasses
import json
import pathlib
import pickle
import typing as t

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from ..data import files
from ..prior import priors
from ..prior.flow import Flow, FlowConfig
from ..vae.networks import Decoder, Encoder, NetworkConfig

#: Bytes of a released file: it lives in the repository.
LARGEST = 20_000_000

#: The weights in a folder of the Hugging Face hub (`.hub`).
FOLDER_WEIGHTS = "model.safetensors"


@dataclasses.dataclass
class Release:
    """A trained model, ready to export.

    ``facts`` is what the manifest repeats: name, recipe, created, git_commit, data_card, metrics, directions.
    """

    network: NetworkConfig
    encoder: nn.Module
    decoder: nn.Module
    prior: priors.Prior
    facts: dict[str, t.Any]

    def parts(self) -> dict[str, nn.Module]:
        """The three functions of a bundle by name."""
        return {"encoder": self.encoder, "decoder": self.decoder, "prior": self.prior}


def load_checkpoint(path: pathlib.Path) -> tuple[NetworkConfig, Encoder, Decoder, dict[str, t.Any]]:
    """Networks with their averaged weights, and hyperparameters, from a training checkpoint.

    Raises
    ------
    ValueError
        The file is no checkpoint of carvae.
    """
    with _expected(path, "a training checkpoint of carvae"):
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        hyperparameters = checkpoint["hyper_parameters"]
        network = network_config(hyperparameters["network"])
        encoder, decoder = Encoder(network), Decoder(network)
        state: dict[str, Tensor] = checkpoint["state_dict"]
        encoder.load_state_dict(_below("encoder.", state))
        decoder.load_state_dict(_below("decoder.", state))
    facts = {"epoch": checkpoint["epoch"], "step": checkpoint["global_step"], "hyperparameters": hyperparameters}
    facts["data"] = checkpoint.get("datamodule_hyper_parameters", {})
    facts["run"] = checkpoint.get("run", {})
    facts["variance"] = checkpoint.get("variance")
    return network, encoder.eval(), decoder.eval(), facts


def load_networks(path: pathlib.Path) -> tuple[NetworkConfig, nn.Module, nn.Module]:
    """Encoder and decoder of a training checkpoint (``.ckpt``) or of released weights (any other name).

    Raises
    ------
    ValueError
        The file holds no weights of carvae.
    """
    if path.suffix == ".ckpt":
        return load_checkpoint(path)[:3]
    released = load(path)
    return released.network, released.encoder, released.decoder


def load_flow(path: pathlib.Path) -> Flow:
    """A flow with its averaged weights from a checkpoint of scripts/train_prior.py.

    Raises
    ------
    ValueError
        The file is no such checkpoint.
    """
    with _expected(path, "a checkpoint of a flow"):
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        flow = Flow(FlowConfig(**checkpoint["hyper_parameters"]["flow"]))
        flow.load_state_dict(_below("flow.", checkpoint["state_dict"]))
    return flow.eval()


@contextlib.contextmanager
def _expected(path: pathlib.Path, kind: str) -> t.Iterator[None]:
    """Report in one line that a file isn't of the expected kind, whatever error reading it raises."""
    try:
        yield
    except pickle.UnpicklingError as error:
        # torch's long message is dropped, because some of its lines advise loading without checking the file's content.
        raise ValueError(f"{path}: not {kind} (torch finds no weights in it)") from error
    except (OSError, EOFError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not {kind} ({' '.join(str(error).split())})") from error


def network_config(values: dict[str, t.Any]) -> NetworkConfig:
    """A configuration from plain JSON values, whose lists become tuples."""
    arguments: dict[str, t.Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return NetworkConfig(**arguments)


def save(release: Release, path: pathlib.Path, largest: int | None = LARGEST) -> None:
    """Write half-precision weights; single numbers per channel (batch norm) keep full precision.

    Raises
    ------
    ValueError
        The file would have more bytes than ``largest``.
    """
    facts = {**release.facts, "network": dataclasses.asdict(release.network), "prior": describe(release.prior)}
    facts["metrics"] = {}  # scores belong to a bundle made from this file, and are kept beside the file
    content = safetensors.torch.save(tensors(release), {"carvae": json.dumps(facts)})
    if largest is not None and len(content) > largest:
        raise ValueError(f"{path}: {len(content)} bytes of weights; a released file has at most {largest}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(path) as unfinished:
        unfinished.write_bytes(content)


def tensors(release: Release) -> dict[str, Tensor]:
    """What a released file holds, by name."""
    return {
        f"{part}.{name}": (value.half() if value.ndim > 1 else value).contiguous()
        for part, module in release.parts().items()
        for name, value in module.state_dict().items()
    }


def load(path: pathlib.Path) -> Release:
    """Read what `save` wrote.

    Parameters
    ----------
    path
        The file, or a folder of the Hugging Face hub that holds it.

    Raises
    ------
    ValueError
        The file is missing, damaged, or not carvae's.
    """
    try:
        with safetensors.safe_open(weights_file(path), "pt") as file:
            facts = json.loads(file.metadata()["carvae"])
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = network_config(facts.pop("network"))
        kind = facts.pop("prior")
        release = Release(network, Encoder(network), Decoder(network), _build_prior(kind), facts)
        for part, module in release.parts().items():
            module.load_state_dict(_below(f"{part}.", state))
            module.eval()
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path}: no released weights of carvae ({error})") from error
    return release


def weights_file(path: pathlib.Path) -> pathlib.Path:
    """The file with the weights: ``path`` itself, or the one in the folder ``path``."""
    return path / FOLDER_WEIGHTS if path.is_dir() else path


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def describe(prior: priors.Prior) -> dict[str, t.Any]:
    """Kind and size of a prior in plain values, which `load` builds it from."""
    if isinstance(prior, Flow):
        return {"kind": "flow", "config": dataclasses.asdict(prior.config)}
    if isinstance(prior, priors.GaussianMixture):
        components, axes = prior.means.shape
        return {"kind": "gaussian mixture", "latent_dim": len(prior.origin), "axes": axes, "components": components}
    return {"kind": "standard normal", "latent_dim": prior.noise_dim}


def _build_prior(description: dict[str, t.Any]) -> priors.Prior:
    kinds: dict[str, t.Callable[..., priors.Prior]] = {
        "flow": lambda config: Flow(FlowConfig(**config)),
        "gaussian mixture": priors.GaussianMixture,
        "standard normal": priors.StandardNormal,
    }
    values = dict(description)
    return kinds[values.pop("kind")](**values)

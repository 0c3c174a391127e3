"""Engines: the bundle's encoder, decoder and prior on arrays, whichever library runs them.

An engine's library is imported when that engine is loaded, so each brings only its own.
"""

import contextlib
import io
import os
import typing as t

import numpy as np
from numpy.typing import NDArray

from . import operators, unpack
from .bundle import Bundle, BundleError, Manifest
from .settings import ENGINES

Array: t.TypeAlias = NDArray[np.float32]

#: Suffix of files with eight-bit convolutions.
INT8 = ".int8.onnx"

#: A folder that can't exist, because its parent is a file.
_NOWHERE = f"{__file__}/nowhere"


class Engine(t.Protocol):
    """The three functions of a model; all arrays are float32, N at least 1.

    Each row is computed separately, so a result is the same to the bit whatever else is in its batch. On one core this
    is no slower, because a single image's activations stay in the cache.

    A new engine can draw: `prior` and `decode` work at once, `encode` after `add_encoder`.
    """

    #: Calls that a function needs to reach full speed.
    warm_up: int

    def add_encoder(self) -> None:
        """Load the encoder."""

    def encode(self, images: Array) -> tuple[Array, Array]:
        """Images ``(N, C, S, S)`` in [0, 1] to the posterior's mean and log-variance, ``(N, D)`` each."""

    def decode(self, latents: Array) -> Array:
        """Latents ``(N, D)`` to images ``(N, C, S, S)`` in [0, 1]."""

    def prior(self, noise: Array) -> Array:
        """Standard normal noise ``(N, K)`` to latents ``(N, D)`` distributed as the encoder's codes are."""


def load(name: str, bundle: Bundle, threads: int, can_draw: t.Callable[[Engine], None] = lambda _: None) -> Engine:
    """Load and warm the engine `name`, one of `handler.settings.ENGINES`.

    Parameters
    ----------
    can_draw
        Gets the engine once `prior` and `decode` are ready, before the encoder is.

    Raises
    ------
    BundleError
        If a file is missing, is not what the manifest says, or computes something of another shape.
    """
    kind = TorchScript if name == "torchscript" else OnnxRuntime
    engine: Engine = kind(bundle, ENGINES[name], threads)
    _warm_drawing(engine, bundle)
    can_draw(engine)
    engine.add_encoder()
    _warm_encoder(engine, bundle)
    return engine


class TorchScript:
    """The bundle's ``.ts`` files in PyTorch.

    ``torch.jit.load`` warns that it is deprecated, which Python shows nobody by default.
    """

    warm_up = 3  # the first call profiles, the second compiles for what was seen, the third runs the result

    def __init__(self, bundle: Bundle, files: tuple[str, str, str], threads: int) -> None:
        self._bundle = bundle
        prior, decoder, self._encoder_file = files
        # Set before the import, which reads it: torch.set_num_threads aborts where the CPU can't be inspected.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        unpack.load_libraries()
        import torch

        self._torch = torch
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        self._prior, self._decoder = self._load(prior), self._load(decoder)

    def add_encoder(self) -> None:
        """Load the encoder."""
        self._encoder = self._load(self._encoder_file)

    def _load(self, name: str) -> t.Any:
        # From the verified bytes, not from a path whose content could change in between.
        data = self._bundle.read(name)
        try:
            operators.check_source(self._torch, data)
            module = self._torch.jit.load(io.BytesIO(data), map_location="cpu").eval()  # type: ignore[no-untyped-call]
            operators.check_graph(module)
        except RuntimeError as error:
            raise BundleError(f"{name}: not TorchScript: {str(error).strip().splitlines()[0][:200]}") from error
        except ValueError as error:
            raise BundleError(f"{name}: not TorchScript that can be served: {error}") from error
        return module

    def _rows(self, function: t.Any, rows: Array) -> t.Any:
        with self._torch.inference_mode():
            return [function(self._torch.from_numpy(rows[index : index + 1])) for index in range(len(rows))]

    def encode(self, images: Array) -> tuple[Array, Array]:
        """Means and log-variances, ``(N, D)`` each, of images ``(N, C, S, S)`` in [0, 1]."""
        means, log_variances = zip(*self._rows(self._encoder, images), strict=True)
        return self._torch.cat(means).numpy(), self._torch.cat(log_variances).numpy()

    def decode(self, latents: Array) -> Array:
        """Images ``(N, C, S, S)`` in [0, 1] of latents ``(N, D)``."""
        return t.cast(Array, self._torch.cat(self._rows(self._decoder, latents)).numpy())

    def prior(self, noise: Array) -> Array:
        """Latents ``(N, D)`` of standard normal noise ``(N, K)``."""
        return t.cast(Array, self._torch.cat(self._rows(self._prior, noise)).numpy())


class OnnxRuntime:
    """The bundle's ``.onnx`` files in ONNX Runtime: no torch anywhere, and a fraction of its start.

    Encoder and decoder may be in eight bits: the same cars to the eye, for less arithmetic.
    """

    warm_up = 1

    def __init__(self, bundle: Bundle, files: tuple[str, str, str], threads: int) -> None:
        self._bundle, self._threads = bundle, threads
        self._files = dict(zip(("prior", "decoder", "encoder"), files, strict=True))
        self._sessions: dict[str, tuple[t.Any, str]] = {}
        for name in ("prior", "decoder"):
            self._load(name)

    def add_encoder(self) -> None:
        """Load the encoder."""
        self._load("encoder")

    def _load(self, name: str) -> None:
        import onnxruntime

        file = self._files[name]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = 3
        if not file.endswith(INT8):
            # Prepacking copies each matrix of the flow into another layout for each of its ten uses. It adds 40 ms to
            # a cold start and saves 0.8 ms per random car. Single-precision convolutions are packed anyway. Eight-bit
            # ones are not, and take twice as long unpacked.
            options.add_session_config_entry("session.disable_prepacking", "1")
        elif name == "encoder":
            # Export has fused what can be fused. Doing so again takes a third of its start and makes no call faster.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if name == "prior":
            # Planning which tensors share memory takes time that grows with the square of a graph's size: half of what
            # a convolutional flow takes to load.
            options.enable_mem_reuse = False
        # A model may name files that hold its weights; by default they are looked up from the working directory.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
        # From the verified bytes, not from a path whose content could change in between.
        data = self._bundle.read(file)
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            # Its errors share no base class of their own.
            raise BundleError(f"{file}: not ONNX: {str(error).strip().splitlines()[0][:200]}") from error
        self._sessions[name] = (session, session.get_inputs()[0].name)

    def _rows(self, name: str, rows: Array) -> list[Array]:
        session, argument = self._sessions[name]
        try:
            results = [session.run(None, {argument: rows[index : index + 1]}) for index in range(len(rows))]
        except Exception as error:
            raise RuntimeError(str(error)) from error
        return [np.concatenate(arrays) for arrays in zip(*results, strict=True)]

    def encode(self, images: Array) -> tuple[Array, Array]:
        """Means and log-variances, ``(N, D)`` each, of images ``(N, C, S, S)`` in [0, 1]."""
        mean, log_variance = self._rows("encoder", images)
        return mean, log_variance

    def decode(self, latents: Array) -> Array:
        """Images ``(N, C, S, S)`` in [0, 1] of latents ``(N, D)``."""
        return self._rows("decoder", latents)[0]

    def prior(self, noise: Array) -> Array:
        """Latents ``(N, D)`` of standard normal noise ``(N, K)``."""
        return self._rows("prior", noise)[0]


def _warm_drawing(engine: Engine, bundle: Bundle) -> None:
    """Run prior and decoder until they reach full speed, and check the shapes and types of their results."""
    manifest = bundle.manifest
    noise, latent = np.zeros((1, manifest.noise_dim), np.float32), np.zeros((1, manifest.latent_dim), np.float32)
    for _ in range(engine.warm_up):
        with _in_the_models_words():
            drawn, image = engine.prior(noise), engine.decode(latent)
        _check("the prior's latent", drawn, latent.shape)
        _check("the decoder's image", image, _picture(manifest))


def _warm_encoder(engine: Engine, bundle: Bundle) -> None:
    """The same for the encoder."""
    latent = (1, bundle.manifest.latent_dim)
    for _ in range(engine.warm_up):
        with _in_the_models_words():
            mean, log_variance = engine.encode(np.full(_picture(bundle.manifest), 0.5, np.float32))
        _check("the encoder's mean", mean, latent)
        _check("the encoder's log-variance", log_variance, latent)


def _picture(manifest: Manifest) -> tuple[int, ...]:
    return 1, manifest.channels, manifest.image_size, manifest.image_size


@contextlib.contextmanager
def _in_the_models_words() -> t.Iterator[None]:
    """Report in one line why a function of the model failed."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise BundleError(f"the model fails on arrays of the manifest's sizes: {reason[-1][:200]}") from error


def _check(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.float32:
        raise BundleError(f"{name} is {array.dtype} {array.shape}; the manifest says float32 {shape}")

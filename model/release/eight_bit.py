"""Eight-bit twins of a bundle's ONNX encoder and decoder: the same car to the eye, for less arithmetic.

Wide convolutions get eight-bit inputs, outputs and weights by ONNX Runtime's static quantisation; ranges of activations
are those of random cars, so no photograph is needed. All else stays in single precision: narrow convolutions, the first
and the last among them, would cost quality and gain no time. Weights keep to seven bits: without the VNNI instructions
x86 sums eight-bit products in pairs that saturate, and another CPU would draw another car.

Twins are kept only where photographs show that they cost little. What was measured stays with the weights.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import typing as t

import numpy as np
import torch
from numpy.typing import NDArray

from ..data import prepared
from ..vae import losses
from .released import Release, tensors

Array: t.TypeAlias = NDArray[np.float32]
Progress: t.TypeAlias = t.Callable[[str], None]

#: The functions that have a twin. The prior is small, and its errors would add up over the flow's steps.
FUNCTIONS = ("encoder", "decoder")

#: Random cars that the ranges of activations are measured on, and their seed.
CARS = 16
SEED = 7

#: Percentage of a tensor's values inside its quantisation range. The few beyond are clipped: with a range for all of
#: them, the released model's reconstructions lose more than twice as much (docs/performance.md).
PERCENTILE = 99.99

#: Channels that a convolution needs on both sides to be worth eight bits.
FEWEST_CHANNELS = 24

#: What twins may cost: dB of the reconstructions' PSNR inside the photograph, and points of their recognised share.
MOST_DB = 0.1
MOST_POINTS = 1.0

#: Lowest acceptable mean PSNR, in dB, of the twins' random cars against the single-precision ones.
CLOSEST = 30.0

#: Photographs that the cost is measured on, at most and at least.
MOST_PHOTOGRAPHS = 500
FEWEST_PHOTOGRAPHS = 100


@dataclasses.dataclass(frozen=True)
class Cost:
    """What twins cost on validation photographs.

    Parameters
    ----------
    made_of : str
        `fingerprint` of what was measured.
    photographs : int
        How many.
    psnr_lost : float
        dB of the reconstructions' mean PSNR inside the photograph.
    recognised_lost : float or None
        Points, 0 to 100, of the share of reconstructions that are recognised as cars; None for greyscale.
    """

    made_of: str
    photographs: int
    psnr_lost: float
    recognised_lost: float | None

    @property
    def too_dear(self) -> str | None:
        """Why these twins are not kept; None if they are."""
        if self.psnr_lost > MOST_DB:
            return f"they cost {self.psnr_lost:.3f} dB, at most {MOST_DB} are taken"
        if self.recognised_lost is not None and self.recognised_lost > MOST_POINTS:
            return f"they cost {self.recognised_lost:.1f} points of recognised share, at most {MOST_POINTS} are taken"
        return None


def twin(folder: pathlib.Path, name: str) -> pathlib.Path:
    """Where a function's twin lies in a bundle."""
    return folder / f"{name}.int8.onnx"


def add_twins(release: Release, folder: pathlib.Path, photographs: prepared.Images | None, progress: Progress) -> None:
    """Write twins beside the ONNX functions in `folder`, and ``eight_bit`` into the facts, if they cost little.

    Parameters
    ----------
    photographs
        Validation photographs to measure on; None takes what is known of the same weights.
    progress
        Hears what takes a while, and why there are no twins.
    """
    known = release.facts.pop("eight_bit", None)
    made_of = fingerprint(release)
    if photographs is not None and len(photographs) < FEWEST_PHOTOGRAPHS:
        progress(f"no eight-bit twins: {len(photographs)} validation photographs; {FEWEST_PHOTOGRAPHS} are needed")
        return
    if photographs is None and (known is None or known["made_of"] != made_of):
        progress("no eight-bit twins: what they cost these weights was not measured; --data measures it")
        return
    progress("making eight-bit twins")
    cars = draw_cars(folder)
    if not all(quantise(folder, name, arrays) for name, arrays in cars.items()):
        reason: str | None = f"no convolution of {FEWEST_CHANNELS} channels"
    else:
        cost = Cost(**known) if photographs is None else measure(made_of, folder, photographs, progress)
        release.facts["eight_bit"] = dataclasses.asdict(cost)
        reason = cost.too_dear
        if reason is None and (near := closeness(folder, cars["decoder"])) < CLOSEST:
            reason = f"their cars are {near:.1f} dB from the single-precision ones, at least {CLOSEST} are expected"
    if reason:
        progress(f"no eight-bit twins: {reason}")
        for name in FUNCTIONS:
            twin(folder, name).unlink(missing_ok=True)


def fingerprint(release: Release) -> str:
    """SHA-256 of the weights, as they are released, and of how twins are made of them."""
    digest = hashlib.sha256(json.dumps([CARS, SEED, PERCENTILE, FEWEST_CHANNELS]).encode())
    for name, value in sorted(tensors(release).items()):
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def session(path: pathlib.Path, **options: t.Any) -> t.Callable[[Array], list[Array]]:
    """An ONNX function of one array."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    for name, value in options.items():
        setattr(settings, name, value)
    loaded = onnxruntime.InferenceSession(path.read_bytes(), settings, providers=["CPUExecutionProvider"])
    argument = loaded.get_inputs()[0]
    return lambda array: t.cast(list[Array], loaded.run(None, {argument.name: array}))


def draw_cars(folder: pathlib.Path) -> dict[str, list[Array]]:
    """Inputs for random cars: latents ``(1, D)`` for the decoder, and their images for the encoder."""
    import onnx

    prior, decode = session(folder / "prior.onnx"), session(folder / "decoder.onnx")
    shape = onnx.load(str(folder / "prior.onnx")).graph.input[0].type.tensor_type.shape
    noise = np.random.default_rng(SEED).standard_normal((CARS, shape.dim[1].dim_value)).astype(np.float32)
    latents = [prior(row[None])[0] for row in noise]
    return {"encoder": [decode(latent)[0] for latent in latents], "decoder": latents}


def quantise(folder: pathlib.Path, name: str, arrays: list[Array]) -> bool:
    """Write a function's twin; False, and no file, if no convolution is wide enough.

    Parameters
    ----------
    arrays
        What the function is given for typical cars.
    """
    import onnx
    from onnxruntime import GraphOptimizationLevel, quantization

    model, target = onnx.load(str(folder / f"{name}.onnx")), twin(folder, name)
    wide = wide_convolutions(model)
    if not wide:
        return False

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, argument: str) -> None:
            self._left = iter(arrays)
            self._argument = argument

        def get_next(self) -> dict[str, Array] | None:
            array = next(self._left, None)
            return None if array is None else {self._argument: array}

    with _quiet():
        quantization.quantize_static(
            model,
            str(target),
            Reader(model.graph.input[0].name),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=wide,
            per_channel=True,
            reduce_range=True,
            calibrate_method=quantization.CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
    # Fused here rather than at every start; this level's result runs on every CPU.
    session(
        target,
        graph_optimization_level=GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
        optimized_model_filepath=str(target),
    )
    return True


def wide_convolutions(model: t.Any) -> list[str]:
    """Names of the convolutions of an ONNX model that are larger than 1x1 and have `FEWEST_CHANNELS` on both sides.

    Those of 1x1 are little of the arithmetic.
    """
    shapes = {each.name: list(each.dims) for each in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv"
        and min(shapes[node.input[1]][:2]) >= FEWEST_CHANNELS
        and max(shapes[node.input[1]][2:]) > 1
    ]


def measure(made_of: str, folder: pathlib.Path, photographs: prepared.Images, progress: Progress) -> Cost:
    """Compare the reconstructions of twins with those of the single-precision functions, both in `folder`.

    Raises
    ------
    ImportError
        The packages that judge pictures are not installed.
    """
    # Imported here: released weights don't come this far, and `make run` exports those without the training packages.
    from ..evaluation import judge, reconstruction

    chosen = photographs.only(np.arange(len(photographs))[:MOST_PHOTOGRAPHS])
    progress(f"measuring what eight bits cost, by {len(chosen)} photographs")
    originals = torch.cat(list(prepared.in_batches(chosen, CARS)))
    eye = judge.Judge() if originals.shape[1] == 3 else None
    psnr, recognised = [], []
    for names in ([folder / f"{name}.onnx" for name in FUNCTIONS], [twin(folder, name) for name in FUNCTIONS]):
        encode, decode = map(session, names)
        rebuilt = torch.cat([torch.from_numpy(decode(encode(image[None].numpy())[0])[0]) for image in originals])
        rebuilt = rebuilt.clamp(0, 1)
        psnr.append(reconstruction.reconstruction(rebuilt, originals).psnr_inside.value)
        if eye:
            recognised.append(100 * float(eye.look(rebuilt).recognised.mean()))
    points = round(recognised[0] - recognised[1], 2) if recognised else None
    return Cost(made_of, len(chosen), round(psnr[0] - psnr[1], 4), points)


def closeness(folder: pathlib.Path, latents: list[Array]) -> float:
    """Mean PSNR in dB of the twin's pictures of latents against the single-precision ones."""
    one, other = session(folder / "decoder.onnx"), session(twin(folder, "decoder"))
    pictures, twins = (
        torch.cat([torch.from_numpy(decode(latent)[0]) for latent in latents]) for decode in (one, other)
    )
    return float(losses.psnr(twins, pictures).mean())


@contextlib.contextmanager
def _quiet() -> t.Iterator[None]:
    """Keep the quantiser's own prints and logs out of the command's output."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with pathlib.Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logging.disable(level)

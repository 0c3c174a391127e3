"""What a million requests cost, and how cold start and latency grow with the images' size and number.

    python benchmarks/cost.py

The packaged functions run under AWS's runtime client on one core. Networks of other image sizes have the released
one's shape and random weights: time does not depend on the weights. Cost is computed from the warm duration of
/reconstruct and from the cold start measured here, at published prices (benchmarks/lib/prices.py), with one request in
a hundred meeting a cold start.
"""

import contextlib
import dataclasses
import pathlib
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import Sequence

from benchmarks.lib import command, figures, functions, machine, payload, plots, prices
from benchmarks.lib.figures import Figure
from deploy.emulated import lambda_runtime

ROOT = pathlib.Path(__file__).resolve().parent.parent

ENGINES = {"onnx": "ONNX", "torchscript": "TorchScript"}
SIZES = (64, 128, 192, 256)
COUNTS = (1, 4, 16, 64)
ROUNDS, REPEATS = 3, 10
COLD_SHARE = 0.01

Times: t.TypeAlias = dict[tuple[str, str, int], list[float]]


def measure(bundle: pathlib.Path, quick: bool) -> Sequence[Figure]:
    """Start and ask every function with every network in turn."""
    sizes, counts = ((64,), (1, 2)) if quick else (SIZES, COUNTS)
    rounds, repeats = (1, 2) if quick else (ROUNDS, REPEATS)
    times: Times = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        client = lambda_runtime.copy_client(work / "client")
        built = {engine: functions.ours(engine, work / engine) for engine in ENGINES}
        bundles = {size: random_bundle(size, work / f"bundle-{size}") for size in sizes}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for engine, function in built.items():
                for size, each in bundles.items():
                    with Asked(function, client, each) as asked:
                        note(times, engine, "cold start", size, asked.cold_s)
                        note(times, engine, "/reconstruct", size, asked.reconstruct_ms(repeats))
                with Asked(function, client, bundle) as asked:
                    note(times, engine, "released, cold start", 1, asked.cold_s)
                    note(times, engine, "released, /reconstruct", 1, asked.reconstruct_ms(repeats))
                    for count in counts:
                        note(times, engine, "/random", count, asked.random_ms(count, max(2, repeats // count)))
    return figures_of(times)


def note(times: Times, engine: str, what: str, size: int, value: float) -> None:
    times.setdefault((ENGINES[engine], what, size), []).append(value)


class Asked(contextlib.ExitStack):
    """A function on one core that has answered its first request."""

    def __init__(self, function: functions.Function, client: pathlib.Path, bundle: pathlib.Path) -> None:
        super().__init__()
        self._photograph = payload.reconstruct_event(payload.photograph())
        tmp = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        bucket = self.enter_context(functions.s3(bundle))
        started = functions.start(function, client, tmp, bundle, bucket, machine.core())
        self._api, _, begun = self.enter_context(started)
        while self._api.invoke(self._photograph)["statusCode"] == 503:  # a client would ask again, too
            pass
        self.cold_s = time.perf_counter() - begun

    def _ask(self, event: t.Any) -> float:
        begun = time.perf_counter()
        answer = self._api.invoke(event)
        taken = (time.perf_counter() - begun) * 1000
        if answer["statusCode"] != 200:
            raise OSError(f"status {answer['statusCode']}: {answer['body'][:200]}")
        return taken

    def reconstruct_ms(self, repeats: int) -> float:
        """Median duration of /reconstruct."""
        return statistics.median(self._ask(self._photograph) for _ in range(repeats))

    def random_ms(self, count: int, repeats: int) -> float:
        """Median duration of /random."""
        event = payload.random_event(count, "image/webp")  # as PNG, 64 cars of 256 px are too large for an answer
        self._ask(event)
        return statistics.median(self._ask(event) for _ in range(repeats))


def random_bundle(size: int, folder: pathlib.Path) -> pathlib.Path:
    """A bundle of the released network's shape for pictures of `size` pixels, its weights random."""
    import torch

    from model.prior import priors
    from model.release import export, released
    from model.vae.networks import Decoder, Encoder

    torch.manual_seed(size)
    network = released.load(ROOT / "model" / "pretrained" / "carvae.safetensors").network
    network = dataclasses.replace(network, image_size=size)
    prior = priors.StandardNormal(network.latent_dim)
    facts = {"name": f"random-{size}", "created": "", "recipe": {}, "directions": []}
    parts = Encoder(network).eval(), Decoder(network).eval()
    export.write_bundle(released.Release(network, *parts, prior, facts), f"random-{size}", "Random weights.\n", folder)
    return folder


def figures_of(times: Times) -> list[Figure]:
    rows = []
    for (engine, what, size), values in times.items():
        if what.startswith("released"):
            continue
        of = f"{size} images" if what == "/random" else f"{size} px"
        rows.append(figures.median(f"{engine}, {what}, {of}", values, "s" if what == "cold start" else "ms"))
    for engine in ENGINES.values():
        warm, cold = (times[engine, f"released, {what}", 1] for what in ("/reconstruct", "cold start"))
        cost = prices.of_a_million(statistics.median(warm), statistics.median(cold), COLD_SHARE)
        rows += [
            figures.median(f"{engine}, billed for /reconstruct", warm, "ms"),
            Figure(f"{engine}, a million: computing", cost.computing, "USD"),
            Figure(f"{engine}, a million: cold starts", cost.cold_starts, "USD"),
            Figure(f"{engine}, a million: requests and HTTP API", cost.requests, "USD"),
            Figure(f"{engine}, a million requests", cost.total, "USD"),
        ]
    onnx, torchscript = (times[engine, "released, /reconstruct", 1] for engine in ENGINES.values())
    rows.append(figures.ratio("ONNX / TorchScript, billed for /reconstruct", onnx, torchscript, "lower"))
    most = max(size for engine, what, size in times if what == "/random")
    for engine in ENGINES.values():
        per_image = [each / most for each in times[engine, "/random", most]]
        rows.append(
            figures.ratio(
                f"{engine}, an image of {most} / of 1, /random", per_image, times[engine, "/random", 1], "lower"
            )
        )
    return rows


def draw(measured: Sequence[Figure], path: pathlib.Path) -> None:
    """Lines over the images' size and number."""
    import matplotlib.pyplot as plt

    drawing, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    kinds = (("cold start", "px", "s", "Cold start"), ("/reconstruct", "px", "ms", "/reconstruct"))
    for panel, (what, of, unit, title) in zip(panels, (*kinds, ("/random", "images", "ms", "/random")), strict=True):
        for engine, colour in zip(ENGINES.values(), (plots.OURS, plots.OTHERS), strict=True):
            points = {
                int(figure.name.removeprefix(f"{engine}, {what}, ").removesuffix(f" {of}")): figure.value
                for figure in measured
                if figure.name.startswith(f"{engine}, {what}, ") and figure.name.endswith(f" {of}")
            }
            panel.plot(list(points), list(points.values()), marker="o", color=colour, label=engine)
        panel.set(title=title, xlabel=of, ylabel=unit)
        panel.set_ylim(bottom=0)
    panels[0].legend(frameon=False)
    plots.save(drawing, path)


if __name__ == "__main__":
    sys.exit(command.main("cost", __doc__, measure, draw))

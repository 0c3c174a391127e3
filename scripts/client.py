"""Ask a carvae server, from a shell or from Python.

    python scripts/client.py reconstruct car.jpg car.png
    python scripts/client.py reconstruct PHOTOGRAPHS REBUILT --jobs 4
    python scripts/client.py encode PHOTOGRAPHS CODES
    python scripts/client.py decode CODES CARS
    python scripts/client.py random cars.png --count 16 --seed 7
    python scripts/client.py interpolate a.jpg b.jpg morph.gif --steps 16

The suffix of an output file chooses its format. A folder is processed with a few requests at a time. Results that are
already in its output folder are skipped, so a run that was stopped goes on where it stopped. From Python:

    from carvae_client import Client
    latent = Client("http://127.0.0.1:8000").encode(pathlib.Path("car.jpg"))["mean"]
"""

import argparse
import concurrent.futures
import contextlib
import json
import logging
import pathlib
import sys
import typing as t

import tqdm

from carvae_client import Client, ClientError, Refused
from handler import files

FORMS = {
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".json": "application/json",
}
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}

#: Client, file, form of the answer, longest side of its pictures.
Work = t.Callable[[Client, pathlib.Path, str, int | None], bytes]


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # urllib3 logs strange headers as tracebacks.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    args = _parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except (ClientError, ValueError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("stopped; the same command goes on from here")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: t.Callable[[argparse.Namespace], int], text: str, *paths: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for path in paths:
            command.add_argument(path, type=pathlib.Path)
        command.add_argument("--url", default="http://127.0.0.1:8000", help="address of the server (%(default)s)")
        command.set_defaults(run=run)
        return command

    def add_size(command: argparse.ArgumentParser) -> None:
        command.add_argument("--size", type=int, help="longest side of the pictures in pixels (the model's own)")

    for name, work, text in (
        ("reconstruct", _reconstruct, "rebuild photographs"),
        ("encode", _encode, "turn photographs into latents, as JSON"),
        ("decode", _decode, "draw cars from latents, as encode writes them"),
    ):
        kinds = {".json"} if name == "decode" else PICTURES
        suffix = ".json" if name == "encode" else ".png"

        def each(args: argparse.Namespace, work: Work = work, kinds: set[str] = kinds, suffix: str = suffix) -> int:
            return _each(args, work, kinds, suffix)

        command = add(name, each, text, "input", "output")
        command.add_argument("--jobs", type=int, default=4, help="requests at a time for a folder (%(default)s)")
        if name != "encode":
            add_size(command)
    command = add("random", _random, "draw cars that never existed", "output")
    command.add_argument("--count", type=int, default=1, help="how many, 1 to 64 (%(default)s)")
    command.add_argument("--first", type=int, help="index of the first of them (0)")
    command.add_argument("--seed", type=int, help="names the cars; the same seed gives the same cars")
    command.add_argument("--temperature", type=float, help="0 (the average car) to 2 (the unlikely)")
    add_size(command)
    command = add("interpolate", _interpolate, "morph one photograph into another", "start", "end", "output")
    command.add_argument("--steps", type=int, help="frames, 2 to 32")
    command.add_argument("--method", choices=("lerp", "slerp"), help="straight or along an arc")
    add_size(command)
    return parser


def _reconstruct(client: Client, path: pathlib.Path, form: str, size: int | None) -> bytes:
    return client.reconstruct(path, form, size)


def _encode(client: Client, path: pathlib.Path, form: str, _: int | None) -> bytes:
    if form != "application/json":
        raise ValueError("a latent is written as .json")
    return json.dumps(client.encode(path)).encode()


def _decode(client: Client, path: pathlib.Path, form: str, size: int | None) -> bytes:
    try:
        code = json.loads(path.read_bytes())
        latents = code["latents"] if "latents" in code else [code["mean"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no JSON with 'mean' or 'latents'") from error
    return client.decode(latents, form, size)


def _random(args: argparse.Namespace) -> int:
    form = _form(args.output)
    answer = Client(args.url).random(args.count, args.seed, args.temperature, form, args.first, args.size)
    _write(args.output, answer)
    return 0


def _interpolate(args: argparse.Namespace) -> int:
    with _upload_bar() as progress:
        client = Client(args.url, progress)
        answer = client.interpolate(args.start, args.end, args.steps, args.method, _form(args.output), args.size)
    _write(args.output, answer)
    return 0


def _each(args: argparse.Namespace, work: Work, kinds: set[str], suffix: str) -> int:
    """Work on one file, or on each file of a folder."""
    size = getattr(args, "size", None)  # encode has none
    if not args.input.is_dir():
        with _upload_bar() as progress:
            _write(args.output, work(Client(args.url, progress), args.input, _form(args.output), size))
        return 0
    if args.jobs < 1:
        raise ValueError(f"--jobs is {args.jobs}; expected 1 or more")
    args.output.mkdir(parents=True, exist_ok=True)
    todo = _todo(args.input, args.output, kinds, suffix)
    client = Client(args.url)
    failures = 0

    def one(source: pathlib.Path, target: pathlib.Path) -> None:
        _write(target, work(client, source, FORMS[suffix], size))

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        running = {pool.submit(one, source, target): source for source, target in todo.items()}
        try:
            done = concurrent.futures.as_completed(running)
            for future in tqdm.tqdm(done, total=len(running), unit="file", disable=None):
                try:
                    future.result()
                except (Refused, ValueError) as error:
                    failures += 1
                    tqdm.tqdm.write(f"{running[future].name}: {error}", file=sys.stderr)
        except BaseException:  # the server is gone, or Ctrl-C: those not begun would wait for nothing
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _fail(f"{failures} of {len(todo)} files came to nothing") if failures else 0


def _todo(source: pathlib.Path, target: pathlib.Path, kinds: set[str], suffix: str) -> dict[pathlib.Path, pathlib.Path]:
    """Each file of a folder that has no result yet, and where that goes."""
    todo: dict[pathlib.Path, pathlib.Path] = {}
    for path in sorted(source.iterdir()):
        if path.suffix.lower() not in kinds:
            continue
        result = target / f"{path.stem}{suffix}"
        if result in todo.values():
            raise ValueError(f"{source}: two files are called {path.stem!r}; their results would be one file")
        todo[path] = result
    if not todo:
        raise ValueError(f"{source}: holds no {', '.join(sorted(kinds))}")
    left = {path: result for path, result in todo.items() if not result.exists()}
    if len(left) < len(todo):
        print(f"{len(todo) - len(left)} of {len(todo)} files are done already", file=sys.stderr)
    return left


@contextlib.contextmanager
def _upload_bar() -> t.Iterator[t.Callable[[int, int], None]]:
    with tqdm.tqdm(unit="B", unit_scale=True, desc="upload", leave=False, disable=None) as bar:

        def progress(sent: int, total: int) -> None:
            bar.total = total
            bar.update(sent - bar.n)

        yield progress


def _form(path: pathlib.Path) -> str:
    if path.suffix.lower() not in FORMS:
        raise ValueError(f"{path}: ends with {path.suffix!r}; expected {', '.join(FORMS)}")
    return FORMS[path.suffix.lower()]


def _write(path: pathlib.Path, data: bytes) -> None:
    """Write a file that is complete or absent: what is there counts as done."""
    with files.whole(path) as file:
        file.write(data)


def _fail(reason: str) -> int:
    print(f"client: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

"""What the benchmarks are made of, without any timing: counted work, prices, payloads, rates, peers, commands."""

import json
import math
import runpy
import subprocess
import sys
import typing as t
from pathlib import Path

import numpy as np
import onnx
import pytest
from flask.testing import FlaskClient
from onnx import TensorProto, helper

from benchmarks import cost, memory, run, throughput
from benchmarks.lib import functions, gflop, machine, payload, prices, warm_child
from benchmarks.lib.figures import Figure
from handler.app import create_app
from handler.settings import Settings

ROOT = Path(__file__).parent.parent.parent


def test_the_work_of_layers_with_weights_is_counted(tmp_path: Path) -> None:
    weights = np.zeros((8, 3, 3, 3), np.float32)
    dense = np.zeros((8, 5), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["y"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "d"], ["z"]),
        helper.make_node("MatMul", ["y", "y"], ["square"]),  # without weights
    ]
    arrays = [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(dense, "d")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 16, 16])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 5])]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, arrays))
    onnx.save(model, str(tmp_path / "model.onnx"))
    assert gflop.count(tmp_path / "model.onnx") == pytest.approx((2 * 8 * 8 * 8 * 27 + 2 * 8 * 5) / 1e9)


def test_the_price_of_a_million_requests() -> None:
    price = prices.of_a_million(warm_ms=99.2, cold_s=1.0, cold_share=0.01, memory_mb=1024)
    assert price.computing == pytest.approx(1e6 * 0.1 * 0.0000166667)
    assert price.cold_starts == pytest.approx(1e4 * 0.0000166667)
    assert price.total == pytest.approx(price.computing + price.cold_starts + 1.2)


def test_only_answers_within_the_time_count() -> None:
    assert throughput.rate([0.5, 1.0, 1.5, 2.0, 3.0], 1.0, 3.0) == 1.5


def test_growth_is_from_the_warm_request_to_the_last() -> None:
    figure = memory.growth("x", {0: 50.0, 1000: 100.0, 10_000: 103.0}, 1000)
    assert (figure.value, figure.reached) == (1.03, False)


def test_every_engines_memory_is_drawn() -> None:
    names = memory.ENGINES.values()
    measured = [Figure(f"{name}, after {number} requests", 100.0, "MB") for name in names for number in (0, 1000)]
    assert memory.series(measured) == {name: {0: 100.0, 1000: 100.0} for name in names}


def test_the_machine_is_described_without_its_name() -> None:
    described = machine.describe()
    assert described["cores"] >= 1
    assert set(described["packages"]) >= {"torch", "onnxruntime", "litserve", "bentoml"}
    assert "node" not in json.dumps(described)


@pytest.mark.parametrize("body", [payload.photograph(), payload.form(payload.photograph())])
def test_both_payloads_are_answered_with_a_png(client: FlaskClient, body: bytes) -> None:
    kind = "image/jpeg" if body.startswith(b"\xff\xd8") else payload.FORM_TYPE
    answer = client.post("/reconstruct", data=body, content_type=kind, headers={"Accept": "image/png"})
    assert (answer.status_code, answer.data[:4]) == (200, b"\x89PNG")


def test_a_random_event_asks_for_as_many_cars() -> None:
    event = payload.random_event(16)
    assert event["queryStringParameters"]["count"] == "16"
    assert event["multiValueHeaders"]["Accept"] == ["image/png"]


def test_every_measured_route_answers(bundle: Path) -> None:
    app = create_app(Settings(str(bundle), "onnx"))
    app.extensions["carvae"].wait(60)
    for asked in warm_child.routes(np.full((1, 192), 0.5, np.float32)).values():
        warm_child.route(app, *asked)()


def test_the_bare_pieces_rebuild_what_the_app_rebuilds(bundle: Path, client: FlaskClient) -> None:
    bare = warm_child.bare(*warm_child.bare_torchscript(bundle), 32)
    answer = client.post(
        "/reconstruct", data=warm_child.PHOTOGRAPH, content_type="image/jpeg", headers={"Accept": "image/png"}
    )
    assert bare == answer.data
    assert warm_child.bare(*warm_child.bare_onnx(bundle), 32)[:4] == b"\x89PNG"


def test_the_stand_in_for_s3_serves_the_bundle(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from handler.s3 import Client, S3Error

    with functions.s3(bundle) as bucket:
        monkeypatch.setenv("SSL_CERT_FILE", bucket["SSL_CERT_FILE"])
        client = Client("eu-central-1", "key", "secret", endpoint=bucket["AWS_ENDPOINT_URL"])
        assert client.get("models", "carvae/prior.ts", 10**6) == (bundle / "prior.ts").read_bytes()
        with pytest.raises(S3Error, match="NoSuchKey"):
            client.get("models", "carvae/none", 1000)


def test_figures_of_a_run_in_a_short_form(monkeypatch: pytest.MonkeyPatch) -> None:
    times: t.Any = {}
    for engine in cost.ENGINES:
        for what, size, value in (
            ("cold start", 64, 1.0),
            ("/reconstruct", 64, 20.0),
            ("/random", 1, 10.0),
            ("/random", 64, 320.0),
            ("released, cold start", 1, 1.0),
            ("released, /reconstruct", 1, 20.0),
        ):
            cost.note(times, engine, what, size, value)
    rows = {figure.name: figure.value for figure in cost.figures_of(times)}
    assert rows["ONNX, an image of 64 / of 1, /random"] == 0.5
    assert rows["TorchScript, a million requests"] > 1.2
    assert not any(math.isnan(value) for value in rows.values())


@pytest.mark.parametrize("part", [*run.PARTS, "run", "check"])
def test_every_command_says_what_it_does(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"{part}.py", "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "benchmarks" / f"{part}.py"), run_name="__main__")
    assert not stopped.value.code
    assert f"python benchmarks/{part}.py" in capsys.readouterr().out


def test_without_a_bundle_it_says_how_to_get_one(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / "warm_latency.py", "--bundle", tmp_path]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith(f"warm_latency: {tmp_path}: no model bundle")


@pytest.mark.slow
def test_warm_latency_measures_in_its_short_form(bundle: Path) -> None:
    command = [sys.executable, ROOT / "benchmarks" / "warm_latency.py", "--quick", "--bundle", bundle]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "ONNX, POST /reconstruct, p99" in result.stdout

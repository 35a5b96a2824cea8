"""The command line: every command works on a mini checkpoint, and mistakes end with code 2 and one message."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from vitra_policy.benchmarks import bench_gpu, bench_policy, bench_start
from vitra_policy.benchmarks.bench_gpu import TINY
from vitra_policy.benchmarks.random_network import example_statistics, random_network
from vitra_policy.benchmarks.roofline import PEAKS, least_seconds, trunk_cost, vision_cost
from vitra_policy.checkpoint.store import About, save_model
from vitra_policy.cli import COMMANDS, main
from vitra_policy.cli_run import Serve
from vitra_policy.loading import find_checkpoint
from vitra_policy.model.config import preset
from vitra_policy.policies.policy import ActionChunk, Observation, PolicyMetadata, make_example_observation
from vitra_policy.serving import wire
from vitra_policy.serving.client import RemotePolicy
from vitra_policy.serving.server import PolicyServer

TEXT = "Left hand: None. Right hand: Lift it."


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "tiny"
    return save_model(path, random_network(TINY), about=About(statistics=example_statistics(motion=0.05)))


def predict(checkpoint: Path, image: Path, out: Path, *more: str) -> None:
    given = ["--checkpoint", str(checkpoint), "--image", str(image), "--instruction", TEXT, "--fov", "70"]
    main(["predict", *given, "--out", str(out), *more])


def save_image(path: Path, mode: str) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 4), dtype=np.uint8)
    an_image = Image.fromarray(pixels).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    an_image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "checkpoint" in capsys.readouterr().out


@pytest.mark.parametrize(("mode", "suffix"), [("L", ".jpg"), ("RGBA", ".png"), ("RGB", ".jpg")])
def test_predict_writes_actions_and_a_image_of_the_upright_image(
    checkpoint: Path, tmp_path: Path, mode: str, suffix: str
) -> None:
    predict(checkpoint, save_image(tmp_path / f"photo{suffix}", mode), tmp_path / "out")
    with np.load(tmp_path / "out/actions.npz") as found:
        assert found["actions"].shape == (16, 102)
        assert found["right_camera_from_wrist"].shape == (17, 4, 4)
        assert found["right_keypoints_m"].shape == (17, 21, 3)
        assert not found["state_known"]
    assert Image.open(tmp_path / "out/overlay.png").size == (90, 120)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00", b"text"])
def test_a_state_that_was_cut_off_is_named(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / "state.npy").write_bytes(content)
    image = save_image(tmp_path / "a.png", "RGB")
    with pytest.raises(SystemExit, match="2"):
        predict(checkpoint, image, tmp_path / "out", "--state", str(tmp_path / "state.npy"))
    assert "It must be a .npy file" in capsys.readouterr().err


def test_predict_takes_a_state(checkpoint: Path, tmp_path: Path) -> None:
    state = make_example_observation().state
    np.save(tmp_path / "state.npy", state)
    predict(checkpoint, save_image(tmp_path / "a.png", "RGB"), tmp_path / "out", "--state", str(tmp_path / "state.npy"))
    with np.load(tmp_path / "out/actions.npz") as found:
        np.testing.assert_array_equal(found["state"], state)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--image", "missing.jpg"], "missing.jpg"),
        (["--fov", "0"], "--fov"),
        (["--fov", "10", "20", "30"], "--fov"),
        (["--instruction", "lift it"], "lift it"),
        (["--instruction", "Left hand: None. Right hand: Lift \udcff."], "no valid Unicode"),
        (["--checkpoint", "/no/where"], "/no/where"),
        (["--device", "abacus"], "abacus"),
        (["--state", "missing.npy"], "missing.npy"),
        (["--steps", "11"], "11 steps"),
    ],
)
def test_a_mistake_ends_with_code_2_and_its_name(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    given: dict[str, list[str]] = {
        "--checkpoint": [str(checkpoint)],
        "--image": [str(save_image(tmp_path / "a.png", "RGB"))],
        "--instruction": [TEXT],
        "--fov": ["70"],
        "--out": [str(tmp_path / "out")],
    } | {arguments[0]: arguments[1:]}
    with pytest.raises(SystemExit) as stop:
        main(["predict", *(word for option, values in given.items() for word in (option, *values))])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert named in message
    assert "Traceback" not in message


@pytest.mark.parametrize("values", [["0"] * 102, [True] * 102, [1j] * 102, np.zeros(102, "M8[s]"), np.zeros(101)])
def test_a_state_that_is_no_real_numbers_is_named(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], values: Any
) -> None:
    np.save(tmp_path / "state.npy", values)
    image = save_image(tmp_path / "a.png", "RGB")
    with pytest.raises(SystemExit, match="2"):
        predict(checkpoint, image, tmp_path / "out", "--state", str(tmp_path / "state.npy"))
    assert "state.npy must be an array of real numbers" in capsys.readouterr().err


def test_a_broken_image_is_named(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not really")
    with pytest.raises(SystemExit) as stop:
        predict(checkpoint, broken, tmp_path / "out")
    assert stop.value.code == 2
    assert "broken.jpg" in capsys.readouterr().err


def test_inspect_shows_the_network(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(checkpoint)])
    shown = capsys.readouterr().out
    assert "tiny" in shown
    assert "left and right" in shown


def test_new_mini_makes_a_checkpoint_that_predicts(tmp_path: Path) -> None:
    main(["new-mini", str(tmp_path / "mini")])
    predict(tmp_path / "mini", save_image(tmp_path / "a.png", "RGB"), tmp_path / "out", "--steps", "2")
    assert (tmp_path / "out/overlay.png").is_file()


def test_serve_answers_clients_and_health_checks(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started, finished = threading.Event(), threading.Event()
    servers: list[PolicyServer] = []

    def wait(server: PolicyServer) -> None:
        servers.append(server)
        started.set()
        assert finished.wait(60)

    monkeypatch.setattr(PolicyServer, "wait", wait)
    thread = threading.Thread(target=main, args=(["serve", "--checkpoint", str(checkpoint), "--port", "0"],))
    thread.start()
    try:
        assert started.wait(60)
        port = servers[0].port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert answer.status == 200
        client = RemotePolicy(f"ws://127.0.0.1:{port}", infer_timeout_s=30)
        client.warm_up()
        assert client.metadata.uses_committed
        assert client.infer(make_example_observation()).actions.shape == (16, 102)
        client.close()
    finally:
        finished.set()
        thread.join()


@pytest.mark.parametrize(("interrupt", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_an_interrupted_serve_closes_the_policy_when_nothing_is_inferred_any_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, interrupt: signal.Signals, code: int
) -> None:
    begun, closed = threading.Event(), threading.Event()
    closed_meanwhile: list[bool] = []
    answers: list[str | bytes] = []
    asking: list[threading.Thread] = []
    real_wait, main_thread = PolicyServer.wait, threading.get_ident()

    def infer(seen: Observation) -> ActionChunk:
        begun.set()
        closed_meanwhile.append(closed.wait(0.2))
        return ActionChunk(np.tile(seen.state, (4, 1)), seen.hands, 1 / 30, "double")

    def ask_and_interrupt(port: int) -> None:
        with connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
            client.recv(timeout=5)
            client.send(wire.pack(wire.observation_message(make_example_observation(height=16, width=16))))
            assert begun.wait(5)
            signal.pthread_kill(main_thread, interrupt)
            answers.append(client.recv(timeout=5))
            try:
                client.recv(timeout=2)
            except ConnectionClosed as closed_by_server:
                answers.append(str(closed_by_server))

    def wait(server: PolicyServer) -> None:
        asking.append(threading.Thread(target=ask_and_interrupt, args=(server.port,)))
        asking[0].start()
        real_wait(server)

    policy = SimpleNamespace(
        metadata=PolicyMetadata("double"), warm_up=lambda: None, infer=infer, reset=lambda: None, close=closed.set
    )
    monkeypatch.setattr(Serve, "_any_policy", lambda _: policy)
    monkeypatch.setattr(PolicyServer, "wait", wait)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            main(["serve", "--port", "0"])
        assert ended.value.code == code
    finally:
        signal.signal(signal.SIGTERM, before)
    assert closed.is_set()
    assert closed_meanwhile == [False]
    asking[0].join(10)
    assert isinstance(answers[0], bytes), "what was begun is answered"
    assert "the server stops" in str(answers[1:])
    assert "Traceback" not in caplog.text


def test_the_cpu_benchmark_writes_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_policy, "preset", lambda _: TINY)
    bench_policy.main(["--out", str(tmp_path / "a/policy.json"), "--presets", "tiny", "--rounds", "1"])
    report = json.loads((tmp_path / "a/policy.json").read_text())["presets"]["tiny"]
    assert report["relative_error"]["fast_fp32"] < 1e-5
    assert {"eager_reference", "fast"} <= report["ms"].keys()


def test_the_benchmark_of_a_start_runs_the_command_on_a_checkpoint_of_the_asked_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_start, "preset", lambda _: TINY)
    asked = ["--checkpoint", str(tmp_path / "random"), "--stored", "float16", "--rounds", "1"]
    bench_start.main(["--out", str(tmp_path / "a/start.json"), *asked])
    (run,) = json.loads((tmp_path / "a/start.json").read_text())["runs"]
    assert 0 < run["peak_gib"] < 4
    assert (tmp_path / "a/start_predict/overlay.png").is_file()
    assert {w.dtype for w in find_checkpoint(tmp_path / "random_float16").load_model().parameters()} == {torch.float16}


def test_the_gpu_benchmark_runs_with_torch_numpy_and_safetensors_alone(tmp_path: Path) -> None:
    blocked = ["PIL", "scipy", "tyro", "rich", "tokenizers", "websockets", "msgpack", "cv2", "onnx", "huggingface_hub"]
    code = (
        "import sys\n"
        f"for name in {blocked!r}: sys.modules[name] = None\n"
        "import importlib.util as u; real = u.find_spec\n"
        f"u.find_spec = lambda n, *a: None if n in {blocked!r} else real(n, *a)\n"
        "from vitra_policy.benchmarks.bench_gpu import main\n"
        "main(['--tiny', '--device', 'cpu', '--rounds', '2', '--out', sys.argv[1]])\n"
    )
    out = tmp_path / "gpu.json"
    subprocess.run([sys.executable, "-c", code, str(out)], check=True, capture_output=True, timeout=200)
    report: dict[str, Any] = json.loads(out.read_text())
    error = report["action_error_against_fp32"]["fast"]
    assert 0 < error["rms_in_standard_deviations"] < 0.02 * error["largest_action_in_standard_deviations"]
    assert report["ms"]["eager_reference"]["p50"] > 0


def test_without_a_gpu_the_benchmark_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit) as stop:
        bench_gpu.main([])
    assert stop.value.code == 2
    assert "--tiny --device cpu" in capsys.readouterr().err


def test_the_roofline_is_the_one_of_the_published_network() -> None:
    config = preset("3b")
    assert vision_cost(config).flops == pytest.approx(220e9, rel=0.02)
    assert trunk_cost(config, 288).flops == pytest.approx(1184e9 * 0.965, rel=0.01)
    assert least_seconds(config, PEAKS["4090"], 288) == pytest.approx(10.3e-3, rel=0.05)
    assert least_seconds(config, PEAKS["H100"], 288, fp8=True) == pytest.approx(1.3e-3, rel=0.05)


@pytest.mark.parametrize(
    "options",
    [["--fp8", "--mode", "parity"], ["--graphs", "x", "--mode", "fast"], ["--rate-hz", "0"], ["--seed", "-1"]],
)
@pytest.mark.parametrize("command", ["serve", "predict"])
def test_options_that_cannot_go_together_are_refused_by_serve_and_predict(
    checkpoint: Path, command: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [command, "--checkpoint", str(checkpoint), *options]
    if command == "predict":
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "p.png")
        words = "Left hand: None. Right hand: Wave."
        arguments += ["--image", str(tmp_path / "p.png"), "--instruction", words, "--fov", "60"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Policy 'vitra'" in capsys.readouterr().err


def test_inspecting_a_image_says_that_it_is_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "p.png")
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / "p.png")])
    assert "is no checkpoint" in capsys.readouterr().err

"""`vitra-bench`, and every command of its page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vitra_training.cli_bench import main

PAGE = Path(__file__).resolve().parents[2] / "docs/grasp_benchmark.md"


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), flags=re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_every_command_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their order, with fewer and smaller scenes."""
    from vitra_policy.cli import main as policy
    from vitra_training.benchmarks.grasp import generate

    monkeypatch.chdir(tmp_path)
    whole = generate.make_scene

    def small(name: str, group: str, options: generate.GenerateOptions) -> object:
        return whole(name, group, generate.GenerateOptions(seed=options.seed, objects=2, width_px=320, height_px=240))

    monkeypatch.setattr(generate, "make_scene", small)
    mains = {"vitra-bench": main, "vitra-policy": policy}
    ran = set()
    for command in commands():
        name, *arguments = command.split()
        if name not in mains:
            assert command in ("source requirements/env.sh", "vitra-study serve runs/grasp_videos"), command
            continue
        arguments = [
            {"20": "1"}.get(one, one.replace("runs/mini,", "runs/mini,mode=parity,steps=1,guidance=1,"))
            for one in arguments
        ]
        monkeypatch.setattr("sys.argv", [name, *arguments])
        assert mains[name](arguments) in (0, None), command
        ran.add((name, arguments[0]))
    assert {("vitra-bench", one) for one in ("grasp", "grasp-generate", "grasp-check", "study")} <= ran
    report = json.loads((tmp_path / "runs/grasp/report.json").read_text())
    assert [row["row"] for row in report["rows"]][0::5] == ["initial position", "oracle"]
    assert report["command"].startswith("vitra-bench grasp runs/grasp_scenes")
    videos = {path.parent.name for path in (tmp_path / "runs/grasp_videos").rglob("*.mp4")}
    assert {"initial_position", "oracle"} < videos
    assert (tmp_path / "runs/grasp_videos/items.yaml").is_file()


def test_what_a_user_can_mend_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grasp", str(tmp_path)]) == 2
    said = capsys.readouterr().out
    assert "benchmark.json is missing" in said
    assert f"vitra-bench grasp-generate {tmp_path}" in said
    assert "Traceback" not in said


def test_a_policy_that_does_not_exist_is_named_with_those_that_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenes = str(tmp_path / "scenes")
    assert (
        main(["grasp-generate", scenes, "--scenes", "1", "--objects", "2", "--width-px", "320", "--height-px", "240"])
        == 0
    )
    assert main(["grasp", scenes, "--out", str(tmp_path / "out"), "--policy", "lerned:seed=1"]) == 2
    said = capsys.readouterr().out
    assert "Unknown policy 'lerned'. Did you mean 'learned'?" in said


def test_help_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "vitra-bench grasp-generate runs/grasp_scenes --scenes 20" in said
    for command in ("grasp", "grasp-generate", "grasp-check", "study"):
        assert command in said

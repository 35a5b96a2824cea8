"""An output folder loses what an earlier run left there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitra_policy.output_folder import OtherFilesError, clear_results, remove_run


def test_results_of_the_command_go_and_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "old.mcap").write_bytes(b"old")
    for name in ("summary.json", "thesis.tex"):
        (tmp_path / name).write_text("x")
    clear_results(tmp_path, ("bag", "summary.json", "demo.mp4"))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_link_among_the_results_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "thesis.tex").write_text("x")
    out = tmp_path / "out"
    out.mkdir()
    (out / "bag").symlink_to(kept)
    clear_results(out, ("bag",))
    assert (kept / "thesis.tex").is_file()
    assert list(out.iterdir()) == []


def test_only_a_folder_of_an_earlier_run_is_removed_whole(tmp_path: Path) -> None:
    run, other, empty = (tmp_path / name for name in ("run", "other", "empty"))
    for folder in (run, other, empty):
        folder.mkdir()
    (run / "session.sqlite").touch()
    (other / "thesis.tex").write_text("x")
    for folder in (run, empty, tmp_path / "none"):
        remove_run(folder, "session.sqlite")
        assert not folder.exists()
    with pytest.raises(OtherFilesError, match=r"other is left alone.*no session\.sqlite"):
        remove_run(other, "session.sqlite")
    assert (other / "thesis.tex").is_file()
    with pytest.raises(OtherFilesError):
        remove_run(other / "thesis.tex", "session.sqlite")

"""The caption stage with a server that fails: what was answered is kept, what was not is asked again later."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from vitra_training.labeling import pipeline, run
from vitra_training.labeling.captions import stage
from vitra_training.labeling.captions.client import Caption, CaptionError, UnavailableCaptionError
from vitra_training.labeling.captions.stage import CaptionConfig, Captioner
from vitra_training.labeling.hands import stage as hands_stage
from vitra_training.labeling.ingest.layouts import find_videos


class Server:
    """Stands in for the client: the first answer comes, then the server is gone until it is back."""

    def __init__(self, error: Exception) -> None:
        self.error, self.back, self.answered = error, False, 0
        self.spent = stage.CaptionClient(stage.ClientConfig(), Path()).spent
        self.folders: set[Path] = set()

    def __call__(self, config: object, audit: Path) -> Server:
        self.folders.add(audit)
        self.answered = 0
        return self

    def caption(self, side: str, shown: list[bytes]) -> Caption:
        self.answered += 1
        if self.answered > 1 and not self.back:
            raise self.error
        return Caption("Move the square.", (), "made-up-1")


def labelled(made: ModuleType, root: Path, server: Server, retry: bool) -> run.RunOutcome:
    config = pipeline.PipelineConfig(captions=CaptionConfig(captioner=Captioner.OPENAI))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hands_stage, "_networks", made.Eyes)
        patch.setattr(run, "_engine", lambda resources: made.Inline())
        patch.setattr(pipeline, "models_folder", lambda: root)
        patch.setattr(stage, "CaptionClient", server)
        return run.label(find_videos(root / "videos"), root / "out", config, retry_quarantined=retry)


def test_a_server_that_is_gone_puts_the_video_aside_until_it_is_tried_again(made: ModuleType, tmp_path: Path) -> None:
    made.film(tmp_path / "videos/v.mp4", made.one_hand)
    server = Server(UnavailableCaptionError("The caption server answered 503."))
    gone = labelled(made, tmp_path, server, retry=False)
    (aside,) = gone.stages.quarantined
    assert (aside.stage, "503" in aside.detail) == ("captions", True)
    assert gone.episodes.accepted == 0
    server.back = True
    again = labelled(made, tmp_path, server, retry=True)
    assert not again.stages.quarantined
    assert again.episodes.accepted >= 2
    (answers,) = server.folders  # of all tries: what was paid for is not asked again
    assert answers.parent == tmp_path / "out/results/v/video"
    assert ".partial" not in str(answers)


def test_an_episode_that_no_caption_can_be_had_for_is_left_out_alone(made: ModuleType, tmp_path: Path) -> None:
    made.film(tmp_path / "videos/v.mp4", made.one_hand)
    outcome = labelled(made, tmp_path, Server(CaptionError("The model refused.")), retry=False)
    assert not outcome.stages.quarantined
    assert outcome.episodes.accepted == 1
    assert outcome.episodes.reasons["no caption"] >= 1

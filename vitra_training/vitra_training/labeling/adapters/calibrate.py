"""The lens of a camera, from a video that it took."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from vitra_training.labeling.adapters.bridge import write_frames
from vitra_training.labeling.adapters.deepcalib import calibrate_with_deepcalib
from vitra_training.labeling.adapters.droidcalib import calibrate_with_droidcalib
from vitra_training.labeling.adapters.tool import DEEPCALIB, DROIDCALIB, ToolConfig
from vitra_training.labeling.ingest.lens import Lens
from vitra_training.labeling.ingest.probe import probe
from vitra_training.labeling.ingest.resample import decoded


def find_lens(video: Path, moving: bool, config: ToolConfig, every: int, frames: int) -> Lens:
    """The lens by DroidCalib (a moving camera) or DeepCalib.

    Args:
        video: of that camera.
        moving: whether to ask DroidCalib.
        config: where the estimator is installed.
        every: every how many-th frame is looked at.
        frames: at most so many, from the beginning.

    Raises:
        InputError: not a usable video.
        MissingModelError: something that the estimator needs is not there.
        EstimatorFailedError: it gave nothing.
    """
    (DROIDCALIB if moving else DEEPCALIB).found(config)
    found = probe(video)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = (rgb for _, _, rgb in itertools.islice(decoded(found), frames))
        _, width, height = write_frames(images, work / "frames")
        if moving:
            return calibrate_with_droidcalib(work / "frames", width, height, True, every, config)
        return calibrate_with_deepcalib(work / "frames", width, height, every, config, work)[0]

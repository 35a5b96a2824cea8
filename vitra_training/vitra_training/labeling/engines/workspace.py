"""Where results of stages lie: `{root}/results/{video}/{clip}/{stage}-{hash}`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from vitra_training.labeling.engines.stage import WHOLE, Item


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of a run."""

    root: Path

    @property
    def ledger(self) -> Path:
        """The account of what was done."""
        return self.root / "ledger.sqlite"

    def output(self, item: Item, stage: str, config: str) -> Path:
        """Folder of one result; it exists only when it is complete.

        Args:
            item: What it is about.
            stage: Name of the stage.
            config: Hash of its configuration.
        """
        clip = "video" if item.clip == WHOLE else f"clip{item.clip:04d}"
        return self.root / "results" / item.video / clip / f"{stage}-{config}"

    def remove_partial(self) -> None:
        """Delete what killed workers left unfinished."""
        for folder in (self.root / "results").glob("*/*/.*.partial"):
            shutil.rmtree(folder, ignore_errors=True)

"""What an outside estimator needs before it can run, and what to do where something is missing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vitra_training.labeling.errors import MissingModelError


class Estimator(StrEnum):
    """The outside estimators."""

    HAWOR = "HaWoR"
    WILOR = "WiLoR"
    MEGASAM = "MegaSaM"
    MOGE = "MoGe-2"
    DROIDCALIB = "DroidCalib"
    DEEPCALIB = "DeepCalib"


@dataclass(frozen=True, slots=True)
class ToolConfig:
    """Where an estimator is installed."""

    folder: Path | None = None
    """Its checkout with the weights inside; where it is missing, the message says how to make it."""
    python: str = "python3"
    """The Python of its own environment."""
    timeout_s: float = 3 * 3600.0
    """For one clip."""
    memory_mib: int = 32768
    """That it may use."""


@dataclass(frozen=True, slots=True)
class NeededFile:
    """A file that must lie in the checkout."""

    path: str
    get: str
    """How to get it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """An outside estimator."""

    name: Estimator
    checkout: str
    """How to get its code and environment."""
    files: tuple[NeededFile, ...]
    licence: str

    def found(self, config: ToolConfig) -> Path:
        """Its folder, once everything is there.

        Raises:
            MissingModelError: something is not; the message has the instructions and the licence.
        """
        if config.folder is None or not config.folder.is_dir():
            where = "a checkout" if config.folder is None else f"a checkout in {config.folder}"
            files = " ".join(f"{file.path}: {file.get}." for file in self.files)
            raise MissingModelError(self.name, where, f"{self.checkout} {files} Then name it with --...folder.",
                                    self.licence)  # fmt: skip
        folder = config.folder.absolute()
        missing = [file for file in self.files if not (folder / file.path).is_file()]
        if missing:
            raise MissingModelError(
                self.name, ", ".join(file.path for file in missing) + f" in {folder}",
                " ".join(f"{file.path}: {file.get}." for file in missing), self.licence,
            )  # fmt: skip
        if shutil.which(config.python) is None:
            raise MissingModelError(self.name, f"the Python '{config.python}' of its own environment",
                                    f"{self.checkout} Then name it with --...python.", self.licence)  # fmt: skip
        return folder


_MANO = "after registration from https://mano.is.tue.mpg.de"
_MANO_LICENCE = "and MANO's own licence (no commercial use)"
_WILOR = "https://huggingface.co/spaces/rolpotamias/WiLoR/resolve/main/pretrained_models"
_HAWOR = "https://huggingface.co/ThunderVVV/HaWoR/resolve/main/hawor"

HAWOR = Tool(
    Estimator.HAWOR,
    "git clone --recursive https://github.com/ThunderVVV/HaWoR and make the environment that its README describes.",
    (
        NeededFile("weights/external/detector.pt", f"wget {_WILOR}/detector.pt"),
        NeededFile("weights/hawor/checkpoints/hawor.ckpt", f"wget {_HAWOR}/checkpoints/hawor.ckpt"),
        NeededFile("weights/hawor/model_config.yaml", f"wget {_HAWOR}/model_config.yaml"),
        NeededFile("_DATA/data/mano/MANO_RIGHT.pkl", _MANO),
        NeededFile("_DATA/data_left/mano_left/MANO_LEFT.pkl", _MANO),
    ),
    f"CC BY-NC-ND 4.0 (no commercial use) for HaWoR, AGPL-3.0 for its detector's library, {_MANO_LICENCE}",
)
WILOR = Tool(
    Estimator.WILOR,
    "git clone --recursive https://github.com/rolpotamias/WiLoR and make the environment that its README describes.",
    (
        NeededFile("pretrained_models/detector.pt", f"wget {_WILOR}/detector.pt"),
        NeededFile("pretrained_models/wilor_final.ckpt", f"wget {_WILOR}/wilor_final.ckpt"),
        NeededFile("pretrained_models/model_config.yaml", "part of the checkout"),
        NeededFile("mano_data/MANO_RIGHT.pkl", _MANO),
    ),
    f"CC BY-NC-ND 4.0 (no commercial use) for WiLoR, AGPL-3.0 for its detector's library, {_MANO_LICENCE}",
)
MEGASAM = Tool(
    Estimator.MEGASAM,
    "git clone --recursive https://github.com/mega-sam/mega-sam, make the environment that its README describes and "
    "run `python setup.py install` in base/.",
    (
        NeededFile("camera_tracking_scripts/test_demo.py", "part of the checkout"),
        NeededFile("checkpoints/megasam_final.pth", "part of the checkout"),
    ),
    "Apache-2.0 for the code, CC BY 4.0 for the rest",
)
MOGE = Tool(
    Estimator.MOGE,
    "Make a folder for its weights and an environment with `pip install git+https://github.com/microsoft/MoGe.git`.",
    (NeededFile("model.pt", "wget https://huggingface.co/Ruicheng/moge-2-vitl/resolve/main/model.pt"),),
    "MIT, Apache-2.0 for its DINOv2 part",
)
DROIDCALIB = Tool(
    Estimator.DROIDCALIB,
    "git clone --recursive https://github.com/boschresearch/DroidCalib, make the environment that its README describes "
    "and run `python setup.py install`.",
    (
        NeededFile("demo.py", "part of the checkout"),
        NeededFile("droidcalib.pth", "part of the checkout"),
    ),
    "AGPL-3.0",
)
DEEPCALIB = Tool(
    Estimator.DEEPCALIB,
    "Make a folder for its weights and an environment with `pip install 'tensorflow<2.16' opencv-python-headless`.",
    (
        NeededFile(
            "weights.h5",
            "the single network's regression weights out of the archive that https://github.com/alexvbogdan/DeepCalib "
            "links to, under this name",
        ),
    ),
    "none is stated by its authors: ask them before any use beyond research",
)

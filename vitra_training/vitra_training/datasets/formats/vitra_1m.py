"""The VITRA-1M format: one pickled dictionary per human episode beside a tree of videos."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitra_policy.action_space import SIDES, Side
from vitra_training.datasets.arrays import check_shape
from vitra_training.datasets.episode import HumanEpisode, HumanHand, TextWindow
from vitra_training.datasets.errors import BrokenFileError, MissingKeyError, WrongShapeError
from vitra_training.datasets.formats.new_folder import Layout
from vitra_training.datasets.formats.safe_pickle import load_npy_dict
from vitra_training.datasets.names import text_of
from vitra_training.datasets.whole_file import whole_file

INDEX_NAME = "episode_frame_index.npz"
LAYOUT = Layout("VITRA-1M data set", re.compile(r"[^/]+\.(npy|partial)"), INDEX_NAME)
"""Of a folder of annotations with their index."""
_ID = re.compile(r"^(?P<dataset>[^_]+)_(?P<video>.+)_ep_(?P<index>[^_]+)$")

_HAND_SHAPES: dict[str, tuple[int | None, ...]] = {
    "beta": (10,),
    "global_orient_camspace": (None, 3, 3),
    "global_orient_worldspace": (None, 3, 3),
    "hand_pose": (None, 15, 3, 3),
    "transl_worldspace": (None, 3),
    "kept_frames": (None,),
    "joints_camspace": (None, 21, 3),
    "joints_worldspace": (None, 21, 3),
}


def read_episode(path: Path) -> HumanEpisode:
    """The episode in a `.npy` file.

    Raises:
        ForeignTypeError: the pickle names a type other than numpy's.
        BrokenFileError, MissingKeyError, WrongShapeError: the file is not what the format promises.
    """
    content = load_npy_dict(path)
    frames = _int_array(path, content, "video_decode_frame")
    length = len(frames)
    if length < 1:
        raise WrongShapeError(f"{path}: video_decode_frame", "empty", "at least one frame")
    match = _ID.match(path.stem)
    anno_type = _get(path, content, "anno_type")
    if anno_type not in SIDES:
        raise WrongShapeError(f"{path}: anno_type", repr(anno_type), "'left' or 'right'")
    return HumanEpisode(
        id=text_of(path.stem),
        dataset=match["dataset"] if match else "unknown",
        video_name=str(_get(path, content, "video_name")),
        video_decode_frame=frames,
        extrinsics=_array(path, content, "extrinsics", (length, 4, 4)),
        intrinsics=_array(path, content, "intrinsics", (3, 3)),
        anno_type=Side(anno_type),
        hands={side: _read_hand(path, _get(path, content, side), side, length) for side in SIDES},
        text={side: _read_text(path, content, side) for side in SIDES},
        **{key: float(content.get(key, np.nan)) for key in ("avg_speed", "total_rotvec_degree", "total_transl_dist")},
    )


def write_episode(episode: HumanEpisode, folder: Path) -> Path:
    """Write `{id}.npy` with the kept (not deprecated) keys of the format; the file appears whole or not at all."""
    content: dict[str, Any] = {
        "extrinsics": episode.extrinsics,
        "intrinsics": episode.intrinsics,
        "video_decode_frame": episode.video_decode_frame,
        "video_name": episode.video_name,
        "anno_type": str(episode.anno_type),
        "avg_speed": episode.avg_speed,
        "total_rotvec_degree": episode.total_rotvec_degree,
        "total_transl_dist": episode.total_transl_dist,
        "text": {str(side): [(w.caption, (w.start, w.end)) for w in episode.text[side]] for side in SIDES},
        "text_rephrase": {
            str(side): [(list(w.rephrases), (w.start, w.end)) for w in episode.text[side]] for side in SIDES
        },
    }
    for side in SIDES:
        content[str(side)] = {key: getattr(episode.hands[side], key) for key in _HAND_SHAPES}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{episode.id}.npy"
    with whole_file(path) as stream:
        np.save(stream, np.array(content, dtype=object), allow_pickle=True)
    return path


def write_index(folder: Path, lengths: Mapping[str, int]) -> Path:
    """Write `episode_frame_index.npz`: every (episode row, frame) and the name of each row."""
    pairs = [np.stack([np.full(n, row), np.arange(n)], axis=1) for row, n in enumerate(lengths.values())]
    path = folder / INDEX_NAME
    with whole_file(path) as stream:
        np.savez_compressed(
            stream,
            index_frame_pair=np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64),
            index_to_episode_id=np.array(list(lengths), dtype=np.str_),
        )
    return path


def read_index(path: Path) -> tuple[NDArray[np.int64], list[str]]:
    """(N, 2) pairs of episode row and frame, and the episode ids.

    Raises:
        BrokenFileError: no such index; object arrays are refused (they would be pickles).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            pairs, ids = file["index_frame_pair"], file["index_to_episode_id"]
    except Exception as cause:  # zip, header and key errors alike mean the same to a user
        raise BrokenFileError(path, "episode index", cause) from None
    return np.asarray(pairs, dtype=np.int64).reshape(-1, 2), [str(name) for name in ids]


def _read_hand(path: Path, content: Mapping[str, Any], side: Side, length: int) -> HumanHand:
    if not isinstance(content, Mapping):
        raise WrongShapeError(f"{path}: {side}", type(content).__name__, "a dictionary of hand arrays")
    fields = {
        key: _array(path, content, key, tuple(length if n is None else n for n in shape), keep_type=True)
        for key, shape in _HAND_SHAPES.items()
    }
    return HumanHand(**fields)


def _read_text(path: Path, content: Mapping[str, Any], side: Side) -> tuple[TextWindow, ...]:
    texts = _get(path, content, "text")
    others = (content.get("text_rephrase") or {}).get(side) or []
    try:
        windows = [(str(caption), int(start), int(end)) for caption, (start, end) in texts.get(side) or []]
        rephrases = {
            row: tuple(map(str, variants))
            for row, (variants, (start, end)) in enumerate(others)
            if row < len(windows) and windows[row][1:] == (int(start), int(end))
        }
        return tuple(TextWindow(*window, rephrases.get(row, ())) for row, window in enumerate(windows))
    except (TypeError, ValueError, AttributeError, OverflowError) as cause:
        raise WrongShapeError(f"{path}: text of the {side} hand", cause, "[(caption, (start, end)), ...]") from None


def _get(path: Path, content: Mapping[str, Any], key: str) -> Any:
    if key not in content:
        raise MissingKeyError(path, key, sorted(content))
    return content[key]


def _int_array(path: Path, content: Mapping[str, Any], key: str) -> NDArray[np.int64]:
    values = np.asarray(_get(path, content, key))
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise WrongShapeError(f"{path}: {key}", f"{values.dtype} {values.shape}", "a list of frame numbers")
    return values.astype(np.int64)


def _array(
    path: Path, content: Mapping[str, Any], key: str, shape: tuple[int | None, ...], keep_type: bool = False
) -> Any:
    values = check_shape(f"{path}: {key}", _get(path, content, key), shape)
    return values if keep_type else values.astype(np.float64)

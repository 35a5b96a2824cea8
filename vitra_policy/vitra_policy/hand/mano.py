"""The user's own MANO file as a skeleton, read by smplx; MANO itself is licensed and not shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from vitra_policy.action_space import BETA_DIM
from vitra_policy.errors import VitraError
from vitra_policy.hand.skeleton import HandSkeleton

_TIP_VERTICES = (320, 443, 671, 554, 744)
"""Mesh vertices at the fingertips of index, middle, pinky, ring, thumb (smplx's vertex table)."""


class ManoFileError(VitraError):
    """A MANO file that is missing or cannot be read."""


def load_mano_skeleton(path: Path | str, betas: ArrayLike | None = None) -> HandSkeleton:
    """Rest skeleton of the right MANO hand with a given shape.

    The official file is a pickle that smplx opens, and a pickle can run code: use only a file you downloaded yourself
    from mano.is.tue.mpg.de, or an ``.npz`` of it.

    Args:
        path: ``MANO_RIGHT.pkl`` or ``MANO_RIGHT.npz``.
        betas: (10,) hand shape; None for the mean hand.

    Raises:
        ManoFileError: smplx is not installed, or it cannot read the file.
    """
    file = Path(path)
    if not file.is_file():
        raise ManoFileError(f"No MANO file at {file}. Register at mano.is.tue.mpg.de and download MANO_RIGHT.pkl.")
    try:
        import smplx
        import torch
    except ImportError as error:
        raise ManoFileError(f"Reading MANO files needs smplx and torch: pip install smplx ({error}).") from error
    shape = np.zeros(BETA_DIM) if betas is None else np.asarray(betas, dtype=np.float64)
    try:
        layer = smplx.MANO(str(file), is_rhand=True, use_pca=False, flat_hand_mean=True, ext=file.suffix[1:])
        with torch.no_grad():
            hand = layer(betas=torch.tensor(shape, dtype=torch.float32)[None])
    except Exception as error:  # smplx raises whatever the file's content provokes
        raise ManoFileError(f"smplx cannot read {file}: {error}.") from error
    joints = hand.joints[0, :16].double().numpy()
    tips = hand.vertices[0, list(_TIP_VERTICES)].double().numpy()
    return HandSkeleton(joints - joints[0], tips - joints[0])

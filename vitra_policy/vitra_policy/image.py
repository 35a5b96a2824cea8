"""Camera images to network input, bit-faithful to the reference's two PIL resizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitra_policy.errors import VitraError
from vitra_policy.policies.bounds import check_size

SHORT_SIDE_PX = 224
_DEEP_MODES = {"I": "32-bit", "F": "floating-point"}

Image = NDArray[np.uint8]


class ImageError(VitraError):
    """An image that cannot be read or is not what a camera delivers."""


def load_image(path: Path | str) -> Image:
    """Image file as (H, W, 3) uint8 RGB, turned upright by its EXIF tag; grey, palette and alpha are converted.

    Raises:
        ImageError: The file is missing or not an image.
    """
    from PIL import Image as Pil
    from PIL import ImageOps

    try:
        with Pil.open(path) as opened:
            if opened.mode in _DEEP_MODES or opened.mode.startswith("I;"):
                raise ImageError(
                    f"{path} has {_DEEP_MODES.get(opened.mode, '16-bit')} values, which do not say what is white. "
                    "Convert it to 8 bits per channel first, for example by `convert in.png -depth 8 out.png`."
                )
            check_size(str(path), *opened.size, ImageError)
            upright = ImageOps.exif_transpose(opened)
            return np.asarray(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Pil.DecompressionBombError) as error:
        raise ImageError(f"Cannot read image {path}: {error}. Give a JPEG, PNG or WebP file.") from error


def as_rgb(image: NDArray[np.generic]) -> Image:
    """Check a camera image and return it as (H, W, 3) uint8; grey (H, W) and RGBA are converted.

    Raises:
        ImageError: Another shape or type.
    """
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise ImageError(f"Image has type {array.dtype}; expected uint8 with values 0..255.")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 2:
        array = np.stack([array] * 3, axis=-1)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise ImageError(f"Image has shape {array.shape}; expected (H, W, 3).")
    check_size("The image", array.shape[1], array.shape[0], ImageError)
    return array[..., :3]


def shrink_short_side(image: Image, short_side_px: int = SHORT_SIDE_PX) -> Image:
    """First resize of the reference: Lanczos so that the short side is 224 px, aspect kept (rounded down)."""
    from PIL import Image as Pil

    height, width = image.shape[:2]
    if width < height:
        size = (short_side_px, int(height * short_side_px / width))
    else:
        size = (int(width * short_side_px / height), short_side_px)
    return np.asarray(Pil.fromarray(image).resize(size, Pil.Resampling.LANCZOS))


def pixel_values(image: NDArray[np.generic], image_size: int) -> NDArray[np.float32]:
    """Network input (3, image_size, image_size) in [-1, 1] of a camera image (H, W, 3) uint8 of any size.

    The image is shrunk, then squashed to a square (bicubic), never cropped or padded (docs/model.md: Image).
    """
    from PIL import Image as Pil

    shrunk = shrink_short_side(as_rgb(image))
    square = np.asarray(Pil.fromarray(shrunk).resize((image_size, image_size), Pil.Resampling.BICUBIC))
    return _scaled(square)


def resized_pixel_values(image: NDArray[np.generic], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Network input (3, height, width) in [-1, 1] of a camera image of any size, by one bilinear resize."""
    return _scaled(resized(image, shape))


def resized(image: NDArray[np.generic], shape: tuple[int, int]) -> Image:
    """A camera image of any size as (height, width, 3) uint8, by one bilinear resize."""
    from PIL import Image as Pil

    height, width = shape
    return np.asarray(Pil.fromarray(as_rgb(image)).resize((width, height), Pil.Resampling.BILINEAR))


def _scaled(image: Image) -> NDArray[np.float32]:
    """(H, W, 3) uint8 to (3, H, W) in [-1, 1]."""
    scaled = (image.astype(np.float64) * (1 / 255)).astype(np.float32)
    half = np.float32(0.5)
    return np.ascontiguousarray(((scaled - half) / half).transpose(2, 0, 1))

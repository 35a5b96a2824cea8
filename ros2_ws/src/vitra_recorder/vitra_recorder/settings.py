"""Parameters of the recorder."""

from __future__ import annotations

from dataclasses import dataclass

from vitra_recorder.pipeline import ImageFormat, PipelineSettings
from vitra_runtime.parameters import param

_FORMATS = tuple(ImageFormat)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Read once, when the node starts."""

    output: str = param("", "Bag to write, a folder; gets a number if it exists. Empty: a dated one in output_dir")
    output_dir: str = param("runs/bags", "Folder for bags named by date and time")
    record_at_start: bool = param(False, "Begin to record as soon as the node is active")
    color_format: str = param("compressed", "Colour images: compressed is JPEG", choices=_FORMATS)
    depth_format: str = param("compressed", "Depth images: compressed is lossless PNG", choices=_FORMATS)
    jpeg_quality: int = param(90, "JPEG quality of colour images", bounds=(10, 100))
    queue_mb: int = param(128, "Memory for messages that wait for the disk", unit="MB", bounds=(8, 8192))
    min_free_gb: float = param(1.0, "A recording ends before less is free on its disk", unit="GB", bounds=(0.0, 1000.0))
    about: tuple[str, ...] = param(("",), "Text kept inside the bag, each key=value")

    @property
    def pipeline(self) -> PipelineSettings:
        """The part that the writer needs."""
        return PipelineSettings(
            color=ImageFormat(self.color_format),
            depth=ImageFormat(self.depth_format),
            jpeg_quality=self.jpeg_quality,
            queue_bytes=self.queue_mb * 2**20,
            min_free_bytes=int(self.min_free_gb * 1e9),
        )

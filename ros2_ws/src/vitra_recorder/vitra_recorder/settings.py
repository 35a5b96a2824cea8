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
    output_dir: str = param("runs/bags", "Folder for bags named by date and time, and for episodes")
    episodes: bool = param(False, "Record numbered episodes in output_dir instead of single runs")
    record_at_start: bool = param(False, "Begin to record as soon as the node is active")
    instruction: str = param("", "Instruction of the episodes; empty: what the topic instruction says")
    operator: str = param("", "Who demonstrates")
    source: str = param("", "What moves the robot: teleop, policy ...")
    calibration: str = param("", "Calibration kept inside every bag: a name, or a path ending in .yaml; empty: none")
    require_instruction: bool = param(False, "Refuse to record without an instruction")
    required: tuple[str, ...] = param(("",), "Topics that must be alive before an episode starts")
    pre_roll_s: float = param(0.0, "How much of the past an episode starts with", unit="s", bounds=(0.0, 10.0))
    color_format: str = param(
        "compressed",
        "Colour images: compressed is JPEG, lossless is PNG, h264 is video, raw keeps the message",
        choices=_FORMATS,
    )
    depth_format: str = param(
        "compressed", "Depth images: compressed is lossless PNG", choices=tuple(f for f in _FORMATS if f != "h264")
    )
    jpeg_quality: int = param(90, "JPEG quality of colour images", bounds=(10, 100))
    video_crf: int = param(20, "x264 quality of h264 colour images, lower is better", bounds=(0, 40))
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
            video_crf=self.video_crf,
            queue_bytes=self.queue_mb * 2**20,
            min_free_bytes=int(self.min_free_gb * 1e9),
        )

    @property
    def required_topics(self) -> tuple[str, ...]:
        """Topics that must be alive, without empty ones."""
        return tuple(name for name in self.required if name)

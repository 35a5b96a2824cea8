"""The capture thread: losses, gaps, ends."""

import numpy as np
import pytest

from vitra_camera.capture import CaptureLoop, CaptureSettings, CaptureState, FrameCounter
from vitra_camera.errors import CameraLostError, CameraNotFoundError, EndOfRecordingError
from vitra_camera.pipeline import CameraFrame, CameraPipeline
from vitra_camera.settings import CameraSettings, VideoProfile

PIXELS = np.zeros((1, 1, 3), np.uint8)


def frame(number):
    return CameraFrame(PIXELS, None, number, number / 30, "hardware_clock")


class ScriptedCamera:
    """Follows a script of opens; each is an error or the list of what reading gives."""

    def __init__(self, *script):
        self.script, self.now, self.closed = list(script), [], 0

    def open(self):
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        self.now = list(step)

    def read(self):
        step = self.now.pop(0)
        if isinstance(step, Exception):
            raise step
        return frame(step)

    def close(self):
        self.closed += 1


def run(camera, **options):
    got = []
    loop = CaptureLoop(
        camera,
        lambda info: None,
        lambda f: got.append(f.number),
        CaptureSettings(**({"retry_period_s": 0.0} | options)),
    )
    loop.start()
    loop._thread.join(60.0)
    assert not loop._thread.is_alive()
    return loop, got


END = EndOfRecordingError("over")


def test_frames_that_never_came_are_counted():
    counter = FrameCounter()
    for number in (5, 6, 9, 10, 12):
        counter.count(number)
    assert (counter.frames, counter.dropped) == (5, 3)


def test_numbers_that_start_anew_are_no_loss():
    counter = FrameCounter()
    for number in (100, 101, 1, 2):
        counter.count(number)
    assert counter.dropped == 0


def test_a_lost_camera_is_opened_again_and_its_gap_is_not_counted_as_dropped():
    camera = ScriptedCamera([1, 2, CameraLostError("silent")], CameraNotFoundError("gone"), [50, 51, END])
    loop, got = run(camera)
    assert got == [1, 2, 50, 51]
    assert (loop.status.reconnects, loop.status.dropped, loop.status.frames) == (1, 0, 4)


def test_the_status_says_what_is_wrong_while_the_camera_is_away(eventually):
    camera = ScriptedCamera([1, CameraLostError("silent for 1 s")], *[CameraNotFoundError("unplugged")] * 1000)
    loop = CaptureLoop(camera, lambda info: None, lambda f: None, settings=CaptureSettings(retry_period_s=0.01))
    loop.start()
    eventually(lambda: loop.status.problem == "unplugged")
    assert loop.status.state == CaptureState.LOST
    loop.stop()
    assert not loop._thread.is_alive()


def test_a_recording_ends_once_or_starts_again(eventually):
    loop, got = run(ScriptedCamera([1, 2, END]))
    assert (got, loop.status.state, loop.status.problem) == ([1, 2], CaptureState.ENDED, "over")
    camera = ScriptedCamera([1, END], [1, END], CameraNotFoundError("x"))
    again = []
    loop = CaptureLoop(
        camera,
        lambda info: None,
        lambda f: again.append(f.number),
        settings=CaptureSettings(retry_period_s=60.0, repeat=True),
    )
    loop.start()
    eventually(lambda: not camera.script)
    loop.stop()
    assert again == [1, 1]


def test_a_gap_in_a_real_recording_is_counted(rs, recording):
    settings = CameraSettings(
        color=VideoProfile(0, 0, 0),
        depth=VideoProfile(0, 0, 0),
        playback_file=str(recording),
        playback_real_time=False,
        frame_timeout_s=30.0,  # the end is a status; on a busy machine half a second is no lost camera
    )
    loop, got = run(CameraPipeline(rs, settings))
    assert got[-1] == 12
    assert loop.status.dropped == 2
    assert loop.status.state == CaptureState.ENDED


def test_a_camera_that_is_plugged_in_later_is_found(rs, recording, tmp_path, eventually):
    path = tmp_path / "later.db3"
    settings = CameraSettings(
        color=VideoProfile(0, 0, 0), depth=VideoProfile(0, 0, 0), playback_file=str(path), frame_timeout_s=0.5
    )
    loop = CaptureLoop(
        CameraPipeline(rs, settings), lambda info: None, lambda f: None, settings=CaptureSettings(retry_period_s=0.01)
    )
    loop.start()
    eventually(lambda: "does not exist" in loop.status.problem)
    path.write_bytes(recording.read_bytes())
    eventually(lambda: loop.status.frames > 0)
    loop.stop()


@pytest.mark.parametrize("script", [([CameraLostError("a")],), (CameraNotFoundError("b"),)])
def test_stopping_a_loop_that_waits_to_retry_is_immediate(script):
    loop = CaptureLoop(
        ScriptedCamera(*script), lambda info: None, lambda f: None, settings=CaptureSettings(retry_period_s=3600.0)
    )
    loop.start()
    loop.stop(timeout_s=5.0)
    assert not loop._thread.is_alive()

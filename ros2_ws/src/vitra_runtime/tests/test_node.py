from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

CODE = textwrap.dedent(
    """
    import sys
    import threading
    from dataclasses import dataclass
    from vitra_policy.errors import VitraError
    from vitra_runtime.node import StackNode, run
    from vitra_runtime.parameters import param

    @dataclass(frozen=True, slots=True)
    class Parameters:
        fail_times: int = param(0, "Refuse this often", bounds=(0, 5))
        bug: bool = param(False, "Whether setup has one")
        middleware_hangs: bool = param(False, "Whether it never gives the node up")

    class Toy(StackNode[Parameters]):
        def __init__(self):
            super().__init__("toy", Parameters)
            self.refused = 0

        def setup(self):
            if self.params.bug:
                self.no_such_thing
            if self.refused < self.params.fail_times:
                self.refused += 1
                raise VitraError(f"no device, try {self.refused}")
            print("SETUP", flush=True)

        def start(self): print("START", flush=True)
        def halt(self): print("HALT", flush=True)
        def teardown(self): print("TEARDOWN", flush=True)

        def destroy_node(self):
            if self.params.middleware_hangs:
                print("LEAVING", flush=True)
                threading.Event().wait()
            super().destroy_node()

    sys.exit(run(Toy))
    """
)


@pytest.fixture
def toy(ros_domain: int, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    script = tmp_path / "toy.py"
    script.write_text(CODE)
    started: list[subprocess.Popen[str]] = []

    def start(*args: str, launcher: Sequence[str] = ()) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*launcher, sys.executable, str(script), "--ros-args", *args],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if text in line:
            return lines
    pytest.fail(f"'{text}' never came; got {lines}")


def test_a_node_starts_itself_and_ctrl_c_takes_it_down_once(toy) -> None:
    process = toy()
    assert "SETUP" in read_until(process, "START")
    process.send_signal(2)
    process.send_signal(2)
    rest = process.communicate(timeout=20)[0].split()
    assert rest.count("HALT") == 1
    assert rest.count("TEARDOWN") == 1
    assert process.returncode == 0


def test_a_middleware_that_never_lets_go_is_ended_by_the_launcher_s_sigterm(toy) -> None:
    process = toy("-p", "middleware_hangs:=true")
    read_until(process, "START")
    process.terminate()
    assert "TEARDOWN" in read_until(process, "LEAVING")
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM


def test_a_node_that_cannot_start_says_why_and_tries_again(toy) -> None:
    process = toy("-p", "fail_times:=1")
    lines = read_until(process, "START")
    assert any("no device, try 1" in line for line in lines)
    assert "SETUP" in lines


def test_a_bug_in_setup_is_shown_with_its_place(toy) -> None:
    process = toy("-p", "bug:=true")
    text = "\n".join(read_until(process, "AttributeError"))
    assert "cannot start" in text
    assert "self.no_such_thing" in text


def test_a_parameter_out_of_bounds_ends_the_process_with_a_clear_message(toy) -> None:
    process = toy("-p", "fail_times:=9")
    out = process.communicate(timeout=20)[0]
    assert process.returncode == 2
    assert "fail_times" in out


def test_a_misspelled_parameter_is_answered_with_the_nearest_one(toy) -> None:
    process = toy("-p", "fail_time:=1")
    out = process.communicate(timeout=20)[0]
    assert process.returncode == 2
    assert "Did you mean 'fail_times'?" in out


def test_parameters_that_every_node_has_are_not_misspelled(toy) -> None:
    process = toy("-p", "use_sim_time:=false")
    read_until(process, "START")


def test_a_node_whose_launcher_is_gone_ends_also_when_the_middleware_never_lets_go(toy) -> None:
    process = toy("-p", "middleware_hangs:=true", launcher=[sys.executable, "-S", "-c", LAUNCHER])
    read_until(process, "START")
    process.kill()
    out = process.stdout.read()  # to its end: the node holds the other side
    assert "LEAVING" in out


LAUNCHER = """
import os, subprocess, sys
os.environ["VITRA_END_WITH_PARENT"] = "1"
child = subprocess.Popen(sys.argv[1:])
try:
    child.wait(60)
    sys.exit("the launch goes on")
except KeyboardInterrupt:
    print("INTERRUPTED", child.wait(60))
"""


def test_a_node_that_refuses_its_parameters_ends_the_launch_instead_of_being_started_again(toy) -> None:
    process = toy("-p", "fail_times:=9", launcher=[sys.executable, "-S", "-c", LAUNCHER])
    out = process.communicate(timeout=60)[0]
    assert "INTERRUPTED 2" in out
    assert out.count("[FATAL]") == 1

from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An install prefix with one package `toy` that has executables `echo_args`, `stubborn` and `failing`."""
    prefix = tmp_path / "prefix"
    (prefix / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (prefix / "share/ament_index/resource_index/packages/toy").touch()
    binaries = prefix / "lib/toy"
    binaries.mkdir(parents=True)
    scripts = {
        "echo_args": "import sys, signal\nprint('ARGS', *sys.argv[1:])\nsignal.pause()",
        "stubborn": "import signal\nsignal.signal(2, signal.SIG_IGN)\nsignal.signal(15, signal.SIG_IGN)\n"
        "print('READY')\nwhile True: signal.pause()",
        "failing": "import sys\nprint('BAD')\nsys.exit(3)",
        "finishing": "print('DONE')",
    }
    for name, body in scripts.items():
        path = binaries / name
        path.write_text(f"#!{sys.executable} -S\n{body}\n")
        path.chmod(0o755)
    return {"AMENT_PREFIX_PATH": str(prefix), "PATH": "/usr/bin:/bin"}

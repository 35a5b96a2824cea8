from __future__ import annotations

import sys
from pathlib import Path

import pytest


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An install prefix with one package `toy` that has executables `echo_args`, `stubborn`, `telling`, ...."""
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
        "telling": "import signal, sys\ndef tell(number, _):\n    print('GOT', signal.Signals(number).name)\n"
        "    sys.exit(0)\nfor n in (1, 2, 15): signal.signal(n, tell)\n"
        "print('READY', flush=True)\nwhile True: signal.pause()",
        "misconfigured": "import sys\nprint('no such policy')\nsys.exit(2)",
        "finishing": "print('DONE')",
    }
    for name, body in scripts.items():
        path = binaries / name
        path.write_text(f"#!{sys.executable} -S\n{body}\n")
        path.chmod(0o755)
    return {"AMENT_PREFIX_PATH": str(prefix), "PATH": "/usr/bin:/bin"}

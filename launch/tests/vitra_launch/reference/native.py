"""What the genuine `launch` and `launch_ros` make of the cases; run by `make launch-reference`.

Nothing is started: an action that would start a process is written down instead.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from prefix import HERE, case_file, make_prefix, neutral

try:
    from launch.actions import IncludeLaunchDescription
    from launch.actions.execute_local import ExecuteLocal
    from launch.launch_description_sources import (
        AnyLaunchDescriptionSource,
        get_launch_description_from_any_launch_file,
    )
    from launch.utilities import perform_substitutions
    from launch.utilities.type_utils import perform_typed_substitution

    import launch
except ImportError as error:
    sys.exit(
        f"{error}: the genuine ros2 launch is not installed. docs/native_launch.md says how to run it from source."
    )


def main() -> None:
    """Write native.json."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        prefix = make_prefix(Path(folder).resolve())
        os.environ.update(
            AMENT_PREFIX_PATH=f"{prefix}:{os.environ['AMENT_PREFIX_PATH']}", TORTURE="a 'b'", ROS_DOMAIN_ID="5"
        )
        cases = yaml.safe_load((HERE / "cases.yaml").read_text())
        cases += [
            {"file": str(p.relative_to(HERE))}
            for d in ("refused", "stricter")
            for p in sorted((HERE / d).glob("*.xml"))
        ]
        results = [
            case | result_of(case_file(case["file"], prefix), case.get("arguments", {}), prefix) for case in cases
        ]
    text = json.dumps(results, indent=1, sort_keys=True)
    (HERE / "native.json").write_text(neutral(text, prefix) + "\n")
    sys.stdout.write(f"{len(results)} cases written to {HERE / 'native.json'}\n")


def result_of(path: Path, given: dict[str, str], prefix: Path) -> dict[str, Any]:
    """Processes and arguments of one case, or that it is refused."""
    before = dict(os.environ)
    processes: list[dict[str, Any]] = []

    def execute(self: Any, context: Any) -> None:
        self.prepare(context)
        if not context.is_shutdown:
            processes.append(process(self, context, before))

    original, ExecuteLocal.execute = ExecuteLocal.execute, execute
    try:
        service = launch.LaunchService(noninteractive=True)
        include = IncludeLaunchDescription(AnyLaunchDescriptionSource(str(path)), launch_arguments=given.items())
        service.include_launch_description(launch.LaunchDescription([include]))
        if service.run() != 0:
            return {"refused": True}
        return {"processes": processes, "declared": arguments(path)}
    finally:
        ExecuteLocal.execute = original
        os.environ.clear()
        os.environ.update(before)


def process(action: Any, context: Any, before: dict[str, str]) -> dict[str, Any]:
    """Everything that counts of a process."""
    description = action.process_description

    def private(name: str) -> Any:
        return getattr(action, f"_ExecuteLocal__{name}")

    environment = description.final_env
    return {
        "label": description.final_name.rsplit("-", 1)[0],
        "command": [word for w in words(description.final_cmd) for word in w],
        "environment": {
            k: environment.get(k) for k in sorted({*environment, *before}) if environment.get(k) != before.get(k)
        },
        "cwd": description.final_cwd,
        "respawn": perform_typed_substitution(context, private("respawn"), bool),
        "respawn_delay_s": private("respawn_delay") or 0.0,
        "respawn_max_retries": private("respawn_max_retries"),
        "shutdown_on_exit": bool(private("on_exit")),
        "sigterm_timeout_s": float(perform_substitutions(context, private("sigterm_timeout"))),
        "sigkill_timeout_s": float(perform_substitutions(context, private("sigkill_timeout"))),
    }


def words(command: list[str]) -> list[list[Any]]:
    """The command line, with the content of the files that hold single parameters."""
    found: list[list[Any]] = []
    rest = list(command)
    while rest:
        word = rest.pop(0)
        if word == "--params-file" and Path(rest[0]).name.startswith("launch_params_"):
            ((node, content),) = yaml.safe_load(Path(rest.pop(0)).read_text()).items()
            found.append([{"node": node, "name": n, "value": v} for n, v in flat(content["ros__parameters"])])
        else:
            found.append([word])
    return found


def flat(parameters: dict[str, Any]) -> list[tuple[str, Any]]:
    """Names and values in their order."""
    return list(parameters.items())


def arguments(path: Path) -> list[dict[str, Any]]:
    """Arguments as `--show-args` knows them."""
    description = get_launch_description_from_any_launch_file(str(path))
    return [
        {
            "name": a.name,
            "description": re.sub(r"(^One of|^no description given$| Valid choices are).*", "", a.description),
            "choices": list(a.choices or []),
            "required": a.default_value is None,
            "conditional": a._conditionally_included,
        }
        for a in description.get_launch_arguments()
    ]


if __name__ == "__main__":
    main()

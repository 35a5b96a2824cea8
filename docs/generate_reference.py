"""Write docs/reference from the code: parameters, topics, messages, commands, launch arguments, configuration.

    python docs/generate_reference.py          # after a change
    python docs/generate_reference.py --check  # names pages that are not what the code says

A test compares the pages with the code.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs/reference"
SOURCES = ROOT / "ros2_ws/src"
NODE_FILES = sorted(
    path
    for path in SOURCES.glob("*/*/*node.py")
    if "StackNode[Parameters]" in path.read_text(encoding="utf-8") and path.parent.name == path.parents[1].name
)
COMMANDS = {
    "vitra-policy": [
        "vitra_policy/vitra_policy/cli_checkpoints.py",
        "vitra_policy/vitra_policy/cli_run.py",
        "vitra_policy/vitra_policy/cli_conform.py",
    ],
    "vitra-data": ["vitra_training/vitra_training/cli_data.py"],
    "vitra-bag": ["vitra_training/vitra_training/cli_bag.py"],
    "vitra-train": ["vitra_training/vitra_training/cli_train.py"],
    "vitra-bench": ["vitra_training/vitra_training/cli_bench.py"],
    "vitra-label": ["vitra_training/vitra_training/cli_label.py"],
    "vitra-eval": [
        "ros2_ws/src/vitra_evaluation/vitra_evaluation/commands/planning.py",
        "ros2_ws/src/vitra_evaluation/vitra_evaluation/commands/sessions.py",
    ],
    "vitra-study": ["ros2_ws/src/vitra_evaluation/vitra_evaluation/study/cli.py"],
    "vitra-calibrate": ["ros2_ws/src/vitra_calibration/vitra_calibration/cli_node.py"],
    "vitra-doctor": ["ros2_ws/src/vitra_doctor/vitra_doctor/cli_node.py"],
    "vitra-demo": ["launch/vitra_bringup/demo.py"],
    "vitra-sim": ["launch/vitra_bringup/sim_session.py"],
    "vitra-operate": ["launch/vitra_bringup/operate.py"],
    "vitra-view": ["launch/vitra_bringup/view.py"],
    "vitra-teleop-demo": ["launch/vitra_bringup/teleop_demo.py"],
    "python -m vitra_sim.rollout": ["ros2_ws/src/vitra_sim/vitra_sim/rollout.py"],
    "python -m vitra_sim.collect": ["ros2_ws/src/vitra_sim/vitra_sim/collect.py"],
    "python -m vitra_sim.lockstep.grid": ["ros2_ws/src/vitra_sim/vitra_sim/lockstep/grid.py"],
    "python -m vitra_sim.lockstep.fuzz_chunks": ["ros2_ws/src/vitra_sim/vitra_sim/lockstep/fuzz_chunks.py"],
    "python -m vitra_bringup.soak": ["launch/vitra_bringup/soak.py"],
    "python -m vitra_bringup.bench_glass_to_joint": ["launch/vitra_bringup/bench_glass_to_joint.py"],
    "python -m vitra_sim.evaluate": ["ros2_ws/src/vitra_sim/vitra_sim/evaluate.py"],
    "python -m vitra_training.imitation.features": ["vitra_training/vitra_training/imitation/features.py"],
    "python -m vitra_training.imitation.train": ["vitra_training/vitra_training/imitation/settings.py"],
    "python -m vitra_training.imitation.places": ["vitra_training/vitra_training/imitation/places.py"],
}
REGISTERED_IN = {
    "vitra-policy": "vitra_policy/vitra_policy/cli.py",
    "vitra-eval": "ros2_ws/src/vitra_evaluation/vitra_evaluation/cli.py",
}
"""Where subcommands get their names, if not beside their options."""
BESIDES = {
    "vitra-train": "### vitra-train pretrain, vitra-train finetune\n"
    "A training run. `--config NAME` takes a preset's settings, and each can be given on top; "
    "`vitra-train pretrain --help` lists the presets and all settings with their values "
    "([data](../data.md#training)).\n",
}
"""Subcommands whose options depend on others."""
_NODE_FIRST = ("late_service", "ActionServer", "long_action_server", "ActionClient")
"""Calls whose first argument is the node."""
_MADE = "<!-- Made by docs/generate_reference.py: change the code, not this page. -->\n"


def parameters() -> str:
    """Every node's parameters, out of the dataclass that it declares them from."""
    parts = ["# Parameters of the nodes", _MADE]
    parts.append(
        "Set in `launch/config/stack.yaml` or by launch arguments; `ros2 param describe` says the same "
        "([without `ros2`](../native_launch.md#where-there-is-no-ros2-command)).\n"
    )
    for path in NODE_FILES:
        name, tree = _node_name(path), ast.parse(path.read_text(encoding="utf-8"))
        module = importlib.import_module(f"{path.parent.name}.{path.stem}")
        from vitra_runtime.parameters import markdown_table  # needs rclpy's messages on the path

        parts += [f"## {name}", f"{_first_line(tree)} (`{_short(path)}`)\n", markdown_table(module.Parameters)]
    return "\n".join(parts)


def topics() -> str:
    """What each node publishes, subscribes to and serves."""
    parts = ["# Topics, services and actions in the code", _MADE]
    parts.append(
        "What each package opens, as written there. The meaning of each is in [interfaces](../interfaces.md).\n"
    )
    for package in sorted(path for path in SOURCES.iterdir() if (path / path.name).is_dir()):
        rows = sorted({row for file in sorted((package / package.name).rglob("*.py")) for row in _endpoints(file)})
        if rows:
            parts += [f"## {package.name}", "| what | type | name | file |", "|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def messages() -> str:
    """Messages, services and actions, word for word."""
    parts = ["# Messages, services, actions", _MADE]
    for folder in ("msg", "srv", "action"):
        for path in sorted((SOURCES / "vitra_msgs" / folder).glob(f"*.{folder}")):
            parts += [
                f"## {path.stem}",
                f"`vitra_msgs/{folder}/{path.stem}`\n",
                f"```text\n{path.read_text().strip()}\n```\n",
            ]
    return "\n".join(parts)


def commands() -> str:
    """Commands and their options."""
    parts = ["# Commands", _MADE, "`--help` of each says the same. An option of a group is written `--group.option`.\n"]
    for command, files in COMMANDS.items():
        parts.append(f"## {command}")
        parts += [BESIDES[command]] if command in BESIDES else []
        for name, one, tree in _subcommands(command, files):
            title = f"### {command} {name}\n" if name else ""
            parts += [title + f"{_paragraph(ast.get_docstring(one))}\n", *_options(_whole(one, tree)), ""]
    return "\n".join(parts)


def launch_arguments() -> str:
    """Arguments of every launch file, with those of the files it includes."""
    from vitra_launch.arguments import declared
    from vitra_launch.substitutions import Context

    parts = ["# Launch files", _MADE]
    for path in sorted((ROOT / "launch").glob("*.launch.xml")):
        about = re.search(r"<!--\s*(.*?)\s*-->", path.read_text(encoding="utf-8"), re.S)
        parts += [f"## {path.name}", _paragraph(about.group(1) if about else ""), ""]
        parts += ["| argument | default | choices | meaning |", "|---|---|---|---|"]
        for one in declared(path, Context({}, path, dict(os.environ))).values():
            default = "required" if one.default is None else _code(one.default)
            parts.append(f"| `{one.name}` | {default} | {', '.join(one.choices)} | {_cell(one.description)} |")
        parts.append("")
    return "\n".join(parts)


def configuration() -> str:
    """Configuration files with their comments, word for word."""
    files = {
        "Parameters of the robot graph": "launch/config/stack.yaml",
        "Calibration": "launch/config/calibration/sim.yaml",
        "Trial plan": "ros2_ws/src/vitra_evaluation/plans/demo.yaml",
    }
    parts = ["# Configuration files", _MADE]
    for title, file in files.items():
        text = (ROOT / file).read_text(encoding="utf-8").strip()
        parts += [f"## {title}", f"`{file}`\n", f"```yaml\n{text}\n```\n"]
    return "\n".join(parts)


PAGES: dict[str, Callable[[], str]] = {
    "parameters.md": parameters,
    "topics.md": topics,
    "messages.md": messages,
    "commands.md": commands,
    "launch.md": launch_arguments,
    "configuration.md": configuration,
}


def text_of(page: str) -> str:
    """What a page must say, one line break at its end."""
    return PAGES[page]().rstrip() + "\n"


def _endpoints(path: Path) -> Iterator[str]:
    kinds = {
        "create_publisher": "publishes", "stream_publisher": "publishes", "create_subscription": "listens to",
        "subscribe": "listens to", "create_service": "serves", "late_service": "serves", "ActionServer": "acts",
        "long_action_server": "acts", "create_client": "asks", "ActionClient": "asks to act",
    }  # fmt: skip
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or len(node.args) < 2:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        arguments = node.args[1:] if called in _NODE_FIRST else node.args
        if called not in kinds or len(arguments) < 2:
            continue
        kind, name = ast.unparse(arguments[0]), _name(arguments[1])
        if kind[0].isupper() and name:
            yield f"| {kinds[called]} | {kind} | `{name}` | `{path.name}` |"


def _name(node: ast.expr) -> str:
    """A topic as it is written: constants and f-strings, expressions in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part).strip("{}") + "}"
            for part in (value.value if isinstance(value, ast.FormattedValue) else value for value in node.values)
        )
    return "{" + ast.unparse(node) + "}" if isinstance(node, ast.Name | ast.Attribute) else ""


def _subcommands(command: str, files: list[str]) -> Iterator[tuple[str, ast.ClassDef, ast.Module]]:
    """Name, class and module of each; one without subcommands has the name ""."""
    trees = [ast.parse((ROOT / file).read_text(encoding="utf-8")) for file in files]
    where = [ast.parse((ROOT / REGISTERED_IN[command]).read_text())] if command in REGISTERED_IN else trees
    names = {name: sub for tree in where for name, sub in _registered(tree)}
    every = [(one, tree) for tree in trees for one in (tree.body if names else _command_classes(tree))]
    found = {one.name: (one, tree) for one, tree in every if isinstance(one, ast.ClassDef)}
    for name in names or found:
        alone = name in ("Args", "Options")
        kebab = "" if alone else re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        yield names.get(name, kebab), *found[name]


def _registered(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Class and name of what is made a subcommand, by tyro's mark or in a table `COMMANDS`, as they are listed."""
    pairs: list[tuple[ast.expr, ast.expr | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
            one, mark = node.slice.elts[0], node.slice.elts[-1]
            if isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith(".subcommand") and mark.args:
                pairs.append((one, mark.args[0]))
        if isinstance(node, ast.AnnAssign) and _field(node) == "COMMANDS" and isinstance(node.value, ast.Dict):
            pairs += zip(node.value.values, node.value.keys, strict=True)
    for one, name in sorted(pairs, key=lambda pair: (pair[0].lineno, pair[0].col_offset)):
        if isinstance(name, ast.Constant):
            yield ast.unparse(one).split(".")[-1], str(name.value)


def _command_classes(tree: ast.Module) -> list[ast.ClassDef]:
    """Dataclasses that run, or `Args`; where there are none, every dataclass is a command."""
    every = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any("dataclass" in ast.unparse(d) for d in node.decorator_list)
    ]
    running = [
        node
        for node in every
        if node.name in ("Args", "Options")
        or {one.name for one in node.body if isinstance(one, ast.FunctionDef)} & {"run", "__call__"}
    ]
    return running or every


def _whole(node: ast.ClassDef, tree: ast.Module) -> ast.ClassDef:
    """The class with the fields of its bases before its own, but for those it gives anew, as far as they are ours."""
    inherited: list[ast.stmt] = []
    for base in map(ast.unparse, node.bases):
        inherited += _body_of(base, tree)
    anew = {_field(line) for line in node.body} - {""}
    kept: list[ast.stmt] = []
    for line, before in zip(inherited, [None, *inherited], strict=False):
        says = isinstance(line, ast.Expr) and before is not None and _field(before) in anew  # the words of a field
        if _field(line) not in anew and not says:
            kept.append(line)
    return ast.ClassDef(node.name, [], [], list(_flat(kept + node.body, tree)), node.decorator_list)


def _body_of(name: str, tree: ast.Module) -> list[ast.stmt]:
    """What is in a class of the module, or in one that it imports from our packages."""
    found = [line for c in tree.body if isinstance(c, ast.ClassDef) and c.name == name for line in c.body]
    for one in tree.body:
        if isinstance(one, ast.ImportFrom) and name in {alias.name for alias in one.names}:
            package, *rest = str(one.module).split(".")
            place = next(p for p in (ROOT, SOURCES) if (p / package / package).is_dir())
            module = ast.parse((place / package / package / "/".join(rest)).with_suffix(".py").read_text())
            found += next(c.body for c in module.body if isinstance(c, ast.ClassDef) and c.name == name)
    return found


def _flat(body: list[ast.stmt], tree: ast.Module) -> Iterator[ast.stmt]:
    """With the fields of groups that are given without the group's name."""
    for line in body:
        group = isinstance(line, ast.AnnAssign) and re.search(r"OmitArgPrefixes\[(\w+)\]", ast.unparse(line.annotation))
        if group:
            yield from _body_of(group[1], tree)
        else:
            yield line


def _field(line: ast.stmt) -> str:
    return line.target.id if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) else ""


def _options(node: ast.ClassDef) -> Iterator[str]:
    fields = [
        (one, node.body[i + 1] if i + 1 < len(node.body) else None)
        for i, one in enumerate(node.body)
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    if not fields:
        return
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    for one, after in fields:
        assert isinstance(one.target, ast.Name)
        kind = ast.unparse(one.annotation)
        positional = any(word in kind for word in ("_Path", "_Data", "Positional"))
        flag = one.target.id.upper() if positional else f"--{one.target.id.replace('_', '-')}"
        default = "" if one.value is None else ast.unparse(one.value)
        default = re.sub(r"^field\(default=(.*)\)$", r"\1", default)
        if "default_factory" in default:
            flag, default = flag + ".*", re.sub(r".*default_factory=(\w+).*", r"\1", default)
        says = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        yield f"| `{flag}` | {_code(default)} | {_cell(str(says))} |"


def _node_name(path: Path) -> str:
    found = re.search(r'super\(\).__init__\("(\w+)"', path.read_text(encoding="utf-8"))
    return found.group(1) if found else path.stem


def _first_line(tree: ast.Module) -> str:
    return _paragraph(ast.get_docstring(tree)).split(". ")[0].rstrip(".") + "."


def _paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the pages, or with --check say which differ."""
    if "--check" in sys.argv:
        wrong = [page for page in PAGES if not (OUT / page).is_file() or (OUT / page).read_text() != text_of(page)]
        sys.stderr.write("".join(f"docs/reference/{page} is not what the code says\n" for page in wrong))
        return 1 if wrong else 0
    OUT.mkdir(exist_ok=True)
    for page in PAGES:
        (OUT / page).write_text(text_of(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

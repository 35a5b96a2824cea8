"""From a YAML file to a checked plan; everything wrong with it is reported at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from vitra_evaluation.errors import PlanError
from vitra_evaluation.plan.bounds import (
    LARGEST_SEED,
    LONGEST_S,
    MOST_TRIALS,
    SLOWEST_S,
    at_most,
    level,
    not_empty,
    up_to,
)
from vitra_evaluation.plan.plan import (
    DEFAULT_FAILURE_CODES,
    DEFAULT_MILESTONES,
    CellSpec,
    ComparisonsSpec,
    Condition,
    Latency,
    LayoutSpec,
    ObjectSpec,
    Plan,
    PolicySpec,
    Robot,
    SequentialSpec,
    TaskSpec,
)
from vitra_evaluation.plan.yaml_lines import Node, Reader
from vitra_policy.policies.bounds import INSTRUCTION_MAX

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")
Named = dict[str, tuple[T, int]]

_TOP = (
    "name", "robot", "seed", "calibration", "time_limit_s", "reset_s", "blind", "latency", "answer_s", "sequential",
    "comparisons", "policies", "objects", "layouts", "tasks", "cells", "failure_codes",
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def read_plan(path: Path, policy_names: Collection[str] | None) -> Plan:
    """Read and check a plan; what needs the robot's geometry is checked by `plan_scene.check_reach`.

    Args:
        path: the YAML file.
        policy_names: policies that can be created here; None accepts any (a plan that was locked earlier).

    Raises:
        PlanError: everything that is wrong, line by line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(path, [(1, f"cannot be read: {error}")]) from error
    return parse_plan(text, policy_names, path)


def parse_plan(text: str, policy_names: Collection[str] | None, path: Path | str = "plan") -> Plan:
    """As `read_plan`, from text.

    Args:
        text: YAML.
        policy_names: Policies there are; None: not checked.
        path: Named in errors.

    Raises:
        PlanError: everything that is wrong, with lines.
    """
    reader = _PlanReader(policy_names)
    plan = reader.plan(text)
    if plan is None or reader.problems:
        raise PlanError(path, reader.problems)
    return plan


class _PlanReader(Reader):
    def __init__(self, policy_names: Collection[str] | None) -> None:
        super().__init__()
        self._policy_names = policy_names
        self._robot = Robot.SIM

    def plan(self, text: str) -> Plan | None:
        root = self.parse(text)
        if root is None:
            return None
        top = self.fields(root, "the plan", _TOP, ("name", "robot", "policies", "objects", "layouts", "tasks", "cells"))
        self._robot = self._choice(top.get("robot"), "robot", Robot, Robot.SIM)
        policies = self._named(top.get("policies"), "policies", self._policy)
        objects = self._named(top.get("objects"), "objects", self._object)
        layouts = self._named(top.get("layouts"), "layouts", self._layout)
        tasks = self._named(top.get("tasks"), "tasks", self._task)
        cells = [self._cell(node, tasks, objects, layouts) for node in self.items(top.get("cells"), "cells")]
        self._no_duplicates(cells, policies)
        self._no_same_start(layouts, objects)
        if "cells" in top and not cells:
            self.problem(top["cells"], "there is no cell: nothing would be tried")
        sequential = self._sequential(top.get("sequential"), len(policies))
        plan = Plan(
            name=self.value(top.get("name"), "name", str, "", not_empty),
            robot=self._robot,
            seed=self.value(top.get("seed"), "seed", int, 0, up_to(LARGEST_SEED)),
            time_limit_s=self.value(top.get("time_limit_s"), "time_limit_s", float, 30.0, at_most(LONGEST_S)),
            reset_s=self.value(top.get("reset_s"), "reset_s", float, 5.0, up_to(LONGEST_S)),
            calibration=self.value(top.get("calibration"), "calibration", str, "sim", not_empty),
            blind=self.value(top.get("blind"), "blind", bool, True),
            latency=self._choice(top.get("latency"), "latency", Latency, Latency.EQUAL),
            policies=tuple(p for p, _ in policies.values()),
            tasks=tuple(t for t, _ in tasks.values()),
            objects=tuple(o for o, _ in objects.values()),
            layouts=tuple(x for x, _ in layouts.values()),
            cells=tuple(cells),
            failure_codes=self._words(top.get("failure_codes"), "failure_codes", DEFAULT_FAILURE_CODES),
            sequential=sequential,
            comparisons=self._comparisons(top.get("comparisons"), policies),
            answer_s=self._answer_s(top.get("answer_s")),
            text=text,
        )
        if not self.problems:
            self._speakable(plan)
        return plan

    def _speakable(self, plan: Plan) -> None:
        """What no policy would take is found before anything starts."""
        for cell in plan.cells:
            for thing in cell.objects:
                if (length := len(plan.instruction(cell.task, thing))) > INSTRUCTION_MAX:
                    what = f"the instruction of task '{cell.task}' with object '{thing}'"
                    self.problem(cell.line, f"{what} has {length} characters; policies take {INSTRUCTION_MAX}")

    def _named(self, node: Node | None, what: str, read: Callable[[str, Node], T]) -> Named[T]:
        found = {}
        for name, value in self.entries(node, what).items():
            if not _NAME.fullmatch(name):
                self.problem(value, f"'{name}' in {what} may only have letters, digits, '_', '-' and '.'")
            found[name] = (read(name, value), value.start_mark.line + 1)
        if node is not None and not found:
            self.problem(node, f"{what} has no entry")
        return found

    def _policy(self, name: str, node: Node) -> PolicySpec:
        fields = self.fields(node, f"policy '{name}'", ("policy", "options"), ("policy",))
        policy = self.value(fields.get("policy"), "policy", str, "")
        if policy and self._policy_names is not None and policy not in self._policy_names:
            self.unknown(fields["policy"], "policy", policy, self._policy_names)
        options = self.entries(fields.get("options"), f"options of policy '{name}'")
        found = tuple((key, self.value(value, key, str, "")) for key, value in options.items())
        return PolicySpec(name, policy, found, node.start_mark.line + 1)

    def _object(self, name: str, node: Node) -> ObjectSpec:
        fields = self.fields(node, f"object '{name}'", ("words", "sim_task"), ())
        sim_task = self.value(fields.get("sim_task"), "sim_task", str, "")
        if self._robot is Robot.SIM and not sim_task:
            self.problem(node, f"object '{name}' lacks 'sim_task': the simulator's task that has it")
        return ObjectSpec(name, self.value(fields.get("words"), "words", str, name.replace("_", " ")), sim_task)

    def _layout(self, name: str, node: Node) -> LayoutSpec:
        wanted = ("seed",) if self._robot is Robot.SIM else ("point_m",)
        fields = self.fields(node, f"layout '{name}'", (*wanted, "image", "note"), wanted)
        point = None
        if "point_m" in fields:
            numbers = [self.value(n, "point_m", float, 0.0) for n in self.items(fields["point_m"], "point_m")]
            if len(numbers) == 3:
                point = (numbers[0], numbers[1], numbers[2])
            else:
                self.problem(
                    fields["point_m"], f"point_m must have 3 numbers (x, y, z in base_link), got {len(numbers)}"
                )
        return LayoutSpec(
            name,
            self.value(fields.get("seed"), "seed", int, 0, up_to(LARGEST_SEED)),
            point,
            self.value(fields.get("image"), "image", str, ""),
            self.value(fields.get("note"), "note", str, ""),
        )

    def _task(self, name: str, node: Node) -> TaskSpec:
        keys = ("side", "instruction", "milestones")
        fields = self.fields(node, f"task '{name}'", keys, ("instruction",))
        side = self.value(fields.get("side"), "side", str, "right")
        if side not in ("left", "right"):
            self.unknown(fields["side"], "side", side, ("left", "right"))
        instruction = self.value(fields.get("instruction"), "instruction", str, "", not_empty)
        leftover = re.findall(r"\{(?!object\})[^}]*\}", instruction)
        if leftover:
            self.problem(fields["instruction"], f"instruction may only hold {{object}}, not {', '.join(leftover)}")
        return TaskSpec(
            name, side, instruction, self._words(fields.get("milestones"), "milestones", DEFAULT_MILESTONES)
        )

    def _cell(
        self, node: Node, tasks: Named[TaskSpec], objects: Named[ObjectSpec], layouts: Named[LayoutSpec]
    ) -> CellSpec:
        keys = ("task", "condition", "objects", "layouts", "trials")
        fields = self.fields(node, "the cell", keys, keys)
        task = self.value(fields.get("task"), "task", str, "")
        if "task" in fields and task not in tasks:
            self.unknown(fields["task"], "task", task, tasks)

        def names(key: str, known: Iterable[str]) -> tuple[str, ...]:
            found = []
            for item in self.items(fields.get(key), key):
                name = self.value(item, key, str, "")
                if name not in known:
                    self.unknown(item, key.removesuffix("s"), name, known)
                found.append(name)
            if key in fields and not found:
                self.problem(fields[key], f"{key} of the cell is empty")
            return tuple(found)

        return CellSpec(
            task,
            self._choice(fields.get("condition"), "condition", Condition, Condition.SEEN),
            names("objects", objects),
            names("layouts", layouts),
            self.value(fields.get("trials"), "trials", int, 1, at_most(MOST_TRIALS)),
            node.start_mark.line + 1,
        )

    def _no_duplicates(self, cells: list[CellSpec], policies: Named[PolicySpec]) -> None:
        lines: dict[str, int] = {}
        for cell in cells:
            if cell.key in lines:
                self.problem(cell.line, f"cell '{cell.key}' is there already, on line {lines[cell.key]}")
            lines.setdefault(cell.key, cell.line)
        seen: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
        for spec, line in policies.values():
            other = seen.setdefault((spec.policy, spec.options), spec.name)
            if other != spec.name:
                self.problem(line, f"policy '{spec.name}' is the same as '{other}': same name and options")

    def _no_same_start(self, layouts: Named[LayoutSpec], objects: Named[ObjectSpec]) -> None:
        """Two names of one start state would count what is one experiment as two."""
        if self._robot is not Robot.SIM:
            return
        seeds: dict[int, str] = {}
        for layout, line in layouts.values():
            if (other := seeds.setdefault(layout.seed, layout.name)) != layout.name:
                self.problem(line, f"layout '{layout.name}' has the seed of '{other}': it is the same start state")
        tasks: dict[str, str] = {}
        for thing, line in objects.values():
            if thing.sim_task and (other := tasks.setdefault(thing.sim_task, thing.name)) != thing.name:
                self.problem(line, f"object '{thing.name}' has the sim_task of '{other}': it is the same object")

    def _answer_s(self, node: Node | None) -> float | None:
        return None if node is None else self.value(node, "answer_s", float, 1.0, at_most(SLOWEST_S))

    def _comparisons(self, node: Node | None, policies: Named[PolicySpec]) -> ComparisonsSpec:
        fields = self.fields(node, "comparisons", ("pairs", "alpha"), ())
        pairs: list[tuple[str, str]] = []
        for item in self.items(fields.get("pairs"), "pairs"):
            names = [self.value(name, "pairs", str, "") for name in self.items(item, "a pair")]
            for name in names:
                if name not in policies:
                    self.unknown(item, "policy", name, policies)
            if len(names) != 2 or names[0] == names[-1]:
                self.problem(item, f"a pair names two different policies, got [{', '.join(names)}]")
            elif any(set(names) == set(pair) for pair in pairs):
                self.problem(item, f"the pair [{', '.join(names)}] is there already")
            else:
                pairs.append((names[0], names[1]))
        alpha = self.value(fields.get("alpha"), "alpha", float, 0.05, level)
        return ComparisonsSpec(tuple(pairs), alpha)

    def _sequential(self, node: Node | None, policies: int) -> SequentialSpec | None:
        if node is None:
            return None
        fields = self.fields(node, "sequential", ("alpha",), ())
        if policies != 2:
            self.problem(node, f"sequential stopping compares two policies, the plan has {policies}")
        return SequentialSpec(self.value(fields.get("alpha"), "alpha", float, 0.05, level))

    def _words(self, node: Node | None, what: str, default: tuple[str, ...]) -> tuple[str, ...]:
        if node is None:
            return default
        return tuple(self.value(item, what, str, "", not_empty) for item in self.items(node, what))

    def _choice(self, node: Node | None, what: str, kind: type[E], default: E) -> E:
        text = self.value(node, what, str, str(default))
        if text not in tuple(kind):
            assert node is not None
            self.unknown(node, what, text, tuple(kind))
            return default
        return kind(text)

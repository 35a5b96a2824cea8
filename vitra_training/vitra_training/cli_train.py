"""`vitra-train`: pretrain on human hands, fine-tune on the robot, evaluate on held-out episodes, check what came out.

    vitra-train pretrain --config mini-synthetic
    vitra-train check runs/train/mini-synthetic runs/train/mini-finetune
    vitra-train finetune --config paper-finetune --data.paths demos --model.initial runs/train/paper-pretrain/...
    accelerate launch --num_processes 8 -m vitra_training.cli_train pretrain --config paper-pretrain --data.paths ...

`--config NAME` picks where all other settings start; each of them can be given on top. A run that was interrupted goes
on where it stopped when the same command is given again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from vitra_policy.command_errors import print_error
from vitra_policy.command_options import check_numbers
from vitra_policy.errors import VitraError, disk_words
from vitra_training.training.config import TrainConfig
from vitra_training.training.evaluation_options import EvaluationOptions
from vitra_training.training.presets import PRESETS, find_preset

_DEFAULTS = {"pretrain": "paper-pretrain", "finetune": "paper-finetune"}
_console = Console(stderr=True)


@dataclass(frozen=True)
class Evaluate(EvaluationOptions):
    """Open-loop errors of a checkpoint on a data set: wrist mm, wrist degrees, joint degrees per horizon step."""

    def run(self) -> int:
        """Evaluate and print the means."""
        from vitra_training.training.evaluate_checkpoint import evaluate_checkpoint

        result, plot = evaluate_checkpoint(self)
        print(json.dumps({"samples": result["samples"], "plot": str(plot), **result["mean"]}, indent=1))
        return 0


@dataclass(frozen=True)
class Check:
    """Whether runs made a good policy, and whether the robot takes the last one's checkpoint; exit code 1 if not.

    Good is: losses fell, the wrist is nearer to what was done than one that stands still, the loss is below what the
    distribution of actions alone gives, and other images and other words make it worse.
    """

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs in the order they were trained; the robot gets what came out of the last one."""
    out: Path = Path("runs/train/check.json")
    """JSON file for the figures."""
    demand: Literal["good", "learning"] = "good"
    """What the exit code asks for; `learning` is content with losses that fell, as for a short run on a CPU."""

    def run(self) -> int:
        """Judge, print the table, write the file."""
        from vitra_training.training.check import Demand, check_runs

        return 0 if check_runs(self.runs, self.out, Console(), Demand(self.demand)) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; errors that a user can fix are one line, without a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Before torch is loaded: threads that spin while they wait cost several times the work itself where loader workers
    # or other programs want the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        command = tyro.cli(
            _commands(given),
            prog="vitra-train",
            args=given,
            description=__doc__,
            config=(tyro.conf.EnumChoicesFromValues,),
        )
        check_numbers(command)
        if isinstance(command, (Evaluate, Check)):
            return command.run()
        from vitra_training.training.distributed import leave_team
        from vitra_training.training.run import train

        code = train(command)
        leave_team()
        return code
    except VitraError as error:
        print_error(_console, "vitra-train", error)
        return 2
    except OSError as error:
        print_error(_console, "vitra-train", disk_words(error))
        return 2


def _commands(given: Sequence[str]) -> Any:
    """The subcommands, with the chosen preset as the default of its settings, so that --help shows its values."""
    chosen = _config_name(given)
    subcommands = [
        Annotated[
            TrainConfig,
            tyro.conf.subcommand(
                name,
                default=find_preset(chosen or default),
                description=f"{doc} Presets: {', '.join(PRESETS)}.",
            ),
        ]
        for name, default, doc in (
            ("pretrain", _DEFAULTS["pretrain"], "Train on human hands (or on a baseline's data)."),
            ("finetune", _DEFAULTS["finetune"], "Train on robot demonstrations, from a pretrained checkpoint."),
        )
    ]
    evaluate = Annotated[Evaluate, tyro.conf.subcommand("evaluate", description=Evaluate.__doc__)]
    check = Annotated[Check, tyro.conf.subcommand("check", description=Check.__doc__)]
    from typing import Union

    return Union[subcommands[0], subcommands[1], evaluate, check]  # noqa: UP007


def _config_name(given: Sequence[str]) -> str | None:
    for index, word in enumerate(given):
        if word.startswith("--config="):
            return word.partition("=")[2]
        if word == "--config" and index + 1 < len(given):
            return given[index + 1]
    return None


if __name__ == "__main__":
    sys.exit(main())

"""Saving and restoring the state of a team: in pieces on the leader, and each process reads its share alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vitra_policy.checkpoint import stream
from vitra_policy.checkpoint.stream import TensorSpec, plan_shards, weight_files, write_weights
from vitra_training.training.checkpoints import TensorSet

_MIB = 2**20
_ROWS, _TENSORS, _RANKS = 64 * 1024, 8, 8  # 8 tensors of 64 MiB
_CAP_MIB = 256


def test_the_leader_holds_one_shard_at_a_time_and_the_others_follow_in_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = {f"t{n}": torch.full((256, 4), float(n)) for n in range(5)}
    asked: dict[str, list[list[str]]] = {"leader": [], "follower": []}

    def reading(who: str) -> TensorSet:
        specs = tuple(TensorSpec(name, tuple(t.shape)) for name, t in tensors.items())
        return TensorSet(specs, lambda names: asked[who].append(list(names)) or {n: tensors[n] for n in names})

    leader = reading("leader")
    monkeypatch.setattr(stream, "MAX_SHARD_BYTES", 2 * 256 * 4 * 4)
    write_weights(tmp_path, leader.specs, leader.read, torch.float32, stem="optimizer")
    for shard in plan_shards(reading("follower").specs, torch.float32):
        reading("follower").read([spec.name for spec in shard])
    assert asked["leader"] == asked["follower"] == [["t0", "t1"], ["t2", "t3"], ["t4"]]
    assert len(weight_files(tmp_path, "optimizer")) == 3
    assert weight_files(tmp_path) == []


def run_on_all_ranks(program: str, folder: Path, *arguments: object) -> None:
    """Run a program as eight processes with the folder as its first argument; each must print what it grew by."""
    file = folder / "program.py"
    file.write_text(program)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(_RANKS)]
    command = [*launch, *map(str, (file, folder, *arguments))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("grew") == _RANKS


_PROGRAM = """
import resource, sys
import torch, torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor, DTensor
from vitra_training.training.checkpoints import mapped_tensors
from vitra_training.training.distributed import like
from pathlib import Path

dist.init_process_group("gloo")
mesh = init_device_mesh("cpu", (dist.get_world_size(),))
rank, rows = dist.get_rank(), int(sys.argv[2])
share = rows // dist.get_world_size()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, whole in mapped_tensors(Path(sys.argv[1]), "weights").items():
    local = torch.zeros(share, 256)
    parameter = DTensor.from_local(local, mesh, [Shard(0)], run_check=False)
    parameter.copy_(like(whole, parameter))
    assert float(parameter.to_local()[0, 0]) == rank * share, name
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"grew {(after - before) / 1024:.0f} MiB", flush=True)
assert (after - before) / 1024 < float(sys.argv[3]), (before, after)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_eight_processes_restore_their_shares_under_a_cap_of_memory(tmp_path: Path) -> None:
    values = torch.arange(_ROWS, dtype=torch.float32)[:, None].expand(-1, 256)
    specs = [TensorSpec(f"t{n}", (_ROWS, 256)) for n in range(_TENSORS)]
    write_weights(tmp_path, specs, lambda names: dict.fromkeys(names, values), torch.float32, stem="weights")
    size_mib = sum(file.stat().st_size for file in weight_files(tmp_path, "weights")) / _MIB
    assert size_mib > 2 * _CAP_MIB
    run_on_all_ranks(_PROGRAM, tmp_path, _ROWS, _CAP_MIB)


_LARGE = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
import torch
from vitra_policy.checkpoint.stream import TensorSpec, weight_files, write_weights
from vitra_policy.model.config import PRESETS
from vitra_policy.model.vla import Vitra
from vitra_training.training.checkpoints import mapped_tensors
from vitra_training.training.config import LossConfig, ModelConfig, RunConfig
from vitra_training.training.distributed import join_team, leave_team, like, parameters_of, share
from vitra_training.training.initial import build
from vitra_training.training.network import TrainingNetwork
from vitra_training.training.sharded_start import initial_weights, starts_sharded

folder, cap_mib = Path(sys.argv[1]), float(sys.argv[2])
small = PRESETS["reduced"]
rows = 512 * 2**20 // (4 * small.language.width)
PRESETS["many words"] = replace(small, language=replace(small.language, vocabulary=rows))
run, model_config = RunConfig(device="cpu", sharding="fsdp2"), ModelConfig(preset="many words")
team = join_team(run)

def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def empty_share():
    return share(TrainingNetwork(build(model_config, LossConfig(), 0, empty=True)[0], LossConfig()), team, run)
"""
_CAP_OF_A_SHARE_MIB = 400  # of 650; torch's own modules take a hundred

_RESUME = f"""{_LARGE}
if team.leads:
    with torch.device("meta"):
        shapes = {{name: tuple(p.shape) for name, p in Vitra(PRESETS["many words"]).named_parameters()}}
    specs = [TensorSpec(name, shape) for name, shape in shapes.items()]
    ones = lambda names: {{name: torch.ones(()).expand(shapes[name]) for name in names}}
    write_weights(folder, specs, ones, torch.float32, stem="weights")
team.wait()
before_mib, model, stored = peak_mib(), empty_share(), mapped_tensors(folder, "weights")
with torch.no_grad():
    for name, parameter in parameters_of(model).items():
        parameter.copy_(like(stored[name], parameter))
        assert bool((parameter.to_local() == 1).all()), name
grew_mib = peak_mib() - before_mib
print("grew", grew_mib, "MiB", flush=True)
assert grew_mib < cap_mib
leave_team()
"""


@pytest.mark.slow
def test_eight_processes_that_go_on_build_no_whole_network(tmp_path: Path) -> None:
    run_on_all_ranks(_RESUME, tmp_path, _CAP_OF_A_SHARE_MIB)
    assert sum(file.stat().st_size for file in weight_files(tmp_path, "weights")) > 600 * _MIB


_START = f"""{_LARGE}
config = SimpleNamespace(model=model_config, loss=LossConfig(), run=run, directory=folder)
assert starts_sharded(config, team)
before_mib, model = peak_mib(), empty_share()
with initial_weights(config, team) as weights, torch.no_grad():
    for name, parameter in parameters_of(model).items():
        parameter.copy_(like(weights[name], parameter))
grew_mib = peak_mib() - before_mib
print("grew", grew_mib, "MiB", flush=True)
assert team.leads or grew_mib < cap_mib
leave_team()
"""


@pytest.mark.slow
def test_of_eight_processes_that_start_afresh_only_the_leader_makes_the_whole_network(tmp_path: Path) -> None:
    run_on_all_ranks(_START, tmp_path, _CAP_OF_A_SHARE_MIB)
    assert not (tmp_path / ".initial").exists()

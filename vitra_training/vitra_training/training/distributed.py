"""The processes that train together: who they are, how they share the network, and how they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import torch
import torch.distributed as dist
from accelerate import PartialState
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from torch.nn.parallel import DistributedDataParallel

from vitra_policy.checkpoint.stream import TensorSpec
from vitra_policy.model.dit import DitBlock
from vitra_policy.model.gemma2 import GemmaLayer
from vitra_policy.model.siglip import SiglipLayer
from vitra_training.training.checkpoints import TensorSet
from vitra_training.training.config import RunConfig
from vitra_training.training.errors import TrainingConfigError
from vitra_training.training.network import TrainingNetwork

_PATIENCE = timedelta(hours=1)
"""The others wait so long at most: longer than the leader takes to write 40 GB to a slow disk, or to make data up."""


@dataclass(frozen=True, slots=True)
class Team:
    """This process among the training processes (`accelerate launch` or `torchrun` start them; one needs neither)."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """Sum over all processes.

        Args:
            value: Any shape, the same on each.
        """
        if self.world_size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        return bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world_size > 1:
            dist.barrier()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The leader first, then all others: for files that the leader makes and the others find."""
        if not self.leads:
            self.wait()
        yield
        if self.leads:
            self.wait()


def join_team(config: RunConfig) -> Team:
    """Find the other processes, or be alone.

    Raises:
        TrainingConfigError: a GPU is asked for and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise TrainingConfigError("--run.device cuda: torch sees no GPU here; use --run.device auto or cpu.")
    state = PartialState(cpu=config.device == "cpu" or not torch.cuda.is_available(), timeout=_PATIENCE)
    torch.set_float32_matmul_precision("high")
    return Team(state.process_index, state.num_processes, state.device)


def leave_team() -> None:
    """Take leave of the other processes at the end of a program."""
    if dist.is_initialized():
        dist.destroy_process_group()


def share(network: TrainingNetwork, team: Team, config: RunConfig) -> nn.Module:
    """The network as this process runs it: alone, as one of several copies, or sharded layer by layer (FSDP2).

    Of a network without weights only this process's share gets memory; what is in it is anything until it is restored.

    Args:
        network: On the CPU or without weights.
        team: The processes.
        config: Says how they share.
    """
    if team.world_size == 1:
        return _placed(network, team.device)
    if config.sharding == "replicate":
        return DistributedDataParallel(_placed(network, team.device))
    if not is_empty(network):
        network.to(team.device)
    narrow = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for module in network.modules():
        if isinstance(module, GemmaLayer) and config.precision == "bf16":
            fully_shard(module, mp_policy=narrow)  # gathers half the bytes
        elif isinstance(module, GemmaLayer | SiglipLayer | DitBlock):
            fully_shard(module)
    return _placed(cast(nn.Module, fully_shard(network)), team.device)


def is_empty(network: nn.Module) -> bool:
    """Whether a network has no weights yet."""
    return any(parameter.is_meta for parameter in network.parameters())


def _placed(network: nn.Module, device: torch.device) -> nn.Module:
    return network.to_empty(device=device) if is_empty(network) else network.to(device)


def parameters_of(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters by their name in the network itself."""
    return {name.removeprefix("module.").removeprefix("vitra."): p for name, p in model.named_parameters()}


def gathered(tensors: Mapping[str, Tensor], team: Team) -> dict[str, Tensor]:
    """Whole tensors on the CPU of the leader (empty elsewhere); every process must call it."""
    whole: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        value = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        if team.leads:
            whole[name] = value.detach().to("cpu", copy=True)
    return whole


def like(whole: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor placed as a parameter is: on its device, and of a sharded one this process's share alone.

    Args:
        whole: Any shape.
        parameter: Of the same shape.
    """
    if not isinstance(parameter, DTensor):
        return whole.to(parameter.device)
    mesh, placements = parameter.device_mesh, parameter.placements
    size, offset = compute_local_shape_and_global_offset(whole.shape, mesh, placements)
    share = whole[tuple(slice(first, first + count) for first, count in zip(offset, size, strict=True))]
    local = share.to(parameter.device, copy=True)
    return DTensor.from_local(local, mesh, placements, run_check=False, shape=whole.shape, stride=whole.stride())


def tensor_set(tensors: Mapping[str, Tensor], team: Team) -> TensorSet:
    """Tensors of a team, sharded or not, to be put together some at a time.

    Args:
        tensors: Any shapes, by name.
        team: The processes.
    """
    specs = tuple(TensorSpec(name, tuple(tensor.shape)) for name, tensor in tensors.items())
    return TensorSet(specs, lambda names: gathered({name: tensors[name] for name in names}, team))


def whole_number(value: Any) -> float:
    """A scalar tensor, sharded or not, as a number."""
    return float(value.full_tensor() if isinstance(value, DTensor) else value)

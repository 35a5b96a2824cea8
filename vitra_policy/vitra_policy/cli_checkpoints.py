"""Commands on checkpoints: inspect, convert, export-onnx, new-mini."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

_GIB = 2**30


@dataclass(frozen=True)
class Inspect:
    """Show what a checkpoint is, without loading its weights."""

    checkpoint: Annotated[str, tyro.conf.Positional]
    """Directory of ours, run directory of the reference, .pt file, or Hub repository owner/name."""

    def run(self) -> None:
        """Write a table to standard output."""
        from rich.console import Console
        from rich.table import Table

        from vitra_policy.checkpoint.store import Checkpoint
        from vitra_policy.loading import find_checkpoint
        from vitra_policy.model.unfilled import unfilled
        from vitra_policy.model.vla import Vitra

        found = find_checkpoint(self.checkpoint)
        cfg = found.config
        with unfilled():
            model = Vitra(cfg)
        counts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
        table = Table(title=self.checkpoint, show_header=False)
        own = isinstance(found, Checkpoint)
        rows = {
            "format": "vitra-policy" if own else "published reference",
            "network": cfg.name,
            "parameters": f"{sum(p.numel() for p in model.parameters()) / 1e6:,.1f} M ("
            + ", ".join(f"{name} {count / 1e6:,.1f} M" for name, count in counts.items() if count)
            + ")",
            "image": f"{cfg.vision.image_size} px, {cfg.vision.tokens} tokens",
            "trunk": f"{cfg.language.layers} layers, width {cfg.language.width}, soft cap {cfg.language.softcap}",
            "expert": f"{cfg.expert.layers} blocks, width {cfg.expert.width}, {cfg.expert.steps} steps, "
            + ("causal" if cfg.expert.causal else "bidirectional"),
            "inputs": "image, instruction" + (", FoV" if cfg.use_fov else "") + (", state" * cfg.expert.use_state),
            "tokenizer": "built-in bytes"
            if cfg.tokenizer.kind == "bytes"
            else str(found.tokenizer_file or "missing: give --tokenizer when loading"),
            "statistics": "missing"
            if found.statistics is None
            else f"{found.statistics.dataset}: {' and '.join(found.statistics.present) or 'no'} hand(s), "
            f"{found.statistics.kind.value}",
        }
        if isinstance(found, Checkpoint):
            rows["made"] = f"{found.provenance.created} from {found.provenance.source}"
            rows |= {f"training: {key}": str(value) for key, value in found.provenance.training.items()}
        for name, value in rows.items():
            table.add_row(name, value)
        Console().print(table)


@dataclass(frozen=True)
class Convert:
    """Convert a checkpoint of the published reference to safetensors and JSON; memory stays at one shard."""

    source: Annotated[str, tyro.conf.Positional]
    """Run directory, .pt file, or Hub repository owner/name."""
    target: Annotated[Path, tyro.conf.Positional]
    """Directory to write."""
    tokenizer: Path | None = None
    """tokenizer.json of the PaliGemma base, where the run does not bring one."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Stored number format; parity with the reference needs float32."""
    overwrite: bool = False
    """Replace an existing directory."""

    def run(self) -> None:
        """Convert."""
        import torch

        from vitra_policy.checkpoint.reference import convert_reference

        path = convert_reference(
            self.source,
            self.target,
            tokenizer=self.tokenizer,
            dtype=getattr(torch, self.dtype),
            overwrite=self.overwrite,
        )
        size = sum(file.stat().st_size for file in path.iterdir()) / _GIB
        sys.stdout.write(f"Wrote {path} ({size:.2f} GiB).\n")


@dataclass(frozen=True)
class ExportOnnx:
    """Export a checkpoint to ONNX graphs (prefix, cond, step) for mode=onnx and other runtimes."""

    checkpoint: Annotated[str, tyro.conf.Positional]
    """Checkpoint of either format."""
    out: Path
    """Directory to write; may lie inside the checkpoint."""

    def run(self) -> None:
        """Export."""
        from vitra_policy.engine.onnx_graphs import export_onnx
        from vitra_policy.loading import find_checkpoint

        sys.stdout.write(f"Wrote {export_onnx(find_checkpoint(self.checkpoint).load_model(), self.out)}.\n")


@dataclass(frozen=True)
class NewMini:
    """Make a small checkpoint with random weights, to try everything out without a download; it can do nothing."""

    out: Annotated[Path, tyro.conf.Positional]
    """Directory to write."""
    preset: str = "mini"
    """Size: mini (12 M parameters) or reduced."""
    seed: int = 0
    """Of the weights."""
    overwrite: bool = False
    """Replace an existing directory."""

    def run(self) -> None:
        """Draw and save."""
        from vitra_policy.benchmarks.random_network import example_statistics, random_network
        from vitra_policy.checkpoint.store import About, Provenance, save_model
        from vitra_policy.model.config import preset

        about = About(
            statistics=example_statistics(self.seed, motion=0.05),  # random actions are wild: keep them small
            provenance=Provenance(source=f"random weights, preset {self.preset}, seed {self.seed}"),
        )
        network = random_network(preset(self.preset), self.seed)
        path = save_model(self.out, network, about, overwrite=self.overwrite)
        sys.stdout.write(f"Wrote {path}. Its weights are random: use it to try things out, not on a robot.\n")

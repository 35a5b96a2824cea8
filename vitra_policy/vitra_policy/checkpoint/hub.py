"""Downloads from the Hugging Face Hub, where a network and permission exist."""

from __future__ import annotations

import re
from pathlib import Path

from vitra_policy.checkpoint.errors import HubError

_PATTERNS = ["configs/*", "config.json", "statistics/*", "*statistics*.json", "checkpoints/*.pt", "tokenizer*", "*.md"]


def is_hub_id(name: str) -> bool:
    """Whether a name has the form ``owner/repository``."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None


def download_repository(repository: str) -> Path:
    """Download (or find in the cache) the checkpoint files of a Hub repository; returns their directory.

    Raises:
        HubError: huggingface_hub is not installed, the network is down, or access is refused.
    """
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(repository, allow_patterns=_PATTERNS))
    except ImportError as error:
        raise HubError(f"'{repository}' is no local path. For the Hub: pip install 'vitra-policy[hub]'.") from error
    except Exception as error:  # the library's errors share no base class
        raise HubError(
            f"Cannot download '{repository}': {error}. If it is gated, accept its terms and run `hf auth login`; "
            "if it was meant as a path, it does not exist."
        ) from error


def cached_hub_file(repository: str, name: str, *, download: bool) -> Path | None:
    """One file of a Hub repository from the cache, or from the network if ``download``; None if it is not to be had.

    Args:
        repository: `owner/name` on the Hub.
        name: File in it.
        download: Whether the network may be asked.
    """
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(repository, name, local_files_only=not download))
    except Exception:  # absence is reported later, where the file is needed, with what to do
        return None

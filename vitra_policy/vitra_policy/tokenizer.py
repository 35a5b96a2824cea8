"""Text to token ids: PaliGemma's tokenizer from its file, or the built-in bytes of the mini model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from vitra_policy.errors import VitraError
from vitra_policy.model.config import TokenizerConfig

_FIRST_BYTE_ID = 5


class TokenizerFileError(VitraError):
    """A tokenizer file that is missing, unreadable, or of another model."""


class Tokenizer(Protocol):
    """Encodes plain text without adding or accepting special tokens."""

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``."""
        ...


class ByteTokenizer:
    """One token per UTF-8 byte; needs no file. Ids 0..4 are pad, eos, bos, unknown, image."""

    def encode(self, text: str) -> list[int]:
        """Byte values shifted behind the special ids."""
        return [_FIRST_BYTE_ID + byte for byte in text.encode()]


class FileTokenizer:
    """A Hugging Face ``tokenizer.json``; text that spells a special token is encoded as ordinary text."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as HuggingFaceTokenizer

        if not path.is_file():
            raise TokenizerFileError(f"No tokenizer at {path}. {_HOW_TO_GET}")
        try:
            self._tokenizer: Any = HuggingFaceTokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise TokenizerFileError(f"{path} is not a tokenizer.json: {error}. {_HOW_TO_GET}") from error
        self._tokenizer.encode_special_tokens = True

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text``."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


_HOW_TO_GET = (
    "Download tokenizer.json of the checkpoint's PaliGemma base model (google/paligemma2-3b-*, gated) "
    "and pass its path as tokenizer=..."
)


def make_tokenizer(config: TokenizerConfig, path: Path | None) -> Tokenizer:
    """The tokenizer a model was trained with; ``path`` is its file where the kind is ``file``.

    Raises:
        TokenizerFileError: The file is needed and missing or broken.
    """
    if config.kind == "bytes":
        return ByteTokenizer()
    if path is None:
        raise TokenizerFileError(f"The checkpoint brings no tokenizer.json. {_HOW_TO_GET}")
    return FileTokenizer(path)


def text_ids(instruction: str, tokenizer: Tokenizer, config: TokenizerConfig) -> list[int]:
    """Ids ``[<bos>, instruction, newline]`` the trunk reads after the image tokens (docs/model.md: Prompt).

    Args:
        instruction: Formatted, both hands.
        tokenizer: Makes ids of text.
        config: Special ids.
    """
    return [config.bos_id, *tokenizer.encode(instruction + "\n")]


def full_ids(instruction: str, tokenizer: Tokenizer, config: TokenizerConfig, image_tokens: int) -> list[int]:
    """The same preceded by image placeholders, as the reference's processor writes them.

    Args:
        instruction: Formatted, both hands.
        tokenizer: Makes ids of text.
        config: Special ids.
        image_tokens: How many placeholders.
    """
    return [config.image_id] * image_tokens + text_ids(instruction, tokenizer, config)

"""`metadata.yaml` of a rosbag2 as it was meant: what is read from it is what was to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

METADATA_NAME = "metadata.yaml"
_INFORMATION, _TEXTS = "rosbag2_bagfile_information", "custom_data"


def settle_texts(bag: Path, texts: Mapping[str, str]) -> None:
    """Write the texts of a complete bag anew where they would be read otherwise.

    The YAML library behind rosbags breaks long lines that hold backslashes and unusual characters so that a space more
    is read from them, and a bag's files and metadata would contradict each other (seen with ruamel.yaml's C emitter).

    Args:
        bag: Folder of the bag.
        texts: Custom data as they were to be kept.

    Raises:
        OSError: the disk refuses it; what was there is still there.
    """
    file = bag / METADATA_NAME
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    if (content[_INFORMATION].get(_TEXTS) or {}) != dict(texts):
        content[_INFORMATION][_TEXTS] = dict(texts)
        write_metadata(file, content)


def write_metadata(file: Path, content: Mapping[str, Any]) -> None:
    """Replace a `metadata.yaml`, whole or not at all, by one from which just this is read.

    Args:
        file: Its path.
        content: All that it holds.

    Raises:
        OSError: the disk refuses it; what was there is still there.
    """
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    if yaml.safe_load(text) != content:  # U+0085 is taken for the end of a line
        text = yaml.safe_dump(content, sort_keys=False)
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)

"""Message definitions for the bag: those of ROS 2 Jazzy, the installed ones of this stack, and that of video."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from vitra_policy.errors import VitraError
from vitra_recorder.video import VIDEO_DEFINITION, VIDEO_TYPE


class MessageDefinitionError(VitraError):
    """Definitions of messages that cannot be found or read."""


def stack_typestore(folders: Iterable[Path]) -> Typestore:
    """Jazzy's types, compressed video, and all of the given packages.

    Args:
        folders: share folders, named like the package, with a folder ``msg`` inside.

    Raises:
        MessageDefinitionError: a folder without definitions.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg(VIDEO_DEFINITION, VIDEO_TYPE))
    for folder in folders:
        files = sorted((folder / "msg").glob("*.msg"))
        if not files:
            raise MessageDefinitionError(
                f"No message definitions in {folder / 'msg'}. Build the package {folder.name}."
            )
        types = {}
        for file in files:
            types.update(get_types_from_msg(file.read_text(encoding="utf-8"), f"{folder.name}/msg/{file.stem}"))
        store.register({name: fields for name, fields in types.items() if name not in store.fielddefs})
    return store

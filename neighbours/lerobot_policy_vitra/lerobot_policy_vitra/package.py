"""Writes the folder that lerobot's `--policy.path=` takes; the checkpoint itself stays where it is.

python -m lerobot_policy_vitra.package runs/lerobot/policy --options checkpoint=/path/to/checkpoint,mode=parity
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lerobot.utils.constants import POLICY_POSTPROCESSOR_DEFAULT_NAME, POLICY_PREPROCESSOR_DEFAULT_NAME

from lerobot_policy_vitra.configuration_vitra import VitraConfig
from lerobot_policy_vitra.processor_vitra import make_vitra_pre_post_processors


def write_package(out: Path, config: VitraConfig) -> Path:
    """Configuration and processors of a policy, as lerobot stores them.

    Args:
        out: New or empty folder.
        config: Which policy, with which options, in which terms.

    Raises:
        FileExistsError: The folder holds something already.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; choose a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    config._save_pretrained(out)
    before, behind = make_vitra_pre_post_processors(config)
    before.save_pretrained(out, config_filename=f"{POLICY_PREPROCESSOR_DEFAULT_NAME}.json")
    behind.save_pretrained(out, config_filename=f"{POLICY_POSTPROCESSOR_DEFAULT_NAME}.json")
    return out


def main(arguments: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="new folder")
    parser.add_argument("--policy", default="vitra", help="name in the stack's registry")
    parser.add_argument("--options", required=True, help="its options, key=value,key=value; checkpoint=DIR among them")
    parser.add_argument("--mapping", default="lerobot-right", help="lerobot-right, lerobot-both, or a mapping file")
    parser.add_argument("--device", default="cpu", help="where lerobot puts what it hands over")
    given = parser.parse_args(arguments)
    config = VitraConfig(
        policy=given.policy, options=given.options, mapping=given.mapping, device=given.device, push_to_hub=False
    )
    try:
        sys.stdout.write(f"{write_package(given.out, config)}\n")
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

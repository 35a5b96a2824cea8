"""Runs MoGe-2 on every n-th image; started by the Python of its own environment."""

import argparse
import os
import sys


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    for name in ("frames", "checkpoint", "every", "out"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    try:
        import cv2
        import numpy as np
        import torch
        from moge.model.v2 import MoGeModel
    except ImportError as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = MoGeModel.from_pretrained(asked.checkpoint).to(device).eval()
    names = sorted(os.listdir(asked.frames))
    numbers, depths, cameras = [], [], []
    for number in range(0, len(names), int(asked.every)):
        bgr = np.asarray(cv2.imread(os.path.join(asked.frames, names[number])))
        rgb = torch.tensor(bgr[:, :, ::-1] / 255.0, dtype=torch.float32, device=device).permute(2, 0, 1)
        with torch.no_grad():
            found = model.infer(rgb)
        depth = found["depth"].float().cpu().numpy()
        depth[~(found["mask"].cpu().numpy() > 0)] = np.inf
        numbers.append(number)
        depths.append(depth.astype(np.float32))
        cameras.append(found["intrinsics"].float().cpu().numpy())
    np.savez(asked.out, frames=np.array(numbers), depth_m=np.stack(depths), intrinsics=np.stack(cameras))


if __name__ == "__main__":
    main()

"""Runs WiLoR's detector and hand model on images; started by WiLoR's own Python in its checkout."""

import argparse
import os
import sys
from typing import Any


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    for name in ("frames", "checkpoint", "config", "detector", "out"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    sys.path.insert(0, os.getcwd())
    try:
        import cv2
        import numpy as np
        import torch
        from ultralytics import YOLO
        from wilor.datasets.vitdet_dataset import ViTDetDataset
        from wilor.models import load_wilor
        from wilor.utils import recursive_to
        from wilor.utils.renderer import cam_crop_to_full
    except ImportError as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, config = load_wilor(checkpoint_path=asked.checkpoint, cfg_path=asked.config)
    model = model.to(device).eval()
    detector = YOLO(asked.detector).to(device)
    names = ("frame", "right", "score", "focal_px", "place_m", "joints_m", "orient", "fingers")
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for frame, name in enumerate(sorted(os.listdir(asked.frames))):
        image = cv2.imread(os.path.join(asked.frames, name))
        boxes, right, scores = [], [], []
        for found in detector(image, conf=0.3, verbose=False)[0]:
            box = found.boxes.data.cpu().detach().squeeze().numpy()
            boxes.append(box[:4])
            scores.append(float(box[4]))
            right.append(float(found.boxes.cls.cpu().detach().squeeze().item()))
        if not boxes:
            continue
        data = ViTDetDataset(config, image, np.stack(boxes), np.array(right), rescale_factor=2.0)
        done = 0
        for batch in torch.utils.data.DataLoader(data, batch_size=16, shuffle=False, num_workers=0):
            batch = recursive_to(batch, device)
            with torch.no_grad():
                out = model(batch)
            sign = 2 * batch["right"] - 1
            camera = out["pred_cam"]
            camera[:, 1] = sign * camera[:, 1]
            size = batch["img_size"].float()
            focal = config.EXTRA.FOCAL_LENGTH / config.MODEL.IMAGE_SIZE * size.max()
            place = cam_crop_to_full(camera, batch["box_center"].float(), batch["box_size"].float(), size, focal)
            for n in range(len(sign)):
                joints = out["pred_keypoints_3d"][n].cpu().numpy().copy()
                joints[:, 0] *= float(sign[n])
                rows["frame"].append(frame)
                rows["right"].append(float(batch["right"][n]) > 0.5)
                rows["score"].append(scores[done])
                rows["focal_px"].append(float(focal))
                rows["place_m"].append(place[n].cpu().numpy())
                rows["joints_m"].append(joints)
                rows["orient"].append(out["pred_mano_params"]["global_orient"][n].cpu().numpy().reshape(3, 3))
                rows["fingers"].append(out["pred_mano_params"]["hand_pose"][n].cpu().numpy().reshape(15, 3, 3))
                done += 1
    arrays: dict[str, Any] = {name: np.array(values) for name, values in rows.items()}
    np.savez(asked.out, **arrays)


if __name__ == "__main__":
    main()

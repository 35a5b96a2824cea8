"""Runs HaWoR's detector and hand model on a clip; started by HaWoR's own Python in its checkout.

Its results stay where HaWoR writes them (`cam_space/{hand}/{first}_{last}.json`); beside each goes `.joints.npy` with
what only MANO can tell, the joints.
"""

import argparse
import os
import sys


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    for name in ("video", "checkpoint", "focal"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    sys.path.insert(0, os.getcwd())
    try:
        import numpy as np
        import torch
        from hawor.utils.process import run_mano, run_mano_left
        from hawor.utils.rotation import rotation_matrix_to_angle_axis
        from scripts.scripts_test_video.detect_track_video import detect_track_video
        from scripts.scripts_test_video.hawor_video import hawor_motion_estimation
    except ImportError as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    import json

    told = argparse.Namespace(video_path=asked.video, img_focal=float(asked.focal), input_type="file",
                              checkpoint=asked.checkpoint)  # fmt: skip
    start, end, folder, _ = detect_track_video(told)
    chunks, _ = hawor_motion_estimation(told, start, end, folder)
    cuda = torch.cuda.is_available()
    for hand in (0, 1):
        for frames in chunks.get(hand, []):
            name = f"{folder}/cam_space/{hand}/{frames[0]}_{frames[-1]}"
            with open(f"{name}.json") as file:
                found = {key: torch.tensor(value) for key, value in json.load(file).items()}
            run = run_mano if hand == 1 else run_mano_left
            with torch.no_grad():
                posed = run(
                    found["init_trans"], rotation_matrix_to_angle_axis(found["init_root_orient"]),
                    rotation_matrix_to_angle_axis(found["init_hand_pose"]), betas=found["init_betas"], use_cuda=cuda,
                )  # fmt: skip
            np.save(f"{name}.joints.npy", posed["joints"][0].cpu().numpy())


if __name__ == "__main__":
    main()

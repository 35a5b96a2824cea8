"""Stand-ins of the outside estimators: checkouts of the same shape whose weights are tiny files of the real formats.

Each takes the calls and options that the real one takes, loads its weights as that does, and writes what that writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from vitra_training.labeling.adapters.tool import ToolConfig

FRAMES, WIDTH, HEIGHT = 6, 96, 64


def config(folder: Path) -> ToolConfig:
    return ToolConfig(folder, sys.executable, timeout_s=120.0)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def checkpoint(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)


JOINTS = np.array([[-0.02 * n, 0.003 * n, 0.001 * n] for n in range(21)])
"""(21, 3) of a right hand, wrist at the origin."""
RIGHT_AT, LEFT_AT = np.array([0.05, 0.02, 0.5]), np.array([-0.06, 0.01, 0.4])
TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def hawor(folder: Path) -> ToolConfig:
    """HaWoR: frames in `extracted_images`, tracks as a pickled array, hands as JSON per stretch of frames."""
    write(folder, {
        "weights/external/detector.pt": "x", "weights/hawor/model_config.yaml": "MODEL: {IMAGE_SIZE: 256}\n",
        "_DATA/data/mano/MANO_RIGHT.pkl": "x", "_DATA/data_left/mano_left/MANO_LEFT.pkl": "x",
        "hawor/__init__.py": "", "hawor/utils/__init__.py": "", "scripts/__init__.py": "",
        "scripts/scripts_test_video/__init__.py": "",
        "hawor/utils/rotation.py": """
import torch
from scipy.spatial.transform import Rotation
def rotation_matrix_to_angle_axis(R):
    flat = Rotation.from_matrix(R.reshape(-1, 3, 3).numpy()).as_rotvec()
    return torch.tensor(flat, dtype=torch.float32).reshape(*R.shape[:-2], 3)
""",
        "hawor/utils/process.py": f"""
import torch
JOINTS = torch.tensor({JOINTS.tolist()})
def run_mano(trans, root_orient, hand_pose, is_right=None, betas=None, use_cuda=True):
    assert not use_cuda and hand_pose.shape[2:] == (15, 3) and betas.shape[-1] == 10
    return {{"joints": trans[:, :, None] + JOINTS, "vertices": trans[:, :, None]}}
def run_mano_left(trans, root_orient, hand_pose, is_right=None, betas=None, use_cuda=True, fix_shapedirs=True):
    return {{"joints": trans[:, :, None] + JOINTS * torch.tensor([-1.0, 1, 1]), "vertices": trans[:, :, None]}}
""",
        "scripts/scripts_test_video/detect_track_video.py": """
import os
from glob import glob
import numpy as np
def detect_track_video(args):
    folder = args.video_path.rsplit(".", 1)[0]
    files = sorted(glob(folder + "/extracted_images/*.jpg"))
    os.makedirs(f"{folder}/tracks_0_{len(files)}")
    one = lambda t, right: {"frame": t, "det": True, "det_box": np.array([[1, 2, 30, 40, 0.9]]),
                            "det_handedness": np.array([right])}
    tracks = {1.0: [one(t, 1.0) for t in (0, 1, 2, 4)], 2.0: [one(t, 0.0) for t in (3, 4)]}
    np.save(f"{folder}/tracks_0_{len(files)}/model_tracks.npy", np.array(tracks, dtype=object))
    np.save(f"{folder}/tracks_0_{len(files)}/model_boxes.npy", np.array([], dtype=object))
    return 0, len(files), folder, files
""",
        "scripts/scripts_test_video/hawor_video.py": f"""
import json, os
from collections import defaultdict
import torch
def hawor_motion_estimation(args, start, end, folder):
    weights = torch.load(args.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    assert args.img_focal > 0
    chunks = defaultdict(list)
    for hand, frames, at in ((1, [0, 1, 2, 3, 4], {RIGHT_AT.tolist()}), (0, [3, 4], {LEFT_AT.tolist()})):
        chunks[hand].append(frames)
        T = len(frames)
        turn = weights["turn"].tolist()
        out = {{"init_root_orient": [[turn] * T], "init_hand_pose": [[[turn] + [torch.eye(3).tolist()] * 14] * T],
               "init_trans": [[at] * T], "init_betas": [[[0.0] * 10] * T]}}
        os.makedirs(f"{{folder}}/cam_space/{{hand}}", exist_ok=True)
        with open(f"{{folder}}/cam_space/{{hand}}/{{frames[0]}}_{{frames[-1]}}.json", "w") as file:
            json.dump(out, file, indent=1)
    return chunks, args.img_focal
""",
    })  # fmt: skip
    checkpoint(folder / "weights/hawor/checkpoints/hawor.ckpt", {"state_dict": {"turn": torch.tensor(TURN)}})
    return config(folder)


def wilor(folder: Path) -> ToolConfig:
    """WiLoR: a detector with boxes and sides, a model that sees every hand as a right one."""
    write(folder, {
        "pretrained_models/detector.pt": "x", "mano_data/MANO_RIGHT.pkl": "x",
        "pretrained_models/model_config.yaml": "EXTRA: {FOCAL_LENGTH: 5000}\n", "wilor/__init__.py": "",
        "ultralytics.py": """
import numpy as np, torch
class _Boxes:
    def __init__(self, right):
        self.data, self.cls = torch.tensor([[10.0, 10, 40, 50, 0.8, right]]), torch.tensor([right])
class _Found:
    def __init__(self, right): self.boxes = _Boxes(right)
class YOLO:
    def __init__(self, path): open(path).close()
    def to(self, device): return self
    def __call__(self, image, conf, verbose):
        return [[_Found(1.0), _Found(0.0)] if image.mean() > 60 else []]
""",
        "wilor/datasets/__init__.py": "", "wilor/datasets/vitdet_dataset.py": """
import numpy as np
class ViTDetDataset:
    def __init__(self, cfg, image, boxes, right, rescale_factor=2.5):
        self.boxes, self.right, self.image = boxes, right, image
    def __len__(self): return len(self.right)
    def __getitem__(self, n):
        return {"right": np.float32(self.right[n]), "box_center": (self.boxes[n][:2] + self.boxes[n][2:]) / 2,
                "box_size": np.float32(80.0), "img_size": np.array(self.image.shape[1::-1], dtype=np.float64)}
""",
        "wilor/models/__init__.py": f"""
import torch, yaml
class Model(torch.nn.Module):
    def __init__(self, state):
        super().__init__()
        self.turn = torch.nn.Parameter(state["turn"].float())
    def forward(self, batch):
        n = len(batch["right"])
        fingers = torch.eye(3).repeat(n, 15, 1, 1)
        fingers[:, 0] = self.turn
        return {{"pred_cam": torch.tensor([[0.9, 0.1, 0.0]]).repeat(n, 1), "pred_keypoints_3d":
                torch.tensor({JOINTS.tolist()}).repeat(n, 1, 1), "pred_mano_params":
                {{"global_orient": self.turn.repeat(n, 1, 1, 1), "hand_pose": fingers, "betas": torch.zeros(n, 10)}}}}
class Node(dict):
    __getattr__ = dict.__getitem__
def load_wilor(checkpoint_path, cfg_path):
    settings = yaml.safe_load(open(cfg_path))
    state = torch.load(checkpoint_path, map_location="cpu", weights_only=True)["state_dict"]
    return Model(state), Node(EXTRA=Node(settings["EXTRA"]), MODEL=Node(IMAGE_SIZE=256))
""",
        "wilor/utils/__init__.py": """
def recursive_to(batch, device): return {k: v.to(device) for k, v in batch.items()}
""",
        "wilor/utils/renderer.py": """
import torch
def cam_crop_to_full(cam, center, size, img_size, focal):
    b = size * cam[:, 0] + 1e-9
    return torch.stack([2 * (center[:, 0] - img_size[:, 0] / 2) / b + cam[:, 1],
                        2 * (center[:, 1] - img_size[:, 1] / 2) / b + cam[:, 2], 2 * focal / b], dim=-1)
""",
    })  # fmt: skip
    checkpoint(folder / "pretrained_models/wilor_final.ckpt", {"state_dict": {"turn": torch.tensor(TURN)}})
    return config(folder)


FOCAL_SHARE, MOGE_M = 0.7, 1.5


def moge(folder: Path) -> ToolConfig:
    """MoGe-2: `model_config` and `model` in one file, read with weights only."""
    write(folder, {
        "moge/__init__.py": "", "moge/model/__init__.py": "", "moge/model/v2.py": """
from pathlib import Path
import torch
class MoGeModel(torch.nn.Module):
    def __init__(self, focal_share):
        super().__init__()
        self.focal_share, self.metres = focal_share, torch.nn.Parameter(torch.ones(1))
    @classmethod
    def from_pretrained(cls, path):
        assert Path(path).exists()
        found = torch.load(path, map_location="cpu", weights_only=True)
        model = cls(**found["model_config"])
        model.load_state_dict(found["model"], strict=False)
        return model
    def infer(self, image):
        assert image.dim() == 3 and image.shape[0] == 3 and 0 <= image.min() and image.max() <= 1
        _, h, w = image.shape
        mask = torch.ones(h, w, dtype=torch.bool)
        mask[0] = False
        depth = self.metres.detach() * torch.ones(h, w)
        K = torch.tensor([[self.focal_share, 0, 0.5], [0, self.focal_share * w / h, 0.5], [0, 0, 1]])
        return {"points": depth[..., None].repeat(1, 1, 3), "depth": depth, "mask": mask, "intrinsics": K}
""",
    })  # fmt: skip
    checkpoint(folder / "model.pt",
               {"model_config": {"focal_share": FOCAL_SHARE}, "model": {"metres": torch.tensor([MOGE_M])}})  # fmt: skip
    return config(folder)


def megasam(folder: Path) -> ToolConfig:
    """MegaSaM: `test_demo.py` with its options, `outputs/{scene}_droid.npz` below where it runs."""
    write(folder, {
        "base/droid_slam/droid.py": "SHRINK = 2\n",
        "camera_tracking_scripts/test_demo.py": """
import sys
sys.path.append("base/droid_slam")
import argparse, glob, os
from pathlib import Path
import numpy as np, torch
from droid import SHRINK
p = argparse.ArgumentParser()
for name in ("datapath", "weights", "scene_name", "mono_depth_path", "metric_depth_path"):
    p.add_argument("--" + name)
p.add_argument("--disable_vis", action="store_true")
args = p.parse_args()
step = float(torch.load(args.weights, weights_only=True)["step"])
images = sorted(glob.glob(os.path.join(args.datapath, "*.jpg")))
mono = sorted(glob.glob(f"{args.mono_depth_path}/{args.scene_name}/*.npy"))
metric = sorted(glob.glob(f"{args.metric_depth_path}/{args.scene_name}/*.npz"))
assert len(images) == len(mono) == len(metric)
depth, fov = np.load(metric[0])["depth"], float(np.load(metric[0])["fov"])
assert np.allclose(np.load(mono[0]), 1 / depth)
h, w = depth.shape[0] // SHRINK, depth.shape[1] // SHRINK
f = w / 2 / np.tan(np.radians(fov) / 2)
c2w = np.tile(np.eye(4), (len(images), 1, 1))
c2w[:, 0, 3] = 1.0 + step * np.arange(len(images))  # half a metre a unit, and not from the origin
Path("outputs").mkdir(parents=True, exist_ok=True)
np.savez(f"outputs/{args.scene_name}_droid.npz", images=np.zeros((len(images), h, w, 3), np.uint8),
         depths=np.full((len(images), h, w), 2 * depth[-1, -1], np.float32),
         intrinsic=np.array([[f, 0, w / 2], [0, f, h / 2], [0, 0, 1]]), cam_c2w=c2w)
""",
    })  # fmt: skip
    checkpoint(folder / "checkpoints/megasam_final.pth", {"step": torch.tensor(0.1)})
    return config(folder)


def droidcalib(folder: Path, printed: str = "") -> ToolConfig:
    """DroidCalib: `demo.py` with its options; the answer is what it prints."""
    write(folder, {
        "demo.py": f"""
import argparse, os
import torch
p = argparse.ArgumentParser()
for name in ("imagedir", "camera_model", "stride", "weights"):
    p.add_argument("--" + name)
p.add_argument("--opt_intr", action="store_true")
args = p.parse_args()
assert args.opt_intr and os.listdir(args.imagedir)
assert "module.update.weight" in torch.load(args.weights, weights_only=True)
print("#" * 32)
print("Initial intrinsics:")
print("fx = 80.0, fy = 80.0, ppx = 48.0, ppy = 32.0")
print({printed!r} or "Estimated intrinsics:")
xi = ", xi = 0.250" if args.camera_model == "mei" else ""
print("fx = 100.00, fy = 102.00, ppx = 47.50, ppy = 31.50" + xi)
""",
    })  # fmt: skip
    checkpoint(folder / "droidcalib.pth", {"module.update.weight": torch.zeros(2)})
    return config(folder)


def deepcalib(folder: Path) -> ToolConfig:
    """DeepCalib: Keras' weights file, and a Keras whose network answers what its weights say."""
    write(folder, {
        "tensorflow/__init__.py": "", "tensorflow/keras/__init__.py": "",
        "tensorflow/keras/applications/__init__.py": "",
        "tensorflow/keras/applications/imagenet_utils.py": """
def preprocess_input(batch): return batch[..., ::-1] - [103.939, 116.779, 123.68]
""",
        "tensorflow/keras/applications/inception_v3.py": """
class InceptionV3:
    def __init__(self, weights, include_top, input_tensor, input_shape):
        assert weights is None and not include_top and input_shape == (299, 299, 3)
        self.output = input_tensor
""",
        "tensorflow/keras/layers.py": """
def Input(shape, dtype, name): return ["in"]
def Flatten(name): return lambda x: x
def Dense(n, activation, name):
    assert n == 1 and activation == "sigmoid"
    return lambda x: name
""",
        "tensorflow/keras/models.py": """
import h5py, numpy as np
class Model:
    def __init__(self, inputs, outputs): self.outputs = outputs
    def load_weights(self, path):
        with h5py.File(path) as file:
            names = [name.decode() for name in file.attrs["layer_names"]]
            self.bias = [file[n][file[n].attrs["weight_names"][1].decode()][0] for n in self.outputs if n in names]
    def predict(self, batch):
        assert batch.shape == (1, 299, 299, 3) and batch.min() < -100
        return [np.array([[value]]) for value in self.bias]
""",
    })  # fmt: skip
    with h5py.File(folder / "weights.h5", "w") as file:
        names = ("output_focal", "output_distortion")
        file.attrs["layer_names"] = np.array(names, dtype="S")
        for name, bias in zip(names, (0.5, 0.25), strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/kernel:0", f"{name}/bias:0"], dtype="S")
            group.create_dataset(f"{name}/kernel:0", data=np.zeros((4, 1)))
            group.create_dataset(f"{name}/bias:0", data=[bias])
    return config(folder)


def broken_json(folder: Path) -> None:
    """What HaWoR's folder looks like after a crash while it wrote."""
    (folder / "cam_space/1").mkdir(parents=True)
    (folder / "cam_space/1/0_4.json").write_text(json.dumps({"init_trans": [[1.0]]})[:-3])
    write_tracks(folder, {})


def write_tracks(folder: Path, content: Any) -> None:
    """The pickled file of HaWoR's detector."""
    (folder / "tracks_0_5").mkdir(parents=True)
    np.save(folder / "tracks_0_5/model_tracks.npy", np.array(content, dtype=object), allow_pickle=True)

"""Runs DeepCalib's single regression network on images; started by the Python of its own environment (Keras).

The network is InceptionV3 without its top and two sigmoid outputs, focal length and distortion, on 299 x 299 images;
both outputs are scaled back as its authors do.
"""

import argparse
import os
import sys

FOCAL = (80.0, 301.0)
LARGEST_XI = 1.2
SIDE = 299


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    for name in ("frames", "checkpoint", "every", "out"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    try:
        import cv2
        import numpy as np
        from tensorflow.keras.applications.imagenet_utils import preprocess_input
        from tensorflow.keras.applications.inception_v3 import InceptionV3
        from tensorflow.keras.layers import Dense, Flatten, Input
        from tensorflow.keras.models import Model
    except ImportError as error:
        sys.stderr.write(str(error))
        sys.exit(3)
    image_in = Input(shape=(SIDE, SIDE, 3), dtype="float32", name="main_input")
    features = InceptionV3(weights=None, include_top=False, input_tensor=image_in, input_shape=(SIDE, SIDE, 3))
    flat = Flatten(name="phi-flattened")(features.output)
    outputs = [Dense(1, activation="sigmoid", name=name)(flat) for name in ("output_focal", "output_distortion")]
    model = Model(inputs=image_in, outputs=outputs)
    model.load_weights(asked.checkpoint)
    focal, xi = [], []
    names = sorted(os.listdir(asked.frames))
    for name in names[:: int(asked.every)]:
        rgb = np.asarray(cv2.imread(os.path.join(asked.frames, name)))[:, :, ::-1]
        side = min(rgb.shape[:2])
        top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
        square = np.ascontiguousarray(rgb[top : top + side, left : left + side])
        small = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        # Both normalisations one after the other: so was the network trained.
        batch = preprocess_input((small[None] / 255.0 - 0.5) * 2.0)
        told = model.predict(batch)
        focal.append(float(np.ravel(told[0])[0]) * (FOCAL[1] - FOCAL[0]) + FOCAL[0])
        xi.append(float(np.ravel(told[1])[0]) * LARGEST_XI)
    np.savez(asked.out, focal_px=np.array(focal), xi=np.array(xi))


if __name__ == "__main__":
    main()

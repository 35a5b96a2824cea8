"""The RealSense head camera and the frames of the calibration file."""

"""The robot in files and numbers: URDF, names, limits, calibration, kinematics, collision distances, command guards."""

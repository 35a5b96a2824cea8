"""The robot in Rerun: posture, camera, depth, paths, chunks and safety over time; live or from a bag."""

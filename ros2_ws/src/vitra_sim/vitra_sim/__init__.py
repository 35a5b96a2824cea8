"""The simulated robot: MuJoCo world, tasks, scripted expert, lockstep environment, real-time device doubles."""

import vitra_runtime  # noqa: F401  # Ctrl-C while the rest is imported ends quietly
from vitra_sim.scene.gl import choose_backend, load_triton_first

choose_backend()  # mujoco reads its backend from the environment at import
load_triton_first()

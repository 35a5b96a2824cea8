"""The simulated robot: MuJoCo world, tasks, scripted expert, lockstep environment, real-time device doubles."""

from vitra_sim.scene.gl import choose_backend

choose_backend()  # mujoco reads its backend from the environment at import

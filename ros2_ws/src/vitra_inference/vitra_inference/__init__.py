"""The policy node: assembles observations, runs a policy on them, publishes its chunks."""

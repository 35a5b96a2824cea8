"""Human input to hand action chunks: the path of the policy, with a person at its beginning."""

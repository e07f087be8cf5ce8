"""How we call Microsoft: sign-in, ARM, Resource Health, Compute, Graph, Partner Center."""

"""Benchmarks: the real host, Azurite and the sandbox as processes of their own, measured beside what is unavoidable."""

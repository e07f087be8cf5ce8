"""A Microsoft cloud on one machine: see docs/sandbox.md.

Imports nothing from shared/ or functions/ (host/ excepted).
"""

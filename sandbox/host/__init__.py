"""A stand-in for the Azure Functions host: runs function_app.py with real triggers on one machine."""

from sandbox.host.server import Host

__all__ = ["Host"]

"""The control API: what a test or a demo does to the simulated cloud from outside.

It listens at /_sandbox on the plain HTTP port, asks for no token, and meets no faults.
"""

from __future__ import annotations

from sandbox.control import azure, directory, events, inbox, world
from sandbox.wire import Service
from sandbox.world import Cloud


def service(cloud: Cloud) -> Service:
    """The control API as an ASGI application."""
    control = Service(cloud, "control", [], simulated=False)
    for module in (world, azure, directory, events, inbox):
        module.routes.add_to(control)
    return control

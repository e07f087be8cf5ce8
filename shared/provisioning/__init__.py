"""The enterprise application in each tenant: made step by step, verified, and removed again.

`steps` holds the steps, `worker` runs them for one tenant, `removal` undoes them, `requests` is what people ask for.
"""

from shared.provisioning.removal import (
    give_up_connection_removal,
    give_up_removal,
    run_connection_removal,
    run_removal,
)
from shared.provisioning.requests import sync, unsync
from shared.provisioning.worker import give_up, run

__all__ = [
    "give_up",
    "give_up_connection_removal",
    "give_up_removal",
    "run",
    "run_connection_removal",
    "run_removal",
    "sync",
    "unsync",
]

"""How long a new process takes to import the application, beside an empty Functions app with FastAPI.

Each import runs in a process of its own, the two by turns; bytecode is written once and then read, as after an
installation. The figure is processor time, which other work on the machine disturbs least, and the least of all runs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 3.0
ROUNDS = 7
FLOOR = """
import azure.functions as func
from fastapi import FastAPI

api = FastAPI()


@api.get("/api/hello")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


app = func.AsgiFunctionApp(app=api, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
TIMED = """
import sys, time
before = len(sys.modules)
began = time.process_time()
import {module}
print(time.process_time() - began, len(sys.modules) - before)
"""


def imported(module: str, path: Path, bytecode: Path) -> tuple[float, int]:
    """Processor seconds of importing a module of a folder in a new process, and how many modules that loads."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    ran = subprocess.run(
        [sys.executable, "-c", TIMED.format(module=module)],
        cwd=path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    seconds, modules = ran.stdout.split()
    return float(seconds), int(modules)


def measure(rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of both, least and median, the number of modules that each loads, and the ratio of the least."""
    with tempfile.TemporaryDirectory() as place:
        empty, bytecode = Path(place) / "empty", Path(place) / "bytecode"
        empty.mkdir()
        (empty / "empty_app.py").write_text(FLOOR)
        both = {"floor": ("empty_app", empty), "application": ("function_app", ROOT)}
        for module, path in both.values():
            imported(module, path, bytecode)
        runs = [{name: imported(*what, bytecode) for name, what in both.items()} for _ in range(rounds)]
    found: dict[str, float] = {}
    for name in both:
        seconds = [run[name][0] for run in runs]
        found[f"{name}Ms"] = round(min(seconds) * 1000)
        found[f"{name}MedianMs"] = round(statistics.median(seconds) * 1000)
        found[f"{name}Modules"] = runs[0][name][1]
    found["ratio"] = round(found["applicationMs"] / found["floorMs"], 2)
    return found


def table(found: dict[str, float]) -> str:
    """The results for people."""
    return (
        f"import of the application: {found['applicationMs']} ms, {found['applicationModules']} modules;"
        f" of an empty one: {found['floorMs']} ms, {found['floorModules']} modules; ratio {found['ratio']}"
    )


def failures(found: dict[str, float]) -> list[str]:
    """Which limit is passed, in words."""
    if found["ratio"] <= LIMIT:
        return []
    return [f"import: {found['ratio']} times that of an empty application, at most {LIMIT}"]

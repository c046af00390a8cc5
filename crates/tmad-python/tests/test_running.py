"""Threads, processes, signals, progress and memory."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import tmad
from conftest import scene, square_hole

HERE = Path(__file__).parent
MASK = square_hole()
#: Work of a second or so, in short steps.
LARGE, LARGE_MASK = scene(900, 900), square_hole(900, 900, 420)


def test_progress_rises_to_the_end_on_the_calling_thread() -> None:
    reports: list[tuple[float, str, threading.Thread]] = []
    tmad.inpaint(
        scene(), MASK, progress=lambda d, s: reports.append((d, s, threading.current_thread()))
    )
    done = [report[0] for report in reports]
    assert len(done) > 2 and done == sorted(done) and done[-1] == 1.0
    assert all(stage for _, stage, _ in reports)
    assert {thread for _, _, thread in reports} == {threading.current_thread()}


def test_an_exception_in_progress_ends_the_work() -> None:
    def stop(done: float, stage: str) -> None:
        raise RuntimeError(f"enough at {stage}")

    start = time.monotonic()
    with pytest.raises(RuntimeError, match="enough"):
        tmad.inpaint(LARGE, LARGE_MASK, progress=stop)
    stopped = time.monotonic() - start
    start = time.monotonic()
    tmad.inpaint(LARGE, LARGE_MASK)
    assert stopped < 0.7 * (time.monotonic() - start)


def test_two_threads_overlap_in_time() -> None:
    inpainter = tmad.Inpainter()
    meeting = threading.Barrier(2, timeout=60)
    met: set[int] = set()

    def meet(done: float, stage: str) -> None:
        # Both calls have begun and neither has ended: otherwise the barrier breaks.
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            meeting.wait()

    with ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(lambda _: inpainter.inpaint(scene(), MASK, progress=meet), range(2))
        )
    assert len(met) == 2
    assert (results[0] == results[1]).all()


def test_python_runs_meanwhile() -> None:
    ticks = 0
    ended = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not ended.wait(0.005):
            ticks += 1

    ticker = threading.Thread(target=tick)
    ticker.start()
    tmad.inpaint(LARGE, LARGE_MASK)
    ended.set()
    ticker.join()
    assert ticks > 10


def run(code: str, *flags: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, in which a hang is a failure."""
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child alone")
def test_ctrl_c_interrupts() -> None:
    code = """
import os, signal, threading, time, tmad
from test_running import LARGE, LARGE_MASK, MASK, scene
# Whoever starts tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
tmad.inpaint(scene(), MASK)
begun = threading.Event()
def interrupt():
    begun.wait()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
ends = []
try:
    tmad.inpaint(LARGE, LARGE_MASK, progress=lambda done, stage: (ends.append(done), begun.set()))
except KeyboardInterrupt:
    assert ends[-1] < 1, ends
    print("interrupted")
tmad.inpaint(scene(), MASK)
"""
    done = run(code)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


#: Works in the parent before the pool's processes start, and while they do.
PROCESSES = """
import multiprocessing, threading, numpy as np, tmad
from test_running import LARGE, LARGE_MASK, MASK, scene

def fill(inpainter):
    return inpainter.inpaint(scene(), MASK), tmad.inpaint(scene(), MASK)

if __name__ == "__main__":
    inpainter = tmad.Inpainter()
    expected = inpainter.inpaint(scene(), MASK)
    begun = threading.Event()
    busy = threading.Thread(
        target=lambda: tmad.inpaint(LARGE, LARGE_MASK, progress=lambda *_: begun.set())
    )
    busy.start()
    begun.wait()
    with multiprocessing.get_context("{start}").Pool(2) as pool:
        for ours, theirs in pool.map(fill, [inpainter] * 4):
            assert (ours == expected).all() and (theirs == expected).all()
    busy.join()
    assert (inpainter.inpaint(scene(), MASK) == expected).all()
    print("equal")
"""


@pytest.mark.parametrize("start", ["spawn", "fork", "forkserver"])
@pytest.mark.skipif(os.name == "nt", reason="Windows has spawn only, which needs a file there")
def test_processes(start: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROCESSES.replace("{start}", start))
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr


def test_a_fork_in_the_middle_of_a_call_fails_and_does_not_hang() -> None:
    code = """
import os, sys, tmad
from test_running import MASK, scene
child = None
def fork(done, stage):
    global child
    if child is None:
        child = os.fork()
try:
    tmad.inpaint(scene(), MASK, progress=fork)
except RuntimeError as error:
    assert child == 0 and "forked" in str(error)
    os._exit(7)
assert child and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print("both")
"""
    done = run(code, "-W", "ignore")
    assert (done.returncode, done.stdout) == (0, "both\n"), done.stderr


def test_an_inpainter_travels_with_its_weights(tmp_path: Path) -> None:
    for inpainter in (tmad.Inpainter(), tmad.Inpainter(method="telea", radius_px=9)):
        copy = pickle.loads(pickle.dumps(inpainter))
        assert (copy.inpaint(scene(), MASK) == inpainter.inpaint(scene(), MASK)).all()
    assert len(pickle.dumps(tmad.Inpainter())) < 200
    # Whoever holds bytes needs no file.
    weights = HERE.parents[1] / "tmad" / "weights" / "tmad.safetensors"
    file = tmp_path / "weights.safetensors"
    file.write_bytes(weights.read_bytes())
    inpainter = tmad.Inpainter(file)
    file.unlink()
    copy = pickle.loads(pickle.dumps(inpainter))
    assert (copy.inpaint(scene(), MASK) == tmad.inpaint(scene(), MASK)).all()


def test_memory_does_not_grow() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("the system does not tell a process's memory")
    picture, mask = scene(256, 256), square_hole(256, 256, 12)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(20):
        tmad.inpaint(picture, mask)
    before = resident()
    for _ in range(200):
        tmad.inpaint(picture, mask)
    # A leak of one picture per call would be 39 MB.
    assert resident() - before < 16 << 20

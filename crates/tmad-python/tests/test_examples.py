"""The examples, with the shapes that their tools use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tmad
from conftest import scene, square_hole
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
MASK = square_hole()


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)


def test_the_node_of_comfyui() -> None:
    torch = pytest.importorskip("torch")
    from comfyui_node import NODE_CLASS_MAPPINGS

    kind = NODE_CLASS_MAPPINGS["TMadInpaint"]
    assert set(kind.INPUT_TYPES()["required"]) == {"image", "mask", "seed", "grow"}
    image = torch.from_numpy(np.stack([scene(seed=seed) for seed in (0, 1)])).float() / 255
    image[0, 0, 0, 0] = 0.12345
    mask = torch.from_numpy(MASK).float()
    for masks in (mask, mask[None], torch.stack([mask, mask])):
        (filled,) = getattr(kind(), kind.FUNCTION)(image, masks)
        assert (filled.shape, filled.dtype) == (image.shape, image.dtype)
        assert torch.equal(filled[:, ~torch.from_numpy(MASK)], image[:, ~torch.from_numpy(MASK)])
        expected = tmad.inpaint(scene(seed=1), MASK)
        assert ((filled[1] * 255).round().numpy().astype(np.uint8) == expected).all()


def test_the_filling_before_diffusion() -> None:
    from diffusers_prefill import prefill

    expected = tmad.inpaint(scene(), MASK)
    image = Image.fromarray(scene())
    assert (np.asarray(prefill(image, Image.fromarray(MASK))) == expected).all()
    values = scene().astype(np.float32) / 255
    filled = prefill(values, MASK.astype(np.float32))
    assert filled.dtype == np.float32 and (filled[~MASK] == values[~MASK]).all()
    assert ((filled * 255).round().astype(np.uint8) == expected).all()


def test_the_filling_of_tensors_before_diffusion() -> None:
    torch = pytest.importorskip("torch")
    from diffusers_prefill import prefill

    image = torch.from_numpy(scene()).permute(2, 0, 1)[None].float() / 127.5 - 1
    mask = torch.from_numpy(MASK)[None, None].float()
    for kind in (torch.float32, torch.float16):
        filled = prefill(image.to(kind), mask.to(kind))
        assert (filled.shape, filled.dtype) == (image.shape, kind)
        difference = (filled.float() + 1) * 127.5 - torch.from_numpy(
            tmad.inpaint(scene(), MASK)
        ).permute(2, 0, 1)
        # Half precision has steps of up to 2⁻¹¹ below 1, a 16th of a level.
        assert difference.abs().max() < 0.07


def workers() -> list[int]:
    """The processes of Ray's pool that descend from this one."""
    parents, found = {}, []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                name = (folder / "cmdline").read_bytes()
                parents[int(folder.name)] = int(
                    (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
                )
            except OSError:
                continue
            if name.startswith(b"ray::") and b"MapBatches(Filler)" in name:
                found.append(int(folder.name))

    def is_ours(process: int) -> bool:
        while process > 1:
            if process == os.getpid():
                return True
            process = parents.get(process, 0)
        return False

    return [process for process in found if is_ours(process)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc")
@pytest.mark.filterwarnings("ignore")
def test_ray_fills_a_folder_and_survives_the_loss_of_a_worker(
    tmp_path: Path, command_line: Callable[..., None]
) -> None:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for i in range(24):
        kind = "jpg" if i % 3 == 0 else "png"
        Image.fromarray(scene(seed=i)).save(tmp_path / "photos" / f"{i:02}.{kind}")
        Image.fromarray(MASK).convert("L").save(tmp_path / "masks" / f"{i:02}.png")
    (tmp_path / "photos" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "bad.png").write_bytes(b"no picture")
    results = tmp_path / "clean"
    killed: list[int] = []

    def kill_one() -> None:
        while not killed and not ended.wait(0.02):
            if any(results.glob("*.*")) and (processes := workers()):
                os.kill(processes[0], signal.SIGKILL)
                killed.append(processes[0])

    ended = threading.Event()
    killer = threading.Thread(target=kill_one)
    ray.init(
        num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": str(EXAMPLES)}}
    )
    try:
        from ray_folder import fill_folder

        killer.start()
        start = time.monotonic()
        failed = fill_folder(*(str(tmp_path / f) for f in ("photos", "masks", "clean")), workers=2)
        print(f"24 pictures in {time.monotonic() - start:.1f} s, with the loss of a worker")
    finally:
        ended.set()
        killer.join()
        ray.shutdown()
    assert killed, "the work ended before a worker could be killed"
    assert len(failed) == 1 and "bad.png" in failed[0]
    (tmp_path / "photos" / "bad.png").unlink()
    expected = tmp_path / "expected"
    command_line("inpaint", tmp_path / "photos", "--mask", tmp_path / "masks", "-o", expected)
    names = sorted(path.name for path in expected.iterdir())
    assert names == sorted(path.name for path in results.iterdir()) and len(names) == 24
    for name in names:
        assert (results / name).read_bytes() == (expected / name).read_bytes(), name


def test_ray_s_example_explains_itself() -> None:
    pytest.importorskip("ray.data")
    script = [sys.executable, EXAMPLES / "ray_folder.py", "--help"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert "--workers" in done.stdout

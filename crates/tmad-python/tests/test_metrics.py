"""Metrics against values that can be computed by hand or in NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import scene, square_hole
from PIL import Image
from tmad import metrics

MASK = square_hole()
A, B = scene(seed=1), scene(seed=2)


@pytest.mark.parametrize("mask", [None, MASK], ids=["picture", "hole"])
def test_differences_equal_numpy(mask: np.ndarray | None) -> None:
    a, b = (A, B) if mask is None else (A[mask], B[mask])
    difference = (a.astype(float) - b.astype(float)) / 255
    assert metrics.l1(A, B, mask) == pytest.approx(100 * np.abs(difference).mean(), rel=1e-12)
    expected = -10 * np.log10((difference**2).mean())
    assert metrics.psnr(A, B, mask) == pytest.approx(expected, rel=1e-12)


def test_total_variation_equals_numpy() -> None:
    values = A.astype(float) / 255
    across = np.abs(np.diff(values, axis=1)).mean()
    down = np.abs(np.diff(values, axis=0)).mean()
    assert metrics.tv(A) == pytest.approx(100 * (across + down), rel=1e-9)
    assert metrics.tv_picnet(A) > metrics.tv_picnet(A // 2) > 0


def test_kinds_of_pictures_count_alike() -> None:
    assert metrics.ssim(Image.fromarray(A), Image.fromarray(B), MASK) == metrics.ssim(A, B, MASK)
    grey = A[..., 0]
    assert metrics.psnr(grey, B[..., 0]) == metrics.psnr(
        *(np.stack([p[..., 0]] * 3, 2) for p in (A, B))
    )
    with pytest.raises(ValueError, match=r"160×100.*160×120"):
        metrics.psnr(A, B[:100])
    with pytest.raises(ValueError, match="no pixel"):
        metrics.psnr(A, B, np.zeros((120, 160), bool))


def test_texture_of_sets() -> None:
    one, two = metrics.swd(A, B, MASK), metrics.swd([A, B], [B, A], [MASK, MASK])
    # The set is the same on both sides, however its pairs differ.
    assert two < 0.5 * one
    with pytest.raises(ValueError, match="2 pictures, 1 to compare"):
        metrics.swd([A, B], [A])


def test_distances_of_features() -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(40, 5)), random.normal(1, 2, size=(50, 5))
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    eigenvalues = np.linalg.eigvals(np.cov(a.T) @ np.cov(b.T))
    trace = np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * np.sqrt(eigenvalues).sum().real
    assert metrics.fid(a, b) == pytest.approx(mean + trace, rel=1e-9)
    assert metrics.fid(a[:, ::-1], b[:, ::-1]) == pytest.approx(mean + trace, rel=1e-9)
    with pytest.raises(ValueError, match="two or more rows"):
        metrics.fid(a, b[:, :3])
    with pytest.raises(ValueError, match="as many of both"):
        metrics.p_ids(a, b)


def save(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """A safetensors file."""
    header, at = {}, 0
    for name, tensor in tensors.items():
        end = at + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    data = b"".join(tensor.tobytes() for tensor in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def test_lpips_of_given_weights(tmp_path: Path) -> None:
    random = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)

    layers = [
        (0, 64, 3, 11),
        (3, 192, 64, 5),
        (6, 384, 192, 3),
        (8, 256, 384, 3),
        (10, 256, 256, 3),
    ]
    network, linear = {}, {}
    for i, (at, out, into, side) in enumerate(layers):
        network[f"features.{at}.weight"] = weights(out, into, side, side)
        network[f"features.{at}.bias"] = np.zeros(out, np.float32)
        linear[f"lin{i}.weight"] = np.full((1, out, 1, 1), 0.5, np.float32)
    save(tmp_path / "alexnet.safetensors", network)
    save(tmp_path / "lpips_alex_v0_1.safetensors", linear)

    def lpips(a: np.ndarray, b: np.ndarray) -> float:
        return metrics.lpips(a, b, weights=tmp_path, network="alex")

    assert lpips(A, A) == 0
    assert lpips(A, B) == lpips(B, A) > 0
    # Features are scaled to length 1, so each of the five parts is at most 2 with these weights.
    assert lpips(A, 255 - A) < 10
    with pytest.raises(ValueError, match="31"):
        lpips(A[:30], B[:30])
    with pytest.raises(ValueError, match="network is 'lenet'"):
        metrics.lpips(A, B, weights=tmp_path, network="lenet")  # type: ignore[arg-type]


def test_metrics_equal_those_of_the_command(
    tmp_path: Path, command_line: Callable[..., None]
) -> None:
    truth = scene(96, 96)
    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(truth).save(data / "a.png")
    report = tmp_path / "report"
    command_line(
        "eval", "--data", data, "--protocol", "centre", "--size", 96, "--methods", "telea",
        "--out", report, "--save-images",
    )  # fmt: skip
    line = next(iter((report / "results.jsonl").read_text().splitlines()))
    scores = json.loads(line)
    scores = scores.get("metrics", scores)
    result = np.asarray(Image.open(next((report / "results").rglob("a.png"))))
    mask = np.asarray(Image.open(report / "masks" / "a.png").convert("L")) > 0
    for name, function in (("l1", metrics.l1), ("psnr", metrics.psnr), ("ssim", metrics.ssim)):
        assert function(truth, result, mask) == pytest.approx(scores[f"{name}_hole"], rel=1e-12)
        assert function(truth, result) == pytest.approx(scores[f"{name}_image"], rel=1e-12)
    assert metrics.tv(result, mask) == pytest.approx(scores["tv_hole"], rel=1e-12)
    assert metrics.tv_picnet(result) == pytest.approx(scores["tv_picnet_image"], rel=1e-12)

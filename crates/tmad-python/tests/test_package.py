"""The package as people get it: documentation, types, warnings."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import tmad
from conftest import scene, square_hole
from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MODULES = [tmad] + [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(tmad.__path__, "tmad.")
    if module.name != "tmad._native"
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_doctests(module: object) -> None:
    failures, _ = doctest.testmod(module)  # type: ignore[arg-type]
    assert failures == 0


def public() -> list[tuple[str, object]]:
    found = []
    for module in MODULES:
        if any(part.startswith("_") for part in module.__name__.split(".")):
            continue
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            found.append((f"{module.__name__}.{name}", value))
            if inspect.isclass(value):
                found += [
                    (f"{module.__name__}.{name}.{member}", getattr(value, member))
                    for member, what in vars(value).items()
                    if not member.startswith("_") and (callable(what) or isinstance(what, property))
                ]
    return found


@pytest.mark.parametrize(("name", "value"), public())
def test_everything_public_has_an_example(name: str, value: object) -> None:
    text = inspect.getdoc(value) or ""
    if inspect.isclass(value) and not text.count(">>>"):
        text = "".join(inspect.getdoc(member) or "" for member in vars(value).values())
    assert ">>>" in text, name


def test_importing_needs_numpy_alone_and_warns_of_nothing() -> None:
    code = "import sys, tmad; assert not {'PIL', 'torch', 'cv2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_stubs_say_what_the_module_has() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "tmad._native", "--concise"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "-p", "tmad"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("readme", [ROOT / "README.md", HERE.parent / "README.md"], ids=str)
def test_the_example_of_the_readme_runs(
    readme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, rest = readme.read_text(encoding="utf-8").partition("```python\n")
    code, _, _ = rest.partition("```")
    assert "tmad.inpaint(" in code
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene()).save("photo.jpg")
    Image.fromarray(square_hole()).convert("L").save("mask.png")
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    with Image.open("out.png") as result:
        assert result.size == (160, 120)

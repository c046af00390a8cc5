"""Fills the holes of a folder or a bucket of pictures over a Ray cluster.

    pip install "ray[data]" tmad
    python ray_folder.py photos masks clean --workers 8

Photos, masks and results are folders that every machine sees, or URLs (s3://…, gs://…). The mask of
a.jpg is called a.png; results have the names and formats of the photos. Each worker holds one
Inpainter. Ray starts lost workers again and repeats what they were doing, and a picture that is
filled twice is the same picture.
"""

from __future__ import annotations

import argparse
import os
from pathlib import PurePosixPath
from typing import Any

import pyarrow.fs
import ray
import ray.data
import tmad


def open_folder(url: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system that a folder lies in, and its path there."""
    if "://" in url:
        return pyarrow.fs.FileSystem.from_uri(url)
    return pyarrow.fs.LocalFileSystem(), os.path.abspath(url)


class Filler:
    """A worker: reads the mask, fills the photo, writes the result."""

    def __init__(self, masks: str, results: str, threads: int) -> None:
        self.inpainter = tmad.Inpainter()
        self.masks, self.results, self.threads = open_folder(masks), open_folder(results), threads

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        paths = [str(path) for path in batch["path"]]
        errors = [self.fill(*photo) for photo in zip(paths, batch["bytes"], strict=True)]
        return {"path": paths, "error": errors}

    def fill(self, path: str, photo: bytes) -> str:
        """Fills one photo; returns what is wrong with it, so that the others go on."""
        try:
            fs, folder = self.masks
            with fs.open_input_file(f"{folder}/{PurePosixPath(path).stem}.png") as file:
                mask = file.read()
            filled = self.inpainter.inpaint_bytes(photo, mask, threads=self.threads)
            fs, folder = self.results
            with fs.open_output_stream(f"{folder}/{PurePosixPath(path).name}") as file:
                file.write(filled)
        except (OSError, ValueError) as error:
            return str(error)
        return ""


def fill_folder(photos: str, masks: str, results: str, workers: int, threads: int = 1) -> list[str]:
    """Fills all photos; returns a line for each that failed."""
    fs, folder = open_folder(results)
    fs.create_dir(folder, recursive=True)
    rows = ray.data.read_binary_files(photos, include_paths=True).map_batches(
        Filler,
        fn_constructor_args=(masks, results, threads),
        batch_size=4,
        num_cpus=threads,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    return [f"{row['path']}: {row['error']}" for row in rows.iter_rows() if row["error"]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("photos", "masks", "results"):
        parser.add_argument(name)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each worker")
    args = parser.parse_args()
    failed = fill_folder(args.photos, args.masks, args.results, args.workers, args.threads)
    raise SystemExit("\n".join(failed) or None)

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
import ray.data
import tmad

#: Pictures that a worker is given at a time, and that are filled again if it is lost.
BATCH = 4


def open_folder(url: str) -> tuple[pyarrow.fs.FileSystem, str]:
    """The file system that a folder lies in, and its path there."""
    if "://" in url:
        return pyarrow.fs.FileSystem.from_uri(url)
    return pyarrow.fs.LocalFileSystem(), os.path.abspath(url)


class Filler:
    """A worker: reads photo and mask, fills the hole, writes the result."""

    def __init__(self, photos: str, masks: str, results: str, threads: int) -> None:
        self.inpainter = tmad.Inpainter()
        self.photos, self.masks, self.results = map(open_folder, (photos, masks, results))
        self.threads = threads

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        names = [str(name) for name in batch["name"]]
        return {"name": names, "error": [self.fill(name) for name in names]}

    def fill(self, name: str) -> str:
        """Fills one photo; returns what is wrong with it, so that the others go on."""
        try:
            photo = read(self.photos, name)
            mask = read(self.masks, f"{PurePosixPath(name).stem}.png")
            filled = self.inpainter.inpaint_bytes(photo, mask, threads=self.threads)
            fs, folder = self.results
            with fs.open_output_stream(f"{folder}/{name}") as file:
                file.write(filled)
        except (OSError, ValueError) as error:
            return str(error)
        return ""


def read(place: tuple[pyarrow.fs.FileSystem, str], name: str) -> bytes:
    """A file's bytes."""
    fs, folder = place
    with fs.open_input_file(f"{folder}/{name}") as file:
        return file.read()


def fill_folder(photos: str, masks: str, results: str, workers: int, threads: int = 1) -> list[str]:
    """Fills all photos; returns a line for each that failed."""
    fs, folder = open_folder(results)
    fs.create_dir(folder, recursive=True)
    fs, folder = open_folder(photos)
    files = fs.get_file_info(pyarrow.fs.FileSelector(folder))
    names = sorted(file.base_name for file in files if file.is_file)
    if not names:
        return []
    # Only names travel: reading by tasks of Ray's would need processors besides the workers'.
    items = [{"name": name} for name in names]
    rows = ray.data.from_items(items, override_num_blocks=-(-len(names) // BATCH)).map_batches(
        Filler,
        fn_constructor_args=(photos, masks, results, threads),
        batch_size=None,
        num_cpus=threads,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    return [f"{row['name']}: {row['error']}" for row in rows.iter_rows() if row["error"]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("photos", "masks", "results"):
        parser.add_argument(name)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each worker")
    args = parser.parse_args()
    failed = fill_folder(args.photos, args.masks, args.results, args.workers, args.threads)
    raise SystemExit("\n".join(failed) or None)

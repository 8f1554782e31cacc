"""Pairs to train on and to measure with."""

from __future__ import annotations

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_datasets() -> Iterator[Spec]:
    yield Spec("pairs/folder", "rrframe_datasets.folder:Folder", "Two folders of pictures, degraded and clean.")
    yield Spec("pairs/on-the-fly", "rrframe_datasets.on_the_fly:OnTheFly", "Pairs made as they are read, by a recipe.")
    yield Spec("pairs/parquet", "rrframe_datasets.parquet:Parquet", "Pairs in Parquet files, as datasets writes them.")
    yield Spec("pairs/webdataset", "rrframe_datasets.webdataset:Shards", "The pairs that a synthesis run wrote.")

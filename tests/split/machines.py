"""Machines, traces and clusters for tests: made up ones, and those of the reference runs."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path

import numpy as np

from aiplan.catalog.loader import Catalog
from aiplan.planners.split.offers import DecodeModel, Offer, profile_offer
from aiplan.planners.split.replay import Cluster, Machine

KINDS = {"b": ("mixed",), "a": ("prompt",), "h": ("prompt",)}


def steady(prompt_s_per_token: float = 1e-4, step_s: float = 0.02, slope: float = 0.0, room: float = 1e6,
           link: float = 1e6, base_s: float = 0.01, context: float = 0.0) -> Machine:  # fmt: skip
    """A machine whose times are straight lines."""
    return Machine(
        "steady",
        base_s + prompt_s_per_token * np.arange(4097),
        step_s + slope * np.arange(513),
        np.full(513, context),
        room,
        link,
        4.0,
    )


@cache
def offer(model: str, machine: str, decode_model: DecodeModel = "simcompat") -> Offer:
    profile = {"bloom-176b": "splitwise-bloom-176b", "llama2-70b": "splitwise-llama2-70b"}[model]
    return profile_offer(Catalog(), profile, machine, decode_model, most_tokens=20_000)


def cluster_of(kind: str, model: str, prompts: int, tokens: int, decode_model: DecodeModel = "simcompat") -> Cluster:
    """A cluster by the reference's short name: ba, bh unsplit, aa, hh, ha split."""
    names = {"a": "dgx-a100", "h": "dgx-h100", "c": "dgx-h100-pcap"}
    if kind[0] == "b":
        return Cluster(mixed=((offer(model, names[kind[1]], decode_model).machine, prompts),))
    first, second = (offer(model, names[letter], decode_model).machine for letter in kind)
    return Cluster(prompt=((first, prompts),), token=((second, tokens),))


def trace_of(data: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrival times, prompts and answers of a trace of the reference runs."""
    with gzip.open(data / "splitwise" / "traces" / f"{name}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    return (
        np.array([float(row["arrival_timestamp"]) for row in rows]),
        np.array([int(row["prompt_size"]) for row in rows]),
        np.array([int(row["token_size"]) for row in rows]),
    )

"""Stores that xpad wrote before the steps of a model had a node each."""

from __future__ import annotations

from typing import Any

from xpad.storage.trees import Nodes


def from_version_1(nodes: Nodes, provenance: dict[str, Any]) -> Nodes:
    """The nodes of version 2: the clusters' are two, and what stands for missing bins is the encoder's.

    `provenance` loses what is no longer there: the axes that vary.
    """
    grid, clusters = nodes["/grid"], nodes["/clusters"]
    fill = (
        grid[["fill"]].drop_vars(["energy", "pitch_angle"], errors="ignore").drop_attrs(deep=False)
    )
    encoder = nodes.get("/encoder")
    return {
        "/grid": grid.drop_vars("fill").assign_attrs(
            varying=" ".join(provenance.pop("varying", []))
        ),
        "/encoder": fill if encoder is None else encoder.assign(fill=fill.fill),
        "/components": nodes["/components"],
        "/k": clusters[["modes"]],
        "/labeller": clusters[["centres", "counts"]].drop_attrs(deep=False),
        "/history": nodes["/history"],
    }

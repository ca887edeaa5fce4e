"""Layout of graphs whose boxes lie in groups, and groups in groups.

Each group is laid out by itself and is then one box of the group around it, so that frames hold what
they should and never overlap. Edges that cross a frame meet at one point of it, as at a door.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from platform_ops.sphinx_ext.graphics.layout import Box, Layout, Line, arrange

__all__ = ["nested"]

_IN: Final = "\0in"
_OUT: Final = "\0out"
_PAD = 20.0
_TITLE = 18.0  # above what a frame holds

Edge = tuple[str, str]


def nested(
    sizes: Mapping[str, tuple[float, float]],
    edges: Iterable[Edge],
    groups: Mapping[str, str],
    around: Mapping[str, str],
    *,
    downwards: bool = False,
) -> Layout:
    """Place boxes and the frames around them.

    :param groups: Each group, and the one around it; empty for none.
    :param around: The group that a box lies in, where it lies in one.
    """
    graph = _Graph(sizes, [edge for edge in edges if set(edge) <= sizes.keys()], groups, around)
    return graph.layout("", downwards=downwards)


@dataclass(frozen=True, slots=True)
class _Graph:
    sizes: Mapping[str, tuple[float, float]]
    edges: list[Edge]
    groups: Mapping[str, str]
    around: Mapping[str, str]
    inside: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for name in self.sizes:
            self.inside[self.around.get(name, "")].append(name)
        for name, parent in self.groups.items():
            self.inside[parent].append(name)

    def layout(self, group: str, *, downwards: bool) -> Layout:
        """One group with all that is in it, its own upper left corner at the origin."""
        below = {
            name: self.layout(name, downwards=downwards)
            for name in self.inside[group]
            if name in self.groups
        }
        sizes = {
            name: (below[name].width, below[name].height) if name in below else self.sizes[name]
            for name in self.inside[group]
        }
        edges = list(dict.fromkeys(self._seen_from(group)))
        doors = [door for door in (_IN, _OUT) if any(door in edge for edge in edges)]
        sizes |= dict.fromkeys(doors, (0.0, 0.0))
        flat = arrange(sizes, edges, downwards=downwards, last=[_OUT] if _OUT in doors else [])
        placed = _filled(flat, below)
        return _framed(placed, group, downwards=downwards) if group else placed

    def _seen_from(self, group: str) -> Iterator[Edge]:
        """Edges between what lies directly in a group, and to its doors."""
        for source, target in self.edges:
            one, other = self._child(group, source), self._child(group, target)
            if one != other and (one or other):
                yield one or _IN, other or _OUT

    def _child(self, group: str, name: str) -> str:
        """What lies directly in the group and holds the box; empty where it lies elsewhere."""
        parent = self.around.get(name, "")
        while parent != group:
            if not parent:
                return ""
            name, parent = parent, self.groups.get(parent, "")
        return name


def _filled(flat: Layout, below: Mapping[str, Layout]) -> Layout:
    """Put the inner layouts where their frames came to stand."""
    boxes: list[Box] = []
    frames: list[Box] = []
    lines: list[Line] = []
    for line in flat.lines:
        ends = line.target not in below and line.target != _OUT
        lines.append(replace(line, arrow=ends))
    for box in flat.boxes:
        inner = below.get(box.name)
        if inner is None:
            boxes += [] if box.name in (_IN, _OUT) else [box]
            continue
        frames.append(box)
        frames += [_moved(each, box.x, box.y) for each in inner.frames]
        boxes += [_moved(each, box.x, box.y) for each in inner.boxes]
        lines += [_moved_line(each, box.x, box.y) for each in inner.lines]
    return Layout(flat.width, flat.height, tuple(boxes), tuple(lines), tuple(frames))


def _framed(layout: Layout, group: str, *, downwards: bool) -> Layout:
    """Room for the frame and its title; lines to a door go on to the middle of the frame's side."""
    width, height = layout.width + 2 * _PAD, layout.height + 2 * _PAD + _TITLE
    enters = (width / 2, 0.0) if downwards else (0.0, height / 2)
    leaves = (width / 2, height) if downwards else (width, height / 2)
    lines = []
    for each in layout.lines:
        line = _moved_line(each, _PAD, _PAD + _TITLE)
        if line.source == _IN:
            line = replace(line, source=group, points=(enters, *line.points))
        if line.target == _OUT:
            line = replace(line, target=group, points=(*line.points, leaves))
        lines.append(line)
    return Layout(
        width,
        height,
        tuple(_moved(each, _PAD, _PAD + _TITLE) for each in layout.boxes),
        tuple(lines),
        tuple(_moved(each, _PAD, _PAD + _TITLE) for each in layout.frames),
    )


def _moved(box: Box, x: float, y: float) -> Box:
    return replace(box, x=box.x + x, y=box.y + y)


def _moved_line(line: Line, x: float, y: float) -> Line:
    return replace(line, points=tuple((one + x, other + y) for one, other in line.points))

"""A small layered layout for directed graphs: where boxes stand, and how lines run.

Boxes are put into layers by their longest path from a start, long edges get a waypoint in each
layer that they cross, and a few sweeps order each layer by the mean place of its neighbours.
Nothing here knows what a box means, nor how it is drawn.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

__all__ = ["Box", "Layout", "Line", "arrange"]

_SWEEPS = 8
_GAP_ALONG = 48.0  # between layers
_GAP_ACROSS = 22.0  # between neighbours in a layer
_WAYPOINT = 6.0


@dataclass(frozen=True, slots=True)
class Box:
    """One box, by its upper left corner."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """One edge, or a stretch of one, with the points that it runs through.

    :param arrow: Whether it ends at a box; a stretch that another one continues has no head.
    """

    source: str
    target: str
    points: tuple[tuple[float, float], ...]
    arrow: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything placed, inside a canvas of this size."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    frames: tuple[Box, ...] = ()


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    edges: Iterable[tuple[str, str]],
    *,
    downwards: bool = False,
    last: Collection[str] = (),
) -> Layout:
    """Place boxes so that edges run in one direction and cross little.

    :param sizes: Width and height of each box; the order decides between equals.
    :param edges: Pairs of names; one that names no box is left out, one that closes a cycle runs
        backwards.
    :param downwards: Layers below each other rather than beside each other.
    :param last: Boxes that stand in the last layer.
    """
    names = list(sizes)
    wanted = [edge for edge in dict.fromkeys(edges) if set(edge) <= sizes.keys()]
    back = _closing(names, wanted)
    forth = list(dict.fromkeys(edge[::-1] if edge in back else edge for edge in wanted))
    layer_of = _layers(names, forth)
    layer_of.update(dict.fromkeys(last, max(layer_of.values(), default=0)))
    layers, chains = _with_waypoints(layer_of, forth)
    # From here on "along" is the direction of the edges, "across" the other one.
    extent: dict[Hashable, tuple[float, float]] = {
        node: _turned(sizes[node], downwards) if isinstance(node, str) else (0.0, _WAYPOINT)
        for layer in layers
        for node in layer
    }
    neighbours = _neighbours(chains)
    _order(layers, neighbours)
    across = _across(layers, neighbours, {node: size[1] for node, size in extent.items()})
    along = _along(layers, {node: size[0] for node, size in extent.items()})
    placed = _placed(names, chains, extent, along, across, downwards=downwards)
    run = {(line.source, line.target): line for line in placed.lines}
    lines = (
        Line(*edge, run[edge[::-1]].points[::-1]) if edge in back else run[edge] for edge in wanted
    )
    return replace(placed, lines=tuple(lines))


def _turned(size: tuple[float, float], downwards: bool) -> tuple[float, float]:
    return (size[1], size[0]) if downwards else size


def _closing(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that would lead back to where a walk came from."""
    following: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
    state: dict[str, int] = {}
    back: set[tuple[str, str]] = set()
    for start in names:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(following[start]))]
        while stack:
            node, targets = stack[-1]
            for target in targets:
                if state.get(target) == 1:
                    back.add((node, target))
                elif target not in state:
                    state[target] = 1
                    stack.append((target, iter(following[target])))
                    break
            else:
                state[node] = 2
                stack.pop()
    return back


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    following: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(names, 0)
    for source, target in edges:
        following[source].append(target)
        waiting[target] += 1
    layer = dict.fromkeys(names, 0)
    ready = deque(name for name in names if waiting[name] == 0)
    while ready:
        name = ready.popleft()
        for target in following[name]:
            layer[target] = max(layer[target], layer[name] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return layer


def _with_waypoints(
    layer_of: Mapping[str, int], edges: Sequence[tuple[str, str]]
) -> tuple[list[list[Hashable]], dict[tuple[str, str], list[Hashable]]]:
    layers: list[list[Hashable]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for name, number in layer_of.items():
        layers[number].append(name)
    chains: dict[tuple[str, str], list[Hashable]] = {}
    for source, target in edges:
        crossed = range(layer_of[source] + 1, layer_of[target])
        waypoints: list[Hashable] = [(source, target, number) for number in crossed]
        for number, waypoint in zip(crossed, waypoints, strict=True):
            layers[number].append(waypoint)
        chains[source, target] = [source, *waypoints, target]
    return layers, chains


def _neighbours(
    chains: Mapping[tuple[str, str], Sequence[Hashable]],
) -> tuple[dict[Hashable, list[Hashable]], dict[Hashable, list[Hashable]]]:
    before: dict[Hashable, list[Hashable]] = defaultdict(list)
    after: dict[Hashable, list[Hashable]] = defaultdict(list)
    for chain in chains.values():
        for one, other in pairwise(chain):
            after[one].append(other)
            before[other].append(one)
    return before, after


def _order(
    layers: list[list[Hashable]],
    neighbours: tuple[Mapping[Hashable, list[Hashable]], Mapping[Hashable, list[Hashable]]],
) -> None:
    before, after = neighbours
    place = {node: float(index) for layer in layers for index, node in enumerate(layer)}
    for sweep in range(_SWEEPS):
        near = before if sweep % 2 == 0 else after
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            keys = {
                node: _mean([place[each] for each in near.get(node, ())], place[node])
                for node in layer
            }
            layer.sort(key=keys.__getitem__)
            place.update((node, float(index)) for index, node in enumerate(layer))


def _across(
    layers: list[list[Hashable]],
    neighbours: tuple[Mapping[Hashable, list[Hashable]], Mapping[Hashable, list[Hashable]]],
    thickness: Mapping[Hashable, float],
) -> dict[Hashable, float]:
    """Centre of each node across the direction of the edges: near its neighbours, none touching."""
    before, after = neighbours
    centre: dict[Hashable, float] = {}
    for layer in layers:
        total = sum(thickness[node] + _GAP_ACROSS for node in layer) - _GAP_ACROSS
        edge = -total / 2
        for node in layer:
            centre[node] = edge + thickness[node] / 2
            edge += thickness[node] + _GAP_ACROSS
    for sweep in range(_SWEEPS):
        near = before if sweep % 2 == 0 else after
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [
                _mean([centre[each] for each in near.get(node, ())], centre[node]) for node in layer
            ]
            centre.update(zip(layer, _spread(layer, wanted, thickness), strict=True))
    return centre


def _spread(
    layer: Sequence[Hashable], wanted: Sequence[float], thickness: Mapping[Hashable, float]
) -> list[float]:
    """As near to the wanted places as order and gaps allow: the mean of packing either way."""
    gaps = [(thickness[one] + thickness[other]) / 2 + _GAP_ACROSS for one, other in pairwise(layer)]
    low = list(wanted)
    for index, gap in enumerate(gaps):
        low[index + 1] = max(low[index + 1], low[index] + gap)
    high = list(wanted)
    for index in reversed(range(len(gaps))):
        high[index] = min(high[index], high[index + 1] - gaps[index])
    return [(one + other) / 2 for one, other in zip(low, high, strict=True)]


def _along(
    layers: list[list[Hashable]], length: Mapping[Hashable, float]
) -> dict[Hashable, tuple[float, float]]:
    """Begin and end of each node in the direction of the edges."""
    spans: dict[Hashable, tuple[float, float]] = {}
    start = 0.0
    for layer in layers:
        longest = max(length[node] for node in layer)
        for node in layer:
            begin = start + (longest - length[node]) / 2
            spans[node] = (begin, begin + length[node])
        start += longest + _GAP_ALONG
    return spans


def _placed(
    names: Sequence[str],
    chains: Mapping[tuple[str, str], Sequence[Hashable]],
    extent: Mapping[Hashable, tuple[float, float]],
    along: Mapping[Hashable, tuple[float, float]],
    across: Mapping[Hashable, float],
    *,
    downwards: bool,
) -> Layout:
    top = min((across[node] - extent[node][1] / 2 for node in across), default=0.0)

    def point(position: float, centre: float) -> tuple[float, float]:
        return (centre - top, position) if downwards else (position, centre - top)

    boxes = []
    for name in names:
        thickness = extent[name][1]
        x, y = point(along[name][0], across[name] - thickness / 2)
        width, height = _turned(extent[name], downwards)
        boxes.append(Box(name, x, y, width, height))
    lines = []
    for (source, target), chain in chains.items():
        points = [point(along[source][1], across[source])]
        points += [point(along[node][0], across[node]) for node in chain[1:-1]]
        points.append(point(along[target][0], across[target]))
        lines.append(Line(source, target, tuple(points)))
    return Layout(
        width=max((box.x + box.width for box in boxes), default=0.0),
        height=max((box.y + box.height for box in boxes), default=0.0),
        boxes=tuple(boxes),
        lines=tuple(lines),
    )


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise

"""Graphs: placed so that they can be read, drawn so that they follow the page."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

from platform_ops.sphinx_ext.graphics.drawing import Card, draw
from platform_ops.sphinx_ext.graphics.layout import Box, Layout, arrange
from platform_ops.sphinx_ext.graphics.nesting import nested

_SIZE = (80.0, 34.0)


def apart(layout: Layout) -> bool:
    """Whether no two boxes touch."""
    return all(
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
        for one, other in combinations(layout.boxes, 2)
    )


def test_edges_run_in_one_direction() -> None:
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]
    layout = arrange(dict.fromkeys("dcba", _SIZE), edges)
    x = {box.name: box.x for box in layout.boxes}
    assert x["a"] < x["b"] < x["c"] < x["d"]
    downwards = arrange(dict.fromkeys("dcba", _SIZE), edges, downwards=True)
    y = {box.name: box.y for box in downwards.boxes}
    assert y["a"] < y["b"] < y["c"] < y["d"]


def test_a_hundred_boxes_do_not_touch_and_stay_on_the_canvas() -> None:
    names = [f"t{number}" for number in range(100)]
    edges = [(names[number // 3], names[number]) for number in range(1, 100)]
    edges += [(names[number], names[99]) for number in range(0, 60, 7)]
    layout = arrange(dict.fromkeys(names, _SIZE), edges)
    assert apart(layout)
    assert min(box.x for box in layout.boxes) >= 0
    assert min(box.y for box in layout.boxes) >= 0
    assert max(box.x + box.width for box in layout.boxes) <= layout.width
    assert max(box.y + box.height for box in layout.boxes) <= layout.height


def test_a_fan_is_symmetric() -> None:
    layout = arrange(dict.fromkeys("abcd", _SIZE), [("a", "b"), ("a", "c"), ("a", "d")])
    y = {box.name: box.y for box in layout.boxes}
    assert y["a"] == y["c"]
    assert y["c"] - y["b"] == y["d"] - y["c"]


def test_the_edge_that_closes_a_cycle_runs_backwards() -> None:
    edges = [("a", "b"), ("b", "c"), ("c", "a")]
    layout = arrange(dict.fromkeys("abc", _SIZE), edges)
    assert [(line.source, line.target) for line in layout.lines] == edges
    assert [line.points[0][0] < line.points[-1][0] for line in layout.lines] == [True, True, False]


_GROUPS = {"outer": "", "inner": "outer", "other": ""}
_AROUND = {"b": "outer", "c": "inner", "d": "inner", "e": "other", "f": "other"}
_NESTED = [("a", "b"), ("b", "c"), ("b", "d"), ("c", "e"), ("d", "e"), ("d", "f"), ("a", "f")]


def test_a_frame_holds_its_own_boxes_and_no_others() -> None:
    for downwards in (False, True):
        layout = nested(
            dict.fromkeys("abcdef", _SIZE), _NESTED, _GROUPS, _AROUND, downwards=downwards
        )
        frames = {each.name: each for each in layout.frames}
        holds = {
            name: {box.name for box in layout.boxes if _within(box, frame)}
            for name, frame in frames.items()
        }
        assert holds == {"outer": set("bcd"), "inner": set("cd"), "other": set("ef")}
        assert _within(frames["inner"], frames["outer"])
        assert apart(layout)
        assert max(each.x + each.width for each in layout.frames) <= layout.width


def _within(box: Box, frame: Box) -> bool:
    return (
        frame.x <= box.x
        and box.x + box.width <= frame.x + frame.width
        and frame.y <= box.y
        and box.y + box.height <= frame.y + frame.height
    )


def test_lines_between_groups_meet_at_the_frames_and_end_in_boxes() -> None:
    layout = nested(dict.fromkeys("abcdef", _SIZE), _NESTED, _GROUPS, _AROUND)
    starts = {line.points[0] for line in layout.lines}
    for line in layout.lines:
        assert line.arrow or line.points[-1] in starts
    heads = {line.target for line in layout.lines if line.arrow}
    assert heads == set("bcdef")


def test_a_label_stands_on_its_edge_and_touches_nothing() -> None:
    cards = dict.fromkeys("abc", Card("task"))
    edges = [("a", "b"), ("a", "c")]
    drawn = draw(cards, edges, label="x", edge_labels={("a", "b"): "when it rains"})
    assert ">when it rains</text>" in drawn
    assert drawn.count("marker-end") == 2


def test_no_boxes_no_canvas() -> None:
    assert (arrange({}, []).width, arrange({}, []).height) == (0, 0)


def test_a_drawing_is_sound_xml_that_names_everything_and_colours_nothing() -> None:
    cards = {"a": Card("extract <&>", "Operator"), "b": Card("load", stacked=True, href="#b")}
    drawn = draw(cards, [("a", "b")], label='What "follows" what')
    root = ElementTree.fromstring(drawn)
    texts = [each.text for each in root.iter() if each.tag.endswith("text")]
    assert texts == ["extract <&>", "Operator", "load"]
    assert root.get("aria-label") == 'What "follows" what'
    assert "fill=" not in drawn
    assert "stroke=" not in drawn
    assert draw(cards, [("a", "b")], label='What "follows" what') == drawn

"""Graphs: placed so that they can be read, drawn so that they follow the page."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

from platform_ops.sphinx_ext.drawing import Card, draw
from platform_ops.sphinx_ext.layout import Layout, arrange

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


def test_a_cycle_loses_the_edge_that_closes_it() -> None:
    layout = arrange(dict.fromkeys("abc", _SIZE), [("a", "b"), ("b", "c"), ("c", "a")])
    assert [(line.source, line.target) for line in layout.lines] == [("a", "b"), ("b", "c")]


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

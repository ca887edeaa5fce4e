"""The URL scheme over hostile text: injective, inside the root, and parsed back to what it was."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from platform_ops.entity import Entity, Slot
from platform_ops.errors import UrlError
from platform_ops.url_scheme import (
    DEFAULT_TEMPLATE,
    KEY_LIMIT_BYTES,
    SEGMENT_LIMIT_BYTES,
    Template,
    decode,
    encode,
    file_name,
    manifest_key,
    payload_key,
    template_key,
)

DEFAULT = Template.compile(DEFAULT_TEMPLATE)
TUESDAY = datetime(2024, 3, 5, 6, 7, 8, tzinfo=UTC)
DEVICES = ["con", "PRN", "aux", "NuL", "com1", "COM9", "lpt0", "con.txt", "aux.tar.gz", "com\u00b9"]
HOSTILE = [
    "", ".", "..", "...", "../../etc/passwd", "/", "//", "\\", "a/b", "a\\b", "~", "~e", "~h", "%", "%2F",
    "%2e%2e", "\0", "\n", "a\nb", " ", " a", "a ", "a.", ".a", "a..", "dt=2024-01-01", "part=x", "=", "*",
    "\ud800", "\udfff", "\ud83d\ude00", "😀", "é", "e\u0301", "K", "\u212a", "ß", "\u017f", "\ufeff",
    "x" * 200, "x" * 201, "x" * 10_000, "." * 300, "%" * 70, "x~h" + "0" * 32, "~h" + "0" * 32, *DEVICES,
]  # fmt: skip
ANYTHING = st.text(st.characters(codec=None, categories=None), max_size=80) | st.sampled_from(
    HOSTILE
)
CASED = st.text(st.sampled_from("aAbBkK\u212asS\u017f%4~eE.é"), max_size=8)
TIMES = st.datetimes(timezones=st.just(UTC))
SLOTS = st.builds(
    Slot,
    st.builds(
        Entity, ANYTHING.filter(lambda text: text and "." not in text), ANYTHING.filter(bool)
    ),
    TIMES,
    st.none() | ANYTHING,
    st.none() | ANYTHING,
    st.none() | ANYTHING,
)
WINDOWS = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")


# --- One segment ----------------------------------------------------------------------------------


@given(ANYTHING)
@example("x" * 10_000)
def test_a_segment_is_safe_everywhere(text: str) -> None:
    segment = encode(text)
    assert 0 < len(segment.encode("ascii")) <= SEGMENT_LIMIT_BYTES == 200
    assert re.fullmatch(r"(?:[a-z0-9._~-]|%[0-9A-F]{0,2})+", segment)
    assert not segment.startswith(".")
    assert not segment.endswith(".")
    assert not WINDOWS.fullmatch(segment)


@given(ANYTHING)
def test_a_segment_decodes_to_its_text_or_says_that_it_is_hashed(text: str) -> None:
    segment = encode(text)
    if re.search(r"~h[0-9a-f]{32}$", segment):
        with pytest.raises(UrlError, match="is hashed; its original stands in the manifest"):
            decode(segment)
    else:
        assert decode(segment) == text


@given(ANYTHING, ANYTHING)
def test_two_texts_never_share_a_segment(one: str, other: str) -> None:
    assert (encode(one) == encode(other)) is (one == other)


@given(CASED, CASED)
def test_two_texts_stay_apart_where_a_file_system_folds_case(one: str, other: str) -> None:
    segments = encode(one), encode(other)
    assert (segments[0].casefold() == segments[1].casefold()) is (one == other)
    assert (segments[0].upper() == segments[1].upper()) is (one == other)


def test_the_hostile_texts_are_all_apart() -> None:
    assert len({encode(text).casefold() for text in HOSTILE}) == len(set(HOSTILE))
    long = [f"{'x' * 5000}{number}" for number in range(100)]
    assert len({encode(text) for text in long}) == 100


@given(st.text(st.sampled_from("abcABC019%2eFf~h.-_ é/"), max_size=12))
def test_only_what_is_written_so_is_decoded(segment: str) -> None:
    """One spelling for each text: what decodes, encodes to the same segment."""
    try:
        text = decode(segment)
    except UrlError:
        return
    assert encode(text) == segment


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40))
def test_a_plain_percent_decoder_reads_what_is_not_hashed(text: str) -> None:
    segment = encode(text)
    assert "~h" in segment or unquote(segment, errors="strict") == text


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("", "~e"),
        ("forecast", "forecast"),
        ("a b/c", "a%20b%2Fc"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "%2E.%2E"),
        ("v1.", "v1%2E"),
        ("con", "%63on"),
        ("CON.txt", "%43%4F%4E.txt"),
        ("Account", "%41ccount"),
        ("console", "console"),
        ("~e", "%7Ee"),
        ("é", "%C3%A9"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_the_spelling_stays_as_it_is(text: str, segment: str) -> None:
    """Keys in archives depend on it for ever."""
    assert (encode(text), decode(segment)) == (segment, text)


# --- Slots ----------------------------------------------------------------------------------------


def render(template: Template, slot: Slot) -> str | None:
    """Its folder, or None where that would be too long."""
    try:
        return template.render(slot)
    except UrlError:
        with pytest.raises(UrlError, match=r"its key has \d+ bytes, and the limit is 900"):
            template.render(slot)
        return None


@given(SLOTS)
def test_a_slot_is_parsed_back_from_its_folder(slot: Slot) -> None:
    folder = render(DEFAULT, slot)
    if folder is not None and "~h" not in folder:
        assert DEFAULT.parse(folder) == slot


@given(SLOTS, SLOTS)
def test_two_slots_never_share_a_folder(one: Slot, other: Slot) -> None:
    folders = render(DEFAULT, one), render(DEFAULT, other)
    assert None in folders or (folders[0] == folders[1]) is (one == other)


@given(st.lists(st.text(st.sampled_from("aAbB%4"), max_size=2), unique=True, max_size=12))
def test_names_in_one_folder_keep_their_capitals_and_stay_apart(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        taken.add(file_name(name, taken).lower())
    assert len(taken) == len(names)


def test_a_name_is_kept_unless_it_differs_in_capitals_alone() -> None:
    first = payload_key("f", 1, "0123456789ab", "A1.CSV")
    second = payload_key("f", 1, "0123456789ab", "a1.csv", {"a1.csv"})
    assert [key.rpartition("/")[2] for key in (first, second)] == ["A1.CSV", "%611.%63%73%76"]


@given(SLOTS, ANYTHING, st.integers(1, 999_999))
def test_no_value_leaves_the_root_and_no_key_is_too_long(
    slot: Slot, name: str, revision: int
) -> None:
    folder = render(DEFAULT, slot)
    if folder is None:
        return
    levels = [level.field for level in DEFAULT.levels]
    assert len(levels) - 3 <= folder.count("/") + 1 <= len(levels)
    try:
        keys = [payload_key(folder, revision, "0123456789ab", name), manifest_key(folder, revision)]
    except UrlError:  # too long
        return
    for key in keys:
        assert len(key) <= 1024 - 100
        assert not {"", ".", ".."} & set(key.split("/"))
        assert all(len(segment) <= 255 for segment in key.split("/"))
        assert not any(
            WINDOWS.fullmatch(segment) or segment.endswith(".") for segment in key.split("/")
        )


@pytest.mark.parametrize(
    ("slot", "folder"),
    [
        (
            Slot(Entity("weather", "forecast"), TUESDAY),
            "v1/weather/forecast/dt=2024-03-05/at=060708Z",
        ),
        (
            Slot(Entity("a", "b"), TUESDAY.replace(microsecond=50), "EU/west", "", "ops"),
            "v1/a/b/dt=2024-03-05/at=060708.000050Z/team=ops/part=%45%55%2Fwest/map=~e",
        ),
        (Slot(Entity("a", "b.c"), TUESDAY, map_key="x"), "v1/a/b.c/dt=2024-03-05/at=060708Z/map=x"),
        (
            Slot(Entity("a", "b"), datetime(7, 1, 2, tzinfo=timezone(timedelta(hours=-3)))),
            "v1/a/b/dt=0007-01-02/at=030000Z",
        ),
    ],
)
def test_the_default_scheme_stays_as_it_is(slot: Slot, folder: str) -> None:
    assert (DEFAULT.render(slot), DEFAULT.parse(folder)) == (folder, slot)


def test_a_slot_that_is_too_long_is_refused_before_anything_is_fetched() -> None:
    slot = Slot(Entity("s" * 200, "e" * 200), TUESDAY, "p" * 200, "m" * 200, "t" * 200)
    with pytest.raises(UrlError, match=r"its key has 1\d\d\d bytes, and the limit is 900; shorten"):
        DEFAULT.render(slot)
    with pytest.raises(UrlError, match="the limit is 900"):
        payload_key("f" * 800, 1, "0123456789ab", "n" * 150)
    assert KEY_LIMIT_BYTES == 900


@pytest.mark.parametrize(
    "folder",
    [
        "", "v1", "v2/a/b/dt=2024-03-05/at=060708Z", "v1/a/b/dt=2024-03-05", "v1/a/b/dt=2024-3-5/at=060708Z",
        "v1/a/b/dt=2024-03-05/at=060708Z/extra", "v1/a/b/dt=2024-03-05/at=060708Z/map=x/part=y",
        "v1/a/b/dt=2024-02-30/at=060708Z", "v1/a/b/dt=2024-03-05/at=060708.5Z", "v1//b/dt=2024-03-05/at=0Z",
        "v1/a/b/dt=2024-03-05/at=060708Z/part=%2f", "v1/a/A/dt=2024-03-05/at=060708Z",
        "v1/a/b/dt=2024-03-05/at=060708.000000Z", "v1/~e/b/dt=2024-03-05/at=060708Z", "v1/a/b/dt=x/at=y",
        "v1/a.b/c/dt=2024-03-05/at=060708Z",
    ],
)  # fmt: skip
def test_a_folder_of_another_spelling_is_refused(folder: str) -> None:
    with pytest.raises(UrlError):
        DEFAULT.parse(folder)


# --- Templates of a site --------------------------------------------------------------------------


@given(SLOTS, st.permutations([*DEFAULT_TEMPLATE.split("/")[1:], "hr={hour}", "raw"]))
def test_levels_in_any_order_still_parse(slot: Slot, levels: list[str]) -> None:
    template = Template.compile("/".join(["lake", *levels]))
    folder = render(template, slot)
    if folder is not None and "~h" not in folder:
        assert template.parse(folder) == slot
        assert f"/hr={slot.time_utc:%H}" in folder


def test_every_order_of_levels_without_keys_is_told_apart() -> None:
    slot = Slot(Entity("a", "b"), TUESDAY, "p")
    for order in permutations(["{source}", "{entity}", "{date}", "{time}", "{hour}"]):
        text = "/".join(["v1", *order, "part={partition_key}", "map={map_key}"])
        template = Template.compile(text)
        assert template.parse(template.render(slot)) == slot


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "level '' is neither a literal ([a-z0-9._-]) nor {field} nor key={field}"),
        ("V1/{source}", "level 'V1' is neither a literal"),
        ("v1//{source}", "level '' is neither a literal"),
        ("/v1/{source}", "level '' is neither a literal"),
        ("v1/../{source}", "level '..' is neither a literal"),
        ("v1/{source}-{entity}", "level '{source}-{entity}' is neither a literal"),
        (
            "v1/{run_id}",
            "unknown field {run_id}; the fields are source, entity, date, time, hour, team,",
        ),
        (
            "v1/{partition_key}",
            "{partition_key} may be absent, so it needs a key, as in partition_key={",
        ),
        ("v1/{source}/{entity}/{date}", "lacks {time}, {partition_key}, {map_key}"),
        (DEFAULT_TEMPLATE + "/{source}", "names {source} twice"),
        (
            "{source}/{entity}/{date}/{time}/p={partition_key}/m={map_key}",
            "must start with a literal level",
        ),
        (
            "v1/{source}/{entity}/{date}/{time}/k={partition_key}/k={map_key}",
            "uses one key= for two fields",
        ),
        ("con/" + DEFAULT_TEMPLATE, "level 'con' is a device's name on Windows"),
        ("v1/nul.txt/" + DEFAULT_TEMPLATE, "level 'nul.txt' is a device's name on Windows"),
        (f"{'x' * 201}/{DEFAULT_TEMPLATE}", "is longer than 200 bytes"),
        (DEFAULT_TEMPLATE.replace("part=", "p" * 60 + "="), "has a key longer than 40 letters"),
    ],
)
def test_a_wrong_template_says_what_is_wrong(text: str, fault: str) -> None:
    with pytest.raises(UrlError) as caught:
        Template.compile(text)
    assert str(caught.value).startswith(f"URL template {text!r} ")
    assert fault in str(caught.value)
    assert str(caught.value).endswith(f"; the default is {DEFAULT_TEMPLATE!r}")


def test_a_team_needs_a_level_of_its_own() -> None:
    """Without one, two teams' slots would share a folder."""
    template = Template.compile(DEFAULT_TEMPLATE.replace("team={team}/", ""))
    assert template.render(Slot(Entity("a", "b"), TUESDAY)) == "v1/a/b/dt=2024-03-05/at=060708Z"
    with pytest.raises(UrlError) as caught:
        template.render(Slot(Entity("a", "b"), TUESDAY, team="ops"))
    assert str(caught.value) == (
        "a.b 2024-03-05T06:07:08Z: its run belongs to team 'ops', and the URL template has no level "
        "team={team}; add it to archive.template"
    )


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        (DEFAULT_TEMPLATE, "v1/a/b%2Fc"),
        ("v1/{date}/{source}/{entity}/{time}/p={partition_key}/m={map_key}", "v1"),
        (
            "lake/raw/s={source}/{date}/{entity}/{time}/p={partition_key}/m={map_key}",
            "lake/raw/s=a",
        ),
        ("v1/p={partition_key}/{source}/{entity}/{date}/{time}/m={map_key}", "v1"),
    ],
)
def test_folder_of_is_above_every_slot_of_the_entity(text: str, folder: str) -> None:
    template = Template.compile(text)
    entity = Entity("a", "b/c")
    assert template.folder_of(entity) == folder
    for key in (None, "", "x"):
        assert template.render(Slot(entity, TUESDAY, key, key)).startswith(folder + "/")


def test_split_gives_the_levels_as_they_are_written() -> None:
    folder = "v1/a/%2E/dt=2024-03-05/at=060708Z/part=x%2Fy"
    assert DEFAULT.split(folder) == {
        "source": "a",
        "entity": "%2E",
        "date": "2024-03-05",
        "time": "060708Z",
        "partition_key": "x%2Fy",
    }
    assert DEFAULT.split("v1/a") is None
    assert DEFAULT.prefix == "v1"
    assert Template.compile("lake/" + DEFAULT_TEMPLATE).prefix == "lake/v1"


def test_keys_around_the_folder_stay_as_they_are() -> None:
    assert payload_key("f", 7, "0123456789ab", "a b") == "data/f/000007-0123456789ab/a%20b"
    assert manifest_key("f", 7) == "meta/f/000007.json"
    assert template_key(DEFAULT_TEMPLATE) == "templates/0317ba0f4668f618.txt"

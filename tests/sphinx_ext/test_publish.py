"""Publish to a folder, a bare git repository and S3 over a socket."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import pytest
from click.testing import CliRunner
from obstore.store import S3Store

from platform_ops.errors import PublishError
from platform_ops.sphinx_ext.publish import (
    fetch,
    point,
    publish,
    published,
    remove,
    roll_back,
)
from platform_ops.sphinx_ext.publish.__main__ import main
from platform_ops.sphinx_ext.publish.versions import Version, added
from tests.sphinx_ext.published import Place, in_folder, in_git, in_s3, site


@pytest.fixture(params=["folder", "git", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "s3":
        return in_s3(f"s3://{request.getfixturevalue('s3_bucket')}/docs")
    return in_folder(tmp_path) if request.param == "folder" else in_git(tmp_path)


def test_older_versions_stay_and_the_newest_release_leads(place: Place, tmp_path: Path) -> None:
    for version in ("0.9.0", "main", "0.10.0", "0.2.1", "1.0rc1"):
        publish(site(tmp_path, f"build of {version}"), place.destination, version, ["latest"])
        assert place.follow(f"{version}/reference/http.html") == f"build of {version}"

    assert [entry.version for entry in place.listing()] == [
        "0.10.0",
        "0.9.0",
        "0.2.1",
        "main",
        "1.0rc1",
    ]
    for entry in place.listing():
        assert place.follow(f"{entry.url}index.html") == f"build of {entry.version}"
    assert place.follow("index.html") == "build of 0.10.0"
    assert place.follow("latest/reference/http.html") == "build of 0.10.0"


def test_listing_is_what_the_switcher_reads(place: Place, tmp_path: Path) -> None:
    publish(site(tmp_path, "one"), place.destination, "v1.0", ["latest", "stable"])
    publish(site(tmp_path, "two"), place.destination, "dev")

    listing = place.read("versions.json")
    assert listing
    assert json.loads(listing) == [
        {"version": "1.0", "url": "1.0/", "is_latest": True, "aliases": ["latest", "stable"]},
        {"version": "dev", "url": "dev/", "is_latest": False, "aliases": []},
    ]


def test_files_arrive_as_they_are_and_build_state_does_not(place: Place, tmp_path: Path) -> None:
    built = site(tmp_path, "one")
    every_byte = bytes(range(256)) * 300
    (built / "_static" / "picture.bin").write_bytes(every_byte)
    (built / ".gitattributes").write_text("* text eol=crlf\n")
    (built / ".gitignore").write_text("*.html\n")

    publish(built, place.destination, "1.0")

    assert place.read("1.0/_static/picture.bin") == every_byte
    assert place.read("1.0/only/in one ü.html") == (built / "only/in one ü.html").read_bytes()
    assert place.read("1.0/.doctrees/index.doctree") is None
    assert place.read("1.0/.buildinfo") is None


def test_a_version_published_again_leads_every_old_address_to_the_new_build(
    place: Place, tmp_path: Path
) -> None:
    for mark in ("one", "two", "three"):
        publish(site(tmp_path, mark), place.destination, "main", ["next"])

        for address in ("main/index.html", "main/reference/http.html", "next/reference/http.html"):
            assert place.follow(address) == mark
        assert (
            place.follow("index.html") == mark
        )  # where there is no release, the first of the list
        assert place.read("main/objects.inv") == f"# {mark}".encode()
        assert place.read("next/objects.inv") == f"# {mark}".encode()
    assert place.read("main/only/in two ü.html") is None
    assert len(place.listing()) == 1


def test_an_alias_moves_from_the_version_that_had_it(place: Place, tmp_path: Path) -> None:
    publish(site(tmp_path, "one"), place.destination, "1.0", ["stable", "old"])
    publish(site(tmp_path, "two"), place.destination, "2.0", ["stable"])

    assert place.follow("stable/index.html") == "two"
    assert place.follow("old/index.html") == "one"
    assert [entry.aliases for entry in place.listing()] == [("stable",), ("old",)]


def test_rival_publishers_lose_nothing(place: Place, tmp_path: Path) -> None:
    versions = ["1.0", "1.1", "1.2", "main"]
    sites = [site(tmp_path, f"build of {version}") for version in versions]

    with ThreadPoolExecutor(len(versions)) as rivals:
        list(rivals.map(publish, sites, [place.destination] * len(versions), versions))

    assert {entry.version for entry in place.listing()} == set(versions)
    for version in versions:
        assert place.follow(f"{version}/index.html") == f"build of {version}"
    assert place.follow("index.html") == "build of 1.2"


# --- Removal, aliases, and the way back ---


def test_a_removed_version_is_gone_and_the_rest_stays(place: Place, tmp_path: Path) -> None:
    for version in ("1.0", "2.0", "main"):
        aliases = ["latest", "stable", f"my-{version}"]
        publish(site(tmp_path, f"build of {version}"), place.destination, version, aliases)
    publish(site(tmp_path, "again"), place.destination, "2.0")

    remove(place.destination, "2.0")

    assert [entry.version for entry in place.listing()] == ["1.0", "main"]
    for address in ("index.html", "latest/index.html", "stable/index.html", "my-1.0/index.html"):
        assert place.follow(address) == "build of 1.0"
    for file in ("index.html", "reference/http.html", "objects.inv", "_static/style.css"):
        assert place.read(f"2.0/{file}") is None
        assert place.read(f"my-2.0/{file}") is None
    assert place.follow("main/index.html") == "build of main"
    with pytest.raises(PublishError, match=r"'2\.0' is not published here; there is: 1\.0, main"):
        remove(place.destination, "2.0")


def test_the_last_version_stays(place: Place, tmp_path: Path) -> None:
    publish(site(tmp_path, "one"), place.destination, "1.0")
    with pytest.raises(PublishError, match="the only version"):
        remove(place.destination, "1.0")
    assert place.follow("index.html") == "one"


def test_stable_goes_back_to_an_older_release_until_the_next_one(
    place: Place, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        publish(site(tmp_path, f"build of {version}"), place.destination, version, ["stable"])
    assert place.follow("stable/index.html") == "build of 2.0"

    point(place.destination, "stable", "1.0")
    publish(site(tmp_path, "development"), place.destination, "main", ["stable"])
    assert place.follow("stable/reference/http.html") == "build of 1.0"
    assert place.follow("index.html") == "build of 1.0"
    assert [entry.is_latest for entry in place.listing()] == [True, False, False]

    publish(site(tmp_path, "repaired"), place.destination, "2.1", ["stable"])
    assert place.follow("stable/index.html") == "repaired"
    assert place.follow("index.html") == "repaired"


def test_a_version_goes_back_to_its_build_before(place: Place, tmp_path: Path) -> None:
    publish(site(tmp_path, "release"), place.destination, "1.0", ["latest"])
    for mark in ("one", "two", "three"):
        publish(site(tmp_path, mark), place.destination, "main", ["next"])

    for expected in ("two", "three"):
        roll_back(place.destination, "main")
        for address in ("main/index.html", "main/reference/http.html", "next/index.html"):
            assert place.follow(address) == expected
        assert place.read("main/objects.inv") == f"# {expected}".encode()
    assert place.follow("index.html") == "release"


def test_without_an_earlier_build_there_is_no_way_back(place: Place, tmp_path: Path) -> None:
    publish(site(tmp_path, "one"), place.destination, "1.0")
    with pytest.raises(PublishError, match=r"no earlier build of 1\.0"):
        roll_back(place.destination, "1.0")
    with pytest.raises(PublishError):
        roll_back(place.destination, "2.0")
    assert place.follow("1.0/index.html") == "one"


def test_a_file_of_a_version_can_be_fetched_by_an_alias(place: Place, tmp_path: Path) -> None:
    publish(site(tmp_path, "one"), place.destination, "1.0", ["stable"])
    publish(site(tmp_path, "two"), place.destination, "main")
    publish(site(tmp_path, "three"), place.destination, "main")

    assert fetch(place.destination, "stable", "objects.inv") == b"# one"
    assert fetch(place.destination, "main", "objects.inv") == b"# three"
    assert fetch(place.destination, "main", "catalog.json") is None
    assert fetch(place.destination, "2.0", "objects.inv") is None
    assert published(place.destination) == place.listing()


def test_the_root_shows_the_404_page_of_what_readers_get_first(
    place: Place, tmp_path: Path
) -> None:
    for version in ("1.0", "main"):
        built = site(tmp_path, version)
        (built / "404.html").write_text(f"not in {version}")
        publish(built, place.destination, version)
    assert place.read("404.html") == b"not in 1.0"


# --- git ---


def _git(place: Place, *arguments: str) -> str:
    repository = place.destination.removeprefix("git+").partition("#")[0]
    return subprocess.check_output(["git", "-C", repository, *arguments], text=True).strip()


def test_a_branch_keeps_what_others_put_there_and_gets_one_commit_each(tmp_path: Path) -> None:
    place = in_git(tmp_path)
    clone = tmp_path / "clone"
    by = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "clone", "--quiet", tmp_path / "pages.git", clone], check=True)
    (clone / "CNAME").write_text("docs.example.org\n")
    subprocess.run(["git", "checkout", "--quiet", "-b", "gh-pages"], cwd=clone, check=True)
    subprocess.run(["git", "add", "CNAME"], cwd=clone, check=True)
    subprocess.run(["git", *by, "commit", "--quiet", "-m", "Name the host"], cwd=clone, check=True)
    subprocess.run(["git", "push", "--quiet", "origin", "gh-pages"], cwd=clone, check=True)

    publish(site(tmp_path, "one"), place.destination, "1.0", ["latest"])
    publish(site(tmp_path, "one"), place.destination, "1.0", ["latest"])  # nothing new: no commit
    publish(site(tmp_path, "two"), place.destination, "2.0", ["latest"])

    subjects = _git(place, "log", "--format=%s", "gh-pages").splitlines()
    assert subjects == ["Publish 2.0", "Publish 1.0", "Name the host"]
    assert place.read("CNAME") == b"docs.example.org\n"
    assert place.read(".nojekyll") == b""
    assert _git(place, "rev-parse", "gh-pages:latest") == _git(place, "rev-parse", "gh-pages:2.0")


def test_git_takes_its_settings_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = in_git(tmp_path)
    # As the workflow does, to hand over its token: another address for the one that is named.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{tmp_path}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://127.0.0.1:1/")

    publish(site(tmp_path, "one"), "git+https://127.0.0.1:1/pages.git#gh-pages", "1.0")

    assert place.follow("1.0/index.html") == "one"


def test_a_branch_that_is_checked_out_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "-b", "gh-pages", tmp_path / "work"], check=True)

    with pytest.raises(PublishError, match="not checked out"):
        publish(site(tmp_path, "one"), f"git+{tmp_path / 'work'}#gh-pages", "1.0")
    assert [path.name for path in (tmp_path / "work").iterdir()] == [".git"]


# --- Bad input ---


def _refused(tmp_path: Path, destination: str, version: str = "1.0", *aliases: str) -> str:
    with pytest.raises(PublishError) as refused:
        publish(site(tmp_path, "one"), destination, version, aliases)
    return str(refused.value)


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        PublishError, match=re.escape(f"{tmp_path}: no index.html there; build the site")
    ):
        publish(tmp_path, str(tmp_path / "served"), "1.0")
    assert not (tmp_path / "served").exists()


@pytest.mark.parametrize(
    "name", ["", "feature/x", "..", ".hidden", "versions.json", "a b", "x" * 101]
)
def test_a_name_that_is_no_folder_everywhere_is_refused(name: str, tmp_path: Path) -> None:
    assert "use letters, digits" in _refused(tmp_path, str(tmp_path / "served"), name)
    assert "use letters, digits" in _refused(tmp_path, str(tmp_path / "served"), "1.0", name)


@pytest.mark.parametrize("broken", [b"{", b"[1]", b'[{"version": "1.0"}]', b"\xff"])
def test_a_listing_that_cannot_be_read_is_never_overwritten(
    broken: bytes, place: Place, tmp_path: Path
) -> None:
    publish(site(tmp_path, "one"), place.destination, "1.0")
    _write_listing(place, broken, tmp_path)

    assert "versions.json" in _refused(tmp_path, place.destination, "2.0")
    assert place.read("versions.json") == broken
    assert place.follow("index.html") == "one"


def _write_listing(place: Place, body: bytes, tmp_path: Path) -> None:
    if place.destination.startswith("s3:"):
        store = S3Store.from_url(place.destination, client_options={"allow_http": True})
        obstore.put(store, "versions.json", body)
    elif place.destination.startswith("git+"):
        repository = tmp_path / "pages.git"
        parent = _git(place, "rev-parse", "gh-pages")
        stream = b"commit refs/heads/gh-pages\ncommitter A <a@example.org> 0 +0000\ndata 0\n"
        stream += f"from {parent}\n".encode() + b"M 644 inline versions.json\n"
        stream += f"data {len(body)}\n".encode() + body + b"\n"
        subprocess.run(
            ["git", "-C", repository, "fast-import", "--quiet"], input=stream, check=True
        )
    else:
        Path(place.destination, "versions.json").write_bytes(body)


def test_a_folder_that_publish_has_not_made_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "served" / "1.0" / "index.html"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")

    assert "not a link that publish has made" in _refused(tmp_path, str(tmp_path / "served"))
    assert theirs.read_text() == "theirs"
    assert not (tmp_path / "served" / "versions.json").exists()


def test_a_destination_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in _refused(tmp_path, str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("destination", "says"),
    [
        ("git+/no/such/repository#gh-pages", "git ls-remote failed"),
        (
            "git+https://someone:secret@127.0.0.1:1/x.git#gh-pages",
            "https://127.0.0.1:1/x.git#gh-pages: git ls-rem",
        ),
        ("git+.", "the branch is missing"),
        ("git+.#", "'' is no name for a branch"),
        ("git+.#a..b", "'a..b' is no name for a branch"),
        ("ftp://127.0.0.1/docs", "ftp://127.0.0.1/docs: "),
    ],
)
def test_an_unusable_destination_says_so_and_no_secret(
    destination: str, says: str, tmp_path: Path
) -> None:
    message = _refused(tmp_path, destination)
    assert says in message
    assert "secret" not in message


@pytest.mark.usefixtures("s3_bucket")
def test_a_missing_bucket_is_named(tmp_path: Path) -> None:
    assert "s3://no-such-bucket/docs: " in _refused(tmp_path, "s3://no-such-bucket/docs")


def test_a_name_is_a_version_or_an_alias_never_both(tmp_path: Path) -> None:
    destination = str(tmp_path / "served")
    publish(site(tmp_path, "one"), destination, "1.0", ["stable"])

    assert "'stable'" in _refused(tmp_path, destination, "stable")
    assert "'1.0'" in _refused(tmp_path, destination, "2.0", "1.0")
    assert "'latest'" in _refused(tmp_path, destination, "latest")


# --- The pure part, and the command line ---


@pytest.mark.parametrize("version", ["main", "dev", "2.0rc1", "2.0.dev3", "2.0a1", "v2-draft"])
def test_what_is_no_release_never_becomes_the_newest(version: str) -> None:
    entries = added([Version("0.1", "0.1/")], version, f"{version}/", ["latest"])
    assert [(entry.version, entry.is_latest) for entry in entries] == [
        ("0.1", True),
        (version, False),
    ]
    assert entries[0].aliases == ("latest",)


def test_the_command_prints_what_is_there(tmp_path: Path) -> None:
    served = str(tmp_path / "served")
    publish(site(tmp_path, "one"), served, "main")
    arguments = [
        "add",
        str(site(tmp_path, "two")),
        served,
        "--version",
        "v1.0",
        "--alias",
        "latest",
    ]

    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["1.0", "1.0/", "latest,", "newest", "release"],
        ["main", "main/"],
    ]


def test_the_command_fails_with_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["add", str(tmp_path), str(tmp_path / "served"), "--version", "1.0"]
    )

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}: no index.html there")
    assert len(result.stderr.splitlines()) == 1

"""Publish into a branch of a git repository, as GitHub Pages and its like serve it.

One commit on top of the branch, made in a repository of its own and pushed: readers see the branch
before it or after it. A push that a rival has overtaken starts again from what the rival has left.

Source: git-fast-import(1), which takes the bytes as they are, past every attribute and filter.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from platform_ops.errors import PublishError
from platform_ops.sphinx_ext.publish.edit import Edit
from platform_ops.sphinx_ext.publish.versions import (
    INDEX,
    LISTING,
    Version,
    from_json,
    front,
    redirect,
    to_json,
)

__all__ = ["Branch"]

_ATTEMPTS: Final = 5
_NO_JEKYLL: Final = ".nojekyll"
"""Tells GitHub Pages to serve folders such as ``_static`` as well."""


class Branch:
    """A branch that holds versions; it is made where it is missing.

    :param repository: A folder, or any address that git pushes to.
    """

    def __init__(self, repository: str, branch: str) -> None:
        local = Path(repository).exists()
        self._address = str(Path(repository).resolve()) if local else repository
        self._branch = branch
        self._shown = f"{_without_credentials(self._address)}#{branch}"

    def read(self, path: str) -> bytes | None:
        """One published file."""
        with self._workshop() as workshop:
            return workshop.read(workshop.fetch(self._address), path)

    def change(self, edit: Edit) -> tuple[Version, ...]:
        """Make a change by one commit.

        :raises PublishError: git refuses, or the branch holds what publish has not made.
        """
        for _ in range(_ATTEMPTS):
            with self._workshop() as workshop:
                head = workshop.fetch(self._address, whole=edit.back)
                listing = workshop.read(head, LISTING)
                known = from_json(listing, f"{self._shown}: {LISTING}")
                entries = edit.apply(known, f"{edit.version}/")
                workshop.commit(head, edit, known, entries)
                if workshop.unchanged_since(head) or workshop.push(self._address):
                    return entries
        raise PublishError(
            f"{self._shown}: {_ATTEMPTS} pushes in a row were overtaken by others; publish again"
        )

    @contextmanager
    def _workshop(self) -> Iterator[_Workshop]:
        with tempfile.TemporaryDirectory(prefix="publish-") as folder:
            yield _Workshop(Path(folder), self._branch, self._shown)


class _Workshop:
    """A bare repository that lives as long as one attempt, and holds nothing but the branch."""

    def __init__(self, folder: Path, branch: str, shown: str) -> None:
        self._folder = folder
        self._ref = f"refs/heads/{branch}"
        self._shown = shown
        if self._run("check-ref-format", self._ref).returncode != 0:
            raise PublishError(
                f"{shown}: {branch!r} is no name for a branch; gh-pages is the usual one"
            )
        self._must("init", "--quiet", "--bare", "--template=", ".")

    def fetch(self, address: str, *, whole: bool = False) -> str | None:
        """Bring the branch's newest commit here; return its id, or None where there is no branch yet.

        :param whole: With all that came before it.
        """
        listing = self._must("ls-remote", address, self._ref).stdout.split()
        if not listing:
            return None
        depth = () if whole else ("--depth=1",)
        self._must("fetch", "--quiet", *depth, "--no-tags", address, f"{self._ref}:{self._ref}")
        return self._must("rev-parse", self._ref).stdout.decode().strip()

    def read(self, commit: str | None, path: str) -> bytes | None:
        """Read a file of the branch, if it is there."""
        found = self._run("cat-file", "blob", f"{commit}:{path}") if commit else None
        return found.stdout if found and found.returncode == 0 else None

    def commit(
        self,
        head: str | None,
        edit: Edit,
        known: Sequence[Version],
        entries: Sequence[Version],
    ) -> None:
        """Put one commit onto the branch: a version's pages, all aliases, the listing and the index."""
        aliases = {alias: entry.version for entry in entries for alias in entry.aliases}
        listed = {entry.version for entry in entries}
        gone = {name for entry in known for name in (entry.version, *entry.aliases)} - listed
        gone |= set(aliases) | ({edit.version} if edit.site else set())
        with tempfile.TemporaryFile() as stream:
            stream.writelines(self._header(head, edit.message))
            stream.writelines(b"D %s\n" % _quoted(path) for path in sorted(gone) if head)
            if edit.site is not None:
                for file in edit.site.files:
                    body = edit.site.path(file).read_bytes()
                    stream.writelines(_file(f"{edit.version}/{file}", body))
            if edit.back:
                tree = self._earlier(edit.version)
                stream.write(b"M 040000 %s %s\n" % (tree.encode(), _quoted(edit.version)))
            stream.writelines(
                b"C %s %s\n" % (_quoted(to), _quoted(alias))
                for alias, to in sorted(aliases.items())
            )
            for name, data in edit.root_files(entries).items():
                stream.writelines(_file(name, data))
            stream.writelines(_file(INDEX, redirect(front(entries).url)))
            stream.writelines(_file(LISTING, to_json(entries)))
            stream.writelines(_file(_NO_JEKYLL, b""))
            stream.seek(0)
            self._must("fast-import", "--quiet", stdin=stream)

    def _earlier(self, version: str) -> str:
        """The pages of a version as the branch had them before those that it has."""
        commits = self._must("log", "--format=%H", self._ref, "--", version).stdout.decode().split()
        trees = [self._run("rev-parse", f"{commit}:{version}") for commit in commits]
        ids = [tree.stdout.decode().strip() for tree in trees if tree.returncode == 0]
        earlier = next((each for each in ids if each != ids[0]), None)
        if earlier is None:
            raise PublishError(
                f"{self._shown}: the branch has no earlier build of {version}; "
                "publish it again from its source"
            )
        return earlier

    def unchanged_since(self, head: str | None) -> bool:
        """Tell whether the commit changes nothing, as where the same build is published again."""
        return head is not None and self._run("diff", "--quiet", head, self._ref).returncode == 0

    def push(self, address: str) -> bool:
        """Push the branch; return False where someone else was faster."""
        pushed = self._run("push", "--quiet", "--porcelain", address, f"{self._ref}:{self._ref}")
        if pushed.returncode == 0:
            return True
        if re.search(
            rb"\[rejected\]|fetch first|non-fast-forward|cannot lock ref",
            pushed.stdout + pushed.stderr,
        ):
            return False
        raise self._refused("push", pushed.stdout + pushed.stderr)

    def _header(self, head: str | None, said: str) -> Iterator[bytes]:
        message = said.encode()
        yield b"commit %s\n" % self._ref.encode()
        yield b"committer %s\n" % self._must("var", "GIT_COMMITTER_IDENT").stdout.strip()
        yield b"data %d\n%s\n" % (len(message), message)
        if head:
            yield b"from %s\n" % head.encode()

    def _run(
        self, *arguments: str, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *arguments],
                cwd=self._folder,
                env=_environment(),
                stdin=stdin or subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as err:
            raise PublishError(
                f"{self._shown}: git is not installed; install it, or publish to a folder"
            ) from err

    def _must(
        self, *arguments: str, stdin: IO[bytes] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        done = self._run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise self._refused(arguments[0], done.stderr)
        return done

    def _refused(self, command: str, complaint: bytes) -> PublishError:
        said = _without_credentials(complaint.decode(errors="replace")).strip()
        return PublishError(
            f"{self._shown}: git {command} failed: {said}; check the address, that you may push there, "
            "and that the branch is not checked out in it"
        )


def _environment() -> dict[str, str]:
    """Git's settings as they are, but no repository around us, no prompt, and a name to commit by."""
    around = {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
    }
    return {
        "GIT_COMMITTER_NAME": "platform-ops publish",
        "GIT_COMMITTER_EMAIL": "publish@platform-ops.invalid",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        **{name: value for name, value in os.environ.items() if name not in around | {"LC_ALL"}},
    }


def _file(path: str, body: bytes) -> Iterator[bytes]:
    yield b"M 100644 inline %s\ndata %d\n" % (_quoted(path), len(body))
    yield body
    yield b"\n"


def _quoted(path: str) -> bytes:
    """Write a path as fast-import reads it: in quotes, C's escapes."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return b'"' + escaped.encode("utf-8", "surrogateescape") + b'"'


def _without_credentials(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)

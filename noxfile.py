"""Everything that is done to this project, one session each.

``python3 noxfile.py -s demo`` needs Python and git alone: run as a script, this file fetches nox
and uv, at the versions of constraints.txt, into a private environment and goes on there.
To a nox that is installed it is an ordinary noxfile: ``nox -s demo``.
Environments live in ``.nox``, or where the variable ``NOX_ENVDIR`` says.
"""

import os
import sys

LOWEST_PYTHON = (3, 11)

# As a script: any Python 3 gets as far as this message, so this file has no syntax that 3.6 lacks.
if sys.version_info < LOWEST_PYTHON:
    sys.exit(
        "noxfile.py: Python {}.{} or later is needed, and {} is {}.{}; run it with a newer one, "
        "for instance python3.12 noxfile.py".format(
            *LOWEST_PYTHON, sys.executable, *sys.version_info[:2]
        )
    )

import hashlib
import importlib.util
import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CONSTRAINTS = ROOT / "constraints.txt"
ENVIRONMENTS = Path(os.environ.get("NOX_ENVDIR", ROOT / ".nox"))


# --- As a script: fetch nox and uv, and start again there -----------------------------------------


def restart_in_private_environment(arguments: list[str]) -> None:
    """Run this file by the locked nox, which is fetched where it is missing; does not return."""
    tools = re.findall(r"^(?:nox|uv)==.*$", CONSTRAINTS.read_text("utf-8"), re.MULTILINE)
    origin = "\n".join([*tools, sys.base_prefix, sys.version])
    home = ENVIRONMENTS / ".bootstrap" / hashlib.sha256(origin.encode()).hexdigest()[:12]
    python = home / "bin" / "python"
    if not home.exists():
        _fetch_tools(home)
    environment = {**os.environ, **_index_settings_for_uv(python)}
    command = [str(python), "-m", "nox", "-f", str(Path(__file__).resolve()), *arguments]
    sys.stdout.flush()
    os.execve(python, command, environment)  # the same process: a signal to it reaches nox


def _fetch_tools(home: Path) -> None:
    """Install nox and uv into an environment that appears under its name complete, or not."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        sys.exit(
            f"noxfile.py: {sys.executable} has no ensurepip, so it cannot make an environment for "
            "nox; on Debian and Ubuntu: apt-get install python3-venv; elsewhere: install nox and uv"
        )
    print(f"Fetching nox and uv into {home}", flush=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}-") as folder:
        new = Path(folder) / "environment"
        pip = [str(new / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        steps = (
            [sys.executable, "-m", "venv", str(new)],
            [*pip, "install", "-qq", "--constraint", str(CONSTRAINTS), "nox", "uv"],
        )
        for step in steps:
            if subprocess.call(step, stdin=subprocess.DEVNULL) != 0:
                sys.exit(
                    f"noxfile.py: cannot fetch nox and uv: {' '.join(step)} failed; "
                    "its own message is above"
                )
        try:
            new.rename(home)
        except OSError:
            if not home.exists():  # else another process was first, with the same versions
                raise


def _index_settings_for_uv(python: Path) -> dict[str, str]:
    """Hand uv the index and certificates that pip is set to: who has a mirror says so once."""
    configured = [Path("/etc/uv/uv.toml"), Path.home() / ".config" / "uv" / "uv.toml"]
    wanted = {
        "index-url": ("UV_DEFAULT_INDEX", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"]),
        "cert": ("SSL_CERT_FILE", ["SSL_CERT_FILE", "SSL_CERT_DIR"]),
    }
    if any(file.exists() for file in configured):
        del wanted["index-url"]
    command = [str(python), "-m", "pip", "config", "list"]
    listing = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    ).stdout
    settings = {}
    for line in listing.splitlines():  # such as: global.index-url='https://…'
        key, _, value = line.partition("=")
        variable, already = wanted.get(key.rpartition(".")[2], ("", []))
        if variable and not any(name in os.environ for name in already):
            settings[variable] = value.strip("'\"")
    return settings


if __name__ == "__main__":
    restart_in_private_environment(sys.argv[1:])

# --- From here on: an ordinary noxfile ------------------------------------------------------------

import nox
from packaging.metadata import Metadata  # nox depends on it

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.envdir = str(ENVIRONMENTS)
nox.options.sessions = ["lint", "types", "layers", "tests"]
nox.options.error_on_external_run = True

# The interpreter at hand, none from elsewhere; and patience, since wheels of 50 MB come from mirrors.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
os.environ.setdefault("UV_HTTP_TIMEOUT", "180")

LOCKED = ("--constraint", "constraints.txt", "--build-constraints", "constraints.txt")
AZURITE = "3.35.0"
# Programs that tests start or drive, by the variable that tells them the path: the program's names, its
# Debian package, and the folders beside PATH in which that package puts it.
PROGRAMS = {
    "CHROMIUM": (("chromium", "chromium-browser", "google-chrome"), "chromium", "/usr/bin"),
    "DOVECOT": (("dovecot",), "dovecot-imapd", "/usr/sbin"),
    "MARIADB": (("mariadbd",), "mariadb-server", "/usr/sbin"),
    "NPM": (("npm",), "npm", "/usr/bin"),
    "POSTGRES": (("postgres",), "postgresql", "/usr/lib/postgresql/*/bin"),
    "PROMETHEUS": (("prometheus",), "prometheus", "/usr/bin"),
    "SSHD": (("sshd",), "openssh-server", "/usr/sbin"),
    "VSFTPD": (("vsftpd",), "vsftpd", "/usr/sbin"),
}
SOURCES = ("DOVECOT", "MARIADB", "POSTGRES", "SSHD", "VSFTPD")
PARALLEL = ("-n", "logical", "--maxprocesses", "8")
CRASHES = (
    "tests/archive/test_disk_crashes.py",
    "tests/archive/test_expire_crashes.py",
    "tests/archive/test_store_crashes.py",
    "tests/archive/test_sweep_crashes.py",
    "tests/sphinx_ext/test_publish_deaths.py",
)
ELSEWHERE = tuple(  # sessions of their own
    f"--ignore={each}"
    for each in ("tests/integration", "tests/benchmarks", "tests/foreign", *CRASHES)
)


@nox.session(reuse_venv=True)
def demo(session: nox.Session) -> None:
    """Show the whole path on real data, from a source to the site; `-- --serve` keeps it up."""
    session.install("--editable", ".[all]", "--group", "demo", *LOCKED)
    _run_with_grace(session, "python", "-m", "tests.demo", *session.posargs)


@nox.session(reuse_venv=True)
def tests(session: nox.Session) -> None:
    """Run the tests that need no real server; `-- -k name` and the like go to pytest."""
    session.install("--editable", ".[all]", "--group", "tests", *LOCKED)
    session.run("pytest", *PARALLEL, *ELSEWHERE, *session.posargs)


@nox.session(reuse_venv=True)
def lint(session: nox.Session) -> None:
    """Check style, format and the workflows' schema; `-- --fix` repairs what it can."""
    session.install("--group", "lint", *LOCKED)
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix")
        session.run("ruff", "format")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    workflows = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(".github/workflows/*.yml"))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)


@nox.session(reuse_venv=True)
def types(session: nox.Session) -> None:
    """Check all types, strictly."""
    session.install("--editable", ".[all]", "--group", "types", *LOCKED)
    session.run("mypy", *session.posargs)


@nox.session(reuse_venv=True)
def layers(session: nox.Session) -> None:
    """Check that imports point down, with no module left out."""
    session.install("--editable", ".", "--group", "layers", *LOCKED)
    session.run("lint-imports", *session.posargs)


@nox.session(reuse_venv=True)
def docs(session: nox.Session) -> None:
    """Lint and run examples, check the site, build it, strictly; `-- linkcheck` names other builders."""
    session.install("--editable", ".[all]", "--group", "demo", *LOCKED)
    session.run("platform-ops", "lint", "docs/examples")
    session.run("platform-ops", "docs", "examples", "docs")
    session.run("python", "docs/_ext/site_archive.py")
    session.run("platform-ops", "docs", "check", "docs", "--strict")
    for builder in session.posargs or ["html"]:
        session.run(
            *("sphinx-build", "--fail-on-warning", "--nitpicky", "--keep-going", "--jobs", "auto"),
            *("--builder", builder, "docs", f"docs/_build/{builder}"),
        )


@nox.session(name="docs-live", reuse_venv=True)
def docs_live(session: nox.Session) -> None:
    """Serve the site on loopback, and build it again at each change."""
    session.install("--editable", ".[all]", "--group", "demo", *LOCKED)
    session.run("platform-ops", "docs", "serve", "docs", *session.posargs)


@nox.session(reuse_venv=True)
def integration(session: nox.Session) -> None:
    """Run the tests against real servers: Airflow itself, Azurite, and the site in Chromium."""
    session.install("--editable", ".[all]", "--group", "integration", *LOCKED)
    session.env.update(_programs(session, "CHROMIUM", "POSTGRES", "PROMETHEUS"))
    session.env["AZURITE"] = _azurite(session)
    apart = [f"--ignore=tests/integration/{each}" for each in ("roles", "sources")]  # see below
    _run_with_grace(session, "pytest", "tests/integration", *apart, *session.posargs)


@nox.session(reuse_venv=True)
def roles(session: nox.Session) -> None:
    """Try the archive browser in an Airflow whose people have roles of the FAB auth manager."""
    session.install("--editable", ".[all]", "--group", "roles", *LOCKED)
    _run_with_grace(session, "pytest", "tests/integration/roles", *session.posargs)


@nox.session(reuse_venv=True)
def sources(session: nox.Session) -> None:
    """Run the tests against real sources: databases, mail and file servers, a broker."""
    session.install("--editable", ".[all]", "--group", "sources", *LOCKED)
    session.env.update(_programs(session, *SOURCES), AZURITE=_azurite(session))
    _run_with_grace(session, "pytest", "tests/integration/sources", *session.posargs)


@nox.session(reuse_venv=True)
def races(session: nox.Session) -> None:
    """Let sixteen writers meet on one slot a hundred times, on each store and for each policy."""
    session.install("--editable", ".[all]", "--group", "integration", *LOCKED)
    session.env.update(RIVALS="16", RIVAL_ROUNDS="100", AZURITE=_azurite(session))
    where = ("tests/archive/test_rivals.py", "tests/integration/azure/test_rivals.py")
    session.run("pytest", *PARALLEL, *where, *session.posargs)


@nox.session(reuse_venv=True)
def crashes(session: nox.Session) -> None:
    """Kill what writes and removes at every call and request, and let each of them fail."""
    session.install("--editable", ".[all]", "--group", "tests", *LOCKED)
    session.env["EVERY_FAULT"] = "1"
    session.run("pytest", *PARALLEL, *CRASHES, *session.posargs)


@nox.session(reuse_venv=True)
def foreign(session: nox.Session) -> None:
    """Document five published packages of others, and count their classes against their sources."""
    session.install("--editable", ".[all]", "--group", "foreign", *LOCKED)
    session.run("pytest", "tests/foreign", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest direct versions that pyproject.toml admits."""
    session.install("--resolution", "lowest-direct", "--editable", ".[all]", "--group", "tests")
    session.run("pytest", *PARALLEL, *ELSEWHERE, *session.posargs)


@nox.session(reuse_venv=True)
def bench(session: nox.Session) -> None:
    """Measure speed and memory beside others; `-- --write docs/reference/_benchmarks` keeps tables."""
    session.install("--editable", ".[all]", "--group", "bench", *LOCKED)
    session.env.update(_programs(session, "CHROMIUM", "POSTGRES"))
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist, and the wheel from it, into dist/, and check what is in them."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    session.run("uv", "build", "--build-constraints", "constraints.txt", "--out-dir", "dist")
    (wheel_file,) = ROOT.glob("dist/*.whl")
    (sdist,) = ROOT.glob("dist/*.tar.gz")
    version = _check_wheel(session, wheel_file)
    session.log(f"{wheel_file.name} and {sdist.name} hold platform-ops {version}")


@nox.session
def wheel(session: nox.Session) -> None:
    """Test the built wheel in an environment that does not see the checkout."""
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        folder = Path(name).resolve()
        build_command = ("uv", "build", "--wheel", "--build-constraints", "constraints.txt")
        session.run(*build_command, "--out-dir", str(folder / "dist"))
        (built,) = folder.glob("dist/*.whl")
        _check_wheel(session, built)

        # The base first, alone: what an analyst has who reads an archive.
        session.install(str(built), *LOCKED)
        session.run("platform-ops", "--help", silent=True)

        session.install(f"platform-ops[all] @ {built.as_uri()}", "--group", "tests", *LOCKED)
        shutil.copytree(ROOT, folder / "elsewhere", ignore=_all_but_the_package)
        session.env["PYTHONPATH"] = None
        with session.chdir(folder / "elsewhere"):
            from_wheel = (
                "import platform_ops, sys; sys.exit('site-packages' not in platform_ops.__file__)"
            )
            session.run("python", "-c", from_wheel)
            session.run("pytest", *PARALLEL, *ELSEWHERE, *session.posargs)


@nox.session(reuse_venv=True)
def publish(session: nox.Session) -> None:
    """Publish the built site as one version; `-- docs/_build/html DESTINATION --version 1.2.3`."""
    session.install("--editable", ".[docs,s3]", *LOCKED)
    session.run("python", "-m", "platform_ops.sphinx_ext.publish", *(session.posargs or ["--help"]))


@nox.session(reuse_venv=True)
def lock(session: nox.Session) -> None:
    """Write constraints.txt anew for every extra and group; `-- --upgrade` takes newer versions."""
    groups = nox.project.load_toml("pyproject.toml")["dependency-groups"]
    session.run(
        *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--all-extras", *(part for each in sorted(groups) for part in ("--group", each))),
        *("--no-header", "--no-annotate", "--output-file", "constraints.txt", "pyproject.toml"),
        *session.posargs,
        silent=True,
    )
    pins = [
        line for line in CONSTRAINTS.read_text("utf-8").splitlines() if not line.startswith("#")
    ]
    addresses = [line for line in pins if "://" in line or " @ " in line]
    if addresses:
        session.error(
            f"constraints.txt must name no address, and has {addresses}; take these requirements "
            "out of pyproject.toml"
        )
    header = [
        "# The locked versions of every extra and dependency group, for any platform and Python.",
        "# Made by `nox -s lock`; pip and uv take it with -c, and any mirror serves it.",
    ]
    CONSTRAINTS.write_text("\n".join([*header, *pins, ""]), encoding="utf-8")


def _run_with_grace(session: nox.Session, *command: str) -> None:
    """Run a command that needs time after Ctrl-C: children such as Airflow's end in order."""
    session.run(*command, interrupt_timeout=60, terminate_timeout=60)


def _programs(session: nox.Session, *names: str) -> dict[str, str]:
    """Find these of PROGRAMS, after an install of what is missing where we may; the paths, by variable."""
    missing = [PROGRAMS[name][1] for name in names if not _located(name)]
    # A hosted runner is not root, and may become it; nobody else's machine is changed by sudo.
    become = ("env",) if os.geteuid() == 0 else ("sudo", "--non-interactive", "env")
    if missing and shutil.which("apt-get") and ("sudo" not in become or "CI" in os.environ):
        # RUNLEVEL: packages of servers start none of their own; where one does, ours has another port.
        quiet = ("DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "PREVLEVEL=N")
        apt = (*become, *quiet, "apt-get", "-o", "DPkg::Lock::Timeout=300", "-y", "-q")
        session.run_install(*apt, "update", external=True)
        session.run_install(*apt, "install", "--no-install-recommends", *missing, external=True)
    found = {name: _located(name) or "" for name in names}
    lacking = [PROGRAMS[name][1] for name, path in found.items() if not path]
    if lacking:
        session.error(f"programs are missing; on Debian: apt-get install {' '.join(lacking)}")
    return found


def _located(name: str) -> str | None:
    """The path of one of PROGRAMS, in PATH or where its package puts it."""
    programs, _, place = PROGRAMS[name]
    beside = sorted(Path("/").glob(place.lstrip("/")), reverse=True)  # the newest version first
    folders = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, beside)])
    return next(filter(None, (shutil.which(each, path=folders) for each in programs)), None)


def _azurite(session: nox.Session) -> str:
    """Install Azure's emulator, a program of npm's, below the session's environment; its folder."""
    (npm,) = _programs(session, "NPM").values()
    folder = str(Path(session.virtualenv.location) / "azurite")
    quiet = ("--no-audit", "--no-fund", "--no-save", "--loglevel=error")
    package = f"azurite@{AZURITE}"
    session.run_install(npm, "install", *quiet, "--prefix", folder, package, external=True)
    return folder


def _check_wheel(session: nox.Session, file: Path) -> str:
    """Check the metadata as an index would, and that the package is whole; return its version."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        (metadata_name,) = [
            name for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
        ]
        metadata = Metadata.from_email(archive.read(metadata_name), validate=True)
    folders = {name.split("/")[0] for name in names} - {metadata_name.split("/")[0]}
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    source = ROOT / "platform_ops"
    in_source = {str(path.relative_to(ROOT)) for path in source.rglob("*") if path.is_file()}
    missing = {name for name in in_source if "__pycache__" not in name} - set(names)
    if folders != {"platform_ops"} or missing or str(metadata.version) != declared:
        session.error(
            f"{file.name}: version {metadata.version} (pyproject.toml: {declared}), folders "
            f"{sorted(folders)}, missing {sorted(missing)}; see [tool.hatch.build] there"
        )
    return str(metadata.version)


def _all_but_the_package(folder: str, names: list[str]) -> set[str]:
    """Tell copytree what the tests of a wheel must not see, and what is only built or cached."""
    inside = Path(folder)
    hidden = {"__pycache__", "_build"} | {name for name in names if name.startswith(".")}
    if inside == ROOT:
        hidden |= {"platform_ops", "dist"}
        hidden -= {".ci", ".github", ".gitignore", ".pre-commit-config.yaml"}
    return hidden & set(names)

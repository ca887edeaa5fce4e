"""The pages of the archive browser, below :data:`platform_ops.links.MOUNT` of Airflow's API server."""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException as AnyHttpException

from platform_ops import archive, links
from platform_ops.archive import Body, Question
from platform_ops.archive.place import templates_of
from platform_ops.archive.upkeep import refused
from platform_ops.entity import Entity
from platform_ops.errors import (
    ArchiveCorrupt,
    ArchiveUnavailable,
    NotArchived,
    PlatformError,
    Removed,
    UrlError,
)
from platform_ops.ingest import site_settings
from platform_ops.settings import Settings
from platform_ops.ui import shelf
from platform_ops.ui.access import Access, Forbidden, Forged
from platform_ops.ui.freshness import Freshness
from platform_ops.ui.html import GUARDS, attachment, page, prefix_of, visible
from platform_ops.ui.preview import preview
from platform_ops.ui.ranges import Range, slice_of
from platform_ops.ui.replaying import Api, Refused, conf_of, plan
from platform_ops.ui.revision import Revision, of_run, pieces, revision_at, verified

__all__ = ["airflow_application", "app"]

log = logging.getLogger(__name__)

_STATIC: Final = Path(__file__).parent / "static"
_ENTITIES: Final = 40
_SLOTS: Final = 50
_REFUSED: Final = 5
_BODIES: Final = 50
_QUERY_LETTERS: Final = 20_000
_ENDED: Final = ("success", "failed")
_STATUS: Final[dict[type[Exception], tuple[int, str]]] = {
    Forbidden: (403, "Not allowed"),
    Forged: (403, "Not confirmed"),
    Refused: (502, "Airflow refused"),
    Removed: (410, "Removed"),
    NotArchived: (404, "Not archived"),
    UrlError: (400, "Not an address of the archive"),
    ArchiveCorrupt: (502, "Damaged"),
    ArchiveUnavailable: (503, "The archive cannot be reached"),
    PlatformError: (503, "The archive cannot be shown"),
}
"""From an error to its answer; the first class that fits counts."""

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
_freshness = Freshness()


def airflow_application() -> FastAPI:
    """Airflow's own, in whose process this runs."""
    from airflow.api_fastapi.main import app as served

    return served


def _reader(user: GetUserDep) -> Access:
    access = Access(user)
    access.require_list()
    return access


def _api(request: Request, served: Annotated[FastAPI, Depends(airflow_application)]) -> Api:
    return Api.of(request, served)


Reader = Annotated[Access, Depends(_reader)]
"""Who asks, once it is sure that they may see what there is."""
Site = Annotated[Settings, Depends(site_settings)]
AirflowApi = Annotated[Api, Depends(_api)]


@app.get("/")
def home(request: Request, _: Reader, site: Site) -> Response:
    """Every entity, a page at a time."""
    asked = _asked(request)
    index = archive.index(site)
    news = _freshness.look(index, [""], site.ui.refresh_s)
    found = shelf.listed(index, site, asked.get("q", ""))
    piece = slice_of(asked.get("page"), _ENTITIES, len(found))
    return page(
        request,
        "home.html",
        rows=list(shelf.rows(index, site, found[piece.start : piece.stop])),
        piece=piece,
        total=len(found),
        q=asked.get("q", ""),
        news=news,
        root=index.root,
        marks=shelf.MARKS,
        more=_more(request, asked),
    )


@app.get("/entity")
def entity(request: Request, _: Reader, site: Site) -> Response:
    """One entity over time."""
    asked = _asked(request)
    named = Entity.parse(asked.get("name", ""))
    index, span = archive.index(site), Range.of(asked.get("until"), asked.get("day"))
    news = _freshness.look(index, Question(named).prefixes(templates_of(site)), site.ui.refresh_s)
    found = shelf.over_time(index, site, named, span.since_utc, span.until_utc)
    rows = shelf.flat(archive.root(site), found, span.day)
    piece = slice_of(asked.get("page"), _SLOTS, len(rows))
    return page(
        request,
        "entity.html",
        entity=named,
        declared=site.declared(named),
        refused=refused.newest(archive.root(site), templates_of(site), named, _REFUSED),
        row=next(shelf.rows(index, site, [(named, next(iter(index.overview(named)), None))])),
        found=found,
        span=span,
        calendar=shelf.calendar(found, span.since, span.until),
        rows=rows[piece.start : piece.stop],
        piece=piece,
        total=len(rows),
        news=news,
        marks=shelf.MARKS,
        more=_more(request, asked),
    )


@app.get("/revision")
def revision(request: Request, access: Reader, site: Site) -> Response:
    """One revision, and the beginning of one of its bodies."""
    asked = _asked(request)
    found = revision_at(site, asked.get("manifest", ""))
    return _revision_page(request, access, site, found, asked)


def _revision_page(
    request: Request,
    access: Access,
    site: Settings,
    found: Revision,
    asked: dict[str, str],
    **more: Any,  # Any: values of the template
) -> Response:
    declared = site.declared(found.manifest.slot.entity)
    lacking = access.lacks_to_read(found.manifest, site)
    piece = slice_of(asked.get("page"), _BODIES, found.manifest.bodies)
    fault, shown = None, None
    bodies: list[Body] = []
    try:
        bodies = found.bodies(piece.start, _BODIES)
        body = found.body(asked["body"]) if "body" in asked else next(iter(bodies), None)
        if body is not None and not lacking:
            shown = (body.name, preview(body, declared.format if declared else None))
    except PlatformError as err:
        fault = str(err)
    return page(
        request,
        "revision.html",
        found=found,
        manifest=found.manifest,
        sensitivity=declared.sensitivity if declared else "internal",
        bodies=bodies,
        piece=piece,
        shown=shown,
        lacking=lacking,
        fault=fault,
        may_run=access.may_run(found.manifest),
        token=access.form_token("verify", found.url),
        document=found.manifest.to_json().decode("utf-8", "replace")[:20_000],
        query=lambda **extra: urlencode({"manifest": found.url, **extra}, errors="surrogatepass"),
        more=_more(request, asked),
        **{"verdicts": None, "too_large": False, **more},
    )


@app.get("/download")
def download(request: Request, access: Reader, site: Site) -> Response:
    """A body as it came, or the manifest where none is named; always a file."""
    asked = _asked(request)
    found = revision_at(site, asked.get("manifest", ""))
    if "body" not in asked:
        data = found.store.read(found.key)
        return Response(data, headers=attachment(f"{found.manifest.token}.json", len(data)))
    access.require_read(found.manifest, site)
    body = found.body(asked["body"])
    log.info(
        "%s downloads %s of %s", visible(access.user.get_name()), visible(body.name), found.url
    )
    taken = pieces(body)
    first = next(taken, b"")  # a small one that is damaged is a page that says so
    headers = attachment(body.name, body.size_bytes)
    return StreamingResponse(chain([first], taken), headers=headers)


@app.post("/verify")
async def verify(request: Request, access: Reader, site: Site) -> Response:
    """Read all of a slot again, and compare it with its manifests."""
    found, _ = await _confirmed(request, access, site, "verify")
    verdicts = await run_in_threadpool(verified, found, site.ui.verify_limit_bytes)
    return await run_in_threadpool(
        _revision_page,
        request,
        access,
        site,
        found,
        {},
        verdicts=verdicts,
        too_large=verdicts is None,
    )


@app.get("/replay")
async def confirm(request: Request, access: Reader, site: Site, api: AirflowApi) -> Response:
    """What a replay would do, and the button that does it."""
    asked = _asked(request)
    found = await run_in_threadpool(revision_at, site, asked.get("manifest", ""))
    access.require_run(found.manifest)
    beside = await run_in_threadpool(of_run, found, site)
    planned = await plan(api, found.manifest, conf_of(found.manifest, beside, emit=False))
    return page(
        request,
        "replay.html",
        found=found,
        manifest=found.manifest,
        plan=planned,
        beside=[hit for hit in beside if hit.slot != found.manifest.slot],
        token=access.form_token("replay", found.url),
    )


@app.post("/replay")
async def replay(request: Request, access: Reader, site: Site, api: AirflowApi) -> Response:
    """Trigger the run."""
    found, form = await _confirmed(request, access, site, "replay")
    beside = await run_in_threadpool(of_run, found, site)
    wanted = conf_of(found.manifest, beside, emit=form.get("emit") == "yes")
    run_id = await api.start(await plan(api, found.manifest, wanted))
    log.info("%s replays %s as %s", visible(access.user.get_name()), found.url, run_id)
    there = {"dag": found.manifest.run.dag_id, "run": run_id, "manifest": found.url}
    where = f"{links.home_page(prefix_of(request))}started?{urlencode(there)}"
    return RedirectResponse(where, 303, headers=GUARDS)


@app.get("/started")
async def started(request: Request, _: Reader, api: AirflowApi) -> Response:
    """How a replay goes; the page comes again by itself until the run has ended."""
    asked = _asked(request)
    dag_id, run_id = asked.get("dag", ""), asked.get("run", "")
    run = await api.run(dag_id, run_id)
    if run is None:
        raise NotArchived(f"{dag_id}: Airflow knows no run {run_id}")
    ended = run["state"] in _ENDED
    headers = {} if ended else {"Refresh": "2"}
    return page(
        request,
        "started.html",
        headers=headers,
        dag_id=dag_id,
        run_id=run_id,
        state=run["state"],
        ended=ended,
        manifest_url=asked.get("manifest", ""),
    )


@app.get("/static/{name}")
def static(name: str) -> Response:
    """Style and script, of this package alone."""
    types = {"archive.css": "text/css", "archive.js": "text/javascript"}
    if name not in types:
        raise HTTPException(404)
    headers = {**GUARDS, "Cache-Control": "max-age=600"}
    return FileResponse(_STATIC / name, media_type=types[name], headers=headers)


def _asked(request: Request) -> dict[str, str]:
    """The query; names of bodies may hold halves of letters, which the usual reading replaces."""
    text = request.scope["query_string"].decode("ascii", "replace")
    return dict(parse_qsl(text[:_QUERY_LETTERS], keep_blank_values=True, errors="surrogatepass"))


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forged(
            "The form was sent from another site: open the page here, and confirm it here."
        )
    form = await request.form(max_files=0, max_fields=10)
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _confirmed(
    request: Request, access: Access, site: Settings, action: str
) -> tuple[Revision, dict[str, str]]:
    """The revision that a form of ours is about, sent by somebody who may; and the form."""
    form = await _form(request)
    found = await run_in_threadpool(revision_at, site, form.get("manifest", ""))
    access.require_run(found.manifest)
    access.require_form(form.get("token", ""), action, found.url)
    return found, form


def _more(request: Request, asked: dict[str, str]) -> Any:  # Any: a function of the template
    """The same page with other parameters."""
    here = f"{links.home_page(prefix_of(request))}{request.url.path.rpartition('/')[2]}"

    def changed(**other: object) -> str:
        merged = {**asked, **{name: str(value) for name, value in other.items()}}
        kept = {name: value for name, value in merged.items() if value}
        return f"{here}?{urlencode(kept, errors='surrogatepass')}"

    return changed


@app.exception_handler(AnyHttpException)
async def _http(request: Request, error: AnyHttpException) -> Response:
    """Not logged in leads to Airflow's login; all else is a page."""
    if error.status_code == 401 and request.method == "GET":
        base_url = conf.get("api", "base_url", fallback="").rstrip("/") or prefix_of(request)
        here = request.url.path.rpartition("/")[2]
        query = f"?{request.url.query}" if request.url.query else ""
        there = f"{links.home_page(base_url)}{here}{query}"
        login = f"{prefix_of(request)}/api/v2/auth/login?{urlencode({'next': there})}"
        return RedirectResponse(login, 302, headers=GUARDS)
    titles = {401: "Not logged in", 403: "Not allowed", 404: "No such page"}
    title = titles.get(error.status_code, "Not possible")
    return page(request, "error.html", error.status_code, title=title, message=str(error.detail))


async def _told(request: Request, error: Exception) -> Response:
    status, title = next(answer for kind, answer in _STATUS.items() if isinstance(error, kind))
    if status >= 500:
        log.warning("%s: %s", request.url.path, error)
    return page(request, "error.html", status, title=title, message=str(error))


@app.exception_handler(Exception)
async def _unforeseen(request: Request, error: Exception) -> Response:
    """A fault of ours: a page without a word of it, and Airflow's log has the rest."""
    log.error("%s: %s", request.url.path, type(error).__name__)
    message = "The page could not be made; the log of the API server says why."
    return page(request, "error.html", 500, title="Not possible", message=message)


for _kind in (PlatformError, Forbidden, Forged):
    app.add_exception_handler(_kind, _told)

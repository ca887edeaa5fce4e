"""The Sphinx domain ``airflow``: where each object stands, and how a role finds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.domains import Domain, ObjType
from sphinx.roles import XRefRole
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from platform_ops.registry.classes.classify import TASKS
from platform_ops.sphinx_ext.kinds import CLASS_KINDS, KINDS

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment

    from platform_ops.sphinx_ext.site import Site

__all__ = ["AirflowDomain", "domain_of"]

logger = logging.getLogger(__name__)

# One object: its anchor, what a link shows, other names that it is found by.
_Object = tuple[str, str, tuple[str, ...]]


class AirflowDomain(Domain):
    """Objects of the catalogue; ``site`` is set once the catalogue is there."""

    name = "airflow"
    label = "Airflow"
    object_types: ClassVar[dict[str, ObjType]] = {
        kind.name: ObjType(kind.name, kind.name, "any") for kind in KINDS.values()
    }
    roles: ClassVar[dict[str, Any]] = {  # Any: Sphinx's own type for roles
        kind: XRefRole(warn_dangling=True) for kind in (*KINDS, "any")
    }
    initial_data: ClassVar[dict[str, Any]] = {  # Any: Sphinx pickles a plain dict
        "documents": {},
        "uses": {},
        "faults": {},
    }
    data_version = 2

    site: Site | None = None
    warns: bool = False  # of faults in docstrings, as well as noting them

    def __init__(self, env: BuildEnvironment) -> None:
        super().__init__(env)
        self._found: dict[str, list[tuple[str, str, str]]] | None = None
        # Document to its references that lead nowhere, for those that this build has resolved.
        self.dangling: dict[str, list[tuple[str, str]]] = {}

    @property
    def documents(self) -> dict[str, dict[tuple[str, str], _Object]]:
        """Document to the objects that stand in it, by kind and name.

        By document, so that clearing and merging cost what one document holds.
        """
        found: dict[str, dict[tuple[str, str], _Object]] = self.data["documents"]
        return found

    @property
    def uses(self) -> dict[str, dict[str, str]]:
        """Document to the parts of the catalogue that it shows, each with its digest."""
        found: dict[str, dict[str, str]] = self.data["uses"]
        return found

    @property
    def faults(self) -> dict[str, list[tuple[str, str]]]:
        """Document to the faults in its docstrings: whose it is, and what is wrong."""
        found: dict[str, list[tuple[str, str]]] = self.data["faults"]
        return found

    def note_object(
        self, kind: str, name: str, anchor: str, title: str, *, aliases: Iterable[str] = ()
    ) -> None:
        """Say that an object stands in the document being read.

        :param aliases: Further names that a role may use.
        """
        mine = self.documents.setdefault(self.env.docname, {})
        mine[kind, name] = (anchor, title, tuple(dict.fromkeys(aliases)))
        self._found = None

    def note_use(self, *keys: str) -> None:
        """Say that the document being read shows these parts of the catalogue."""
        if self.site is not None:
            mine = self.uses.setdefault(self.env.docname, {})
            mine.update((key, self.site.digest(key)) for key in keys)

    def note_fault(self, where: str, message: str) -> None:
        """Say that a docstring in the document being read has a fault."""
        self.faults.setdefault(self.env.docname, []).append((where, message))

    def stale_documents(self) -> Iterator[str]:
        """Documents that show a part of the catalogue that changed since they were read."""
        if self.site is None:
            return
        now: dict[str, str] = {}
        for docname, used in self.uses.items():
            for key, digest in used.items():
                if key not in now:
                    now[key] = self.site.digest(key)
                if now[key] != digest:
                    yield docname
                    break

    def clear_doc(self, docname: str) -> None:
        """Forget what a document held."""
        self.documents.pop(docname, None)
        self.uses.pop(docname, None)
        self.faults.pop(docname, None)
        self._found = None

    def merge_domaindata(
        self,
        docnames: Iterable[str],
        otherdata: dict[str, Any],  # Any: Sphinx's own type
    ) -> None:
        """Take over what another process read."""
        for docname in docnames:
            for part in ("documents", "uses", "faults"):
                if docname in otherdata[part]:
                    self.data[part][docname] = otherdata[part][docname]
        self._found = None

    def check_consistency(self) -> None:
        """Warn of objects that stand in two places, since a link can lead to one only."""
        places: dict[tuple[str, str], list[str]] = defaultdict(list)
        for docname, objects in sorted(self.documents.items()):
            for key in objects:
                places[key].append(docname)
        for (kind, name), docnames in places.items():
            if len(docnames) > 1:
                logger.warning(
                    "%s %s is described in %s; keep one, and refer to it from the others",
                    kind, name, " and in ".join(docnames),
                    type="airflow", subtype="duplicate", location=docnames[-1],
                )  # fmt: skip

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> nodes.reference | None:
        """Find what a role means: by full name, by public name, or by a bare one that is unique."""
        found = [each for each in self._names.get(target, ()) if _fits(typ, each[1])]
        if len(found) > 1:
            exact = [each for each in found if each[2] == target]
            if len(exact) != 1:
                logger.warning(
                    "%r may mean any of: %s", target, ", ".join(name for _, _, name in found),
                    type="airflow", subtype="ambiguous", location=node,
                )  # fmt: skip
            found = exact or found
        if not found:
            return None
        docname, kind, name = found[0]
        anchor, title, _ = self.documents[docname][kind, name]
        if not node.get("refexplicit"):
            inner: Any = type(contnode)  # Any: a text element, whose constructor takes the text
            kept = {key: contnode[key] for key in ("classes", "bare") if key in contnode}
            contnode = inner("", title, **kept)
        return make_refnode(builder, fromdocname, docname, _below(docname, anchor), contnode)

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: Element,
    ) -> list[tuple[str, nodes.reference]]:
        """For the role ``any``; by full names alone, since bare ones would clash with others."""
        found = []
        for docname, kind, name in self._names.get(target, ()):
            if name == target:
                anchor, _, _ = self.documents[docname][kind, name]
                place = _below(docname, anchor)
                reference = make_refnode(builder, fromdocname, docname, place, contnode)
                found.append((f"airflow:{kind}", reference))
        return found

    def find_bare(
        self, builder: Builder, node: pending_xref, contnode: Element
    ) -> nodes.reference | None:
        """What a reference of the Python domain means by a bare name, if just one thing has it."""
        target = node["reftarget"].rpartition(".")[2]
        found = [each for each in self._names.get(target, ()) if each[1] in _PYTHON_KINDS]
        if len(found) != 1:
            return None
        docname, kind, name = found[0]
        anchor, _, _ = self.documents[docname][kind, name]
        place = _below(docname, anchor)
        return make_refnode(builder, node.get("refdoc", ""), docname, place, contnode)

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """Everything, for ``objects.inv`` and the search."""
        for docname, objects in self.documents.items():
            for (kind, name), (anchor, title, _) in objects.items():
                yield name, title, kind, docname, anchor, 1

    @property
    def _names(self) -> dict[str, list[tuple[str, str, str]]]:
        """Every name that a role may use, to document, kind and name; made when first asked for."""
        if self._found is None:
            found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
            for docname, objects in sorted(self.documents.items()):
                for (kind, name), (_, _, aliases) in objects.items():
                    for each in {name, *aliases}:
                        found[each].append((docname, kind, name))
            self._found = dict(found)
        return self._found


_PYTHON_KINDS = frozenset({*CLASS_KINDS, "error"})


def _below(docname: str, anchor: str) -> str:
    """Where on a page an object begins; nowhere below its top where the page is all about it."""
    return "" if docname.endswith(f"/{anchor}") else anchor


def _fits(role: str, kind: str) -> bool:
    if role == "any":
        return kind in CLASS_KINDS
    return role == kind or (role == "operator" and kind in TASKS)


def domain_of(env: BuildEnvironment) -> AirflowDomain:
    """The domain of a build."""
    domain = env.domains["airflow"]
    if not isinstance(domain, AirflowDomain):
        raise TypeError(f"another extension registered a domain 'airflow': {type(domain)!r}")
    return domain

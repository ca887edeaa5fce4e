"""Who may do what in the browser: Airflow's auth manager says, by rights that it knows already.

| to | needs |
|---|---|
| list entities, slots, revisions, manifests | to read assets |
| read a body: preview, download | also to read XComs of the DAG that archived it |
| read one that is confidential or personal | also to read connections: whoever may could ask the source |
| verify, replay | to trigger runs of the DAG that archived it, and to read them |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.configuration import conf
from itsdangerous import BadData, URLSafeTimedSerializer

from platform_ops.entity import Manifest
from platform_ops.settings import Settings

__all__ = ["Access", "Forbidden", "Forged"]

_RESTRICTED: Final = ("confidential", "personal")
_FORM_S: Final = 4 * 3600


class Forbidden(Exception):
    """The user lacks a right; the message says which."""


class Forged(Exception):
    """A form that this site did not hand to this user, or did too long ago."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one user may do."""

    user: BaseUser

    def require_list(self) -> None:
        """The right to see what there is.

        :raises Forbidden: They lack it.
        """
        if not get_auth_manager().is_authorized_asset(method="GET", user=self.user):
            raise Forbidden("To see what is archived you need the right to read assets.")

    def lacks_to_read(self, manifest: Manifest, site: Settings) -> str | None:
        """What is missing to read a revision's bodies, in a sentence; None where nothing is."""
        manager, dag = get_auth_manager(), _dag(manifest)
        if not manager.is_authorized_dag(
            method="GET", access_entity=DagAccessEntity.XCOM, details=dag, user=self.user
        ):
            return f"To read it you need the right to read XComs of the DAG {dag.id}."
        declared = site.declared(manifest.slot.entity)
        sensitivity = declared.sensitivity if declared else "internal"
        if sensitivity in _RESTRICTED and not manager.is_authorized_connection(
            method="GET", details=ConnectionDetails(team_name=dag.team_name), user=self.user
        ):
            return (
                f"{manifest.slot.entity} is {sensitivity}: to read it you need the right to read "
                "connections."
            )
        return None

    def require_read(self, manifest: Manifest, site: Settings) -> None:
        """The right to read a revision's bodies.

        :raises Forbidden: They lack it.
        """
        if lacking := self.lacks_to_read(manifest, site):
            raise Forbidden(lacking)

    def may_run(self, manifest: Manifest) -> bool:
        """Whether they may trigger the DAG that archived a revision, and see how that goes."""
        manager, dag = get_auth_manager(), _dag(manifest)
        methods: tuple[ResourceMethod, ...] = ("POST", "GET")  # as roles of a site's own part them
        return all(
            manager.is_authorized_dag(
                method=method, access_entity=DagAccessEntity.RUN, details=dag, user=self.user
            )
            for method in methods
        )

    def require_run(self, manifest: Manifest) -> None:
        """The right to trigger the DAG that archived a revision, and to see how that goes.

        :raises Forbidden: They lack it.
        """
        if not self.may_run(manifest):
            raise Forbidden(
                f"For this you need the right to trigger runs of the DAG {manifest.run.dag_id}, and "
                "to read them."
            )

    def form_token(self, action: str, manifest_url: str) -> str:
        """What a form carries, so that no other site can send it: the cookie alone is not enough."""
        return _signer().dumps([self.user.get_id(), action, manifest_url])

    def require_form(self, token: str, action: str, manifest_url: str) -> None:
        """Check what a form carries.

        :raises Forged: It is another user's, of another form, made up, or four hours old.
        """
        try:
            told = _signer().loads(token, max_age=_FORM_S)
        except BadData:
            told = None
        if told != [self.user.get_id(), action, manifest_url]:
            raise Forged("The form is too old, or not one of this page: open the page again.")


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(get_signing_key("api", "secret_key"), salt="platform_ops.ui")


def _dag(manifest: Manifest) -> DagDetails:
    dag_id, team = manifest.run.dag_id, None
    if conf.getboolean("core", "multi_team"):
        from airflow.models.dag import DagModel

        team = DagModel.get_team_name(dag_id)
    return DagDetails(id=dag_id, team_name=team)

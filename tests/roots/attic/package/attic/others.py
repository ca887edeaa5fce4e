"""Kinds of which there is one each."""

from airflow.sdk.bases.secrets_backend import BaseSecretsBackend
from airflow.timetables.base import Timetable


class Chest(BaseSecretsBackend):
    """Keeps secrets."""


class RainyDays(Timetable):
    """When it rains."""

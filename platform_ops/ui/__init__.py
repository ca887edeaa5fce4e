"""The archive browser in Airflow's UI: a plugin of its API server, pages of plain HTML.

:mod:`~platform_ops.ui.plugin` is what every process of Airflow imports, and costs nothing; all else is
imported by the first request. Who may see what is Airflow's to say (:mod:`~platform_ops.ui.access`), and
nothing that came from outside is ever sent as anything but escaped text, or as a file (ADR 0026).
"""

"""Everything that a package can bring to Airflow."""

"""Result sets of databases: rows and types to Parquet, in parts, since a watermark, and into tables."""

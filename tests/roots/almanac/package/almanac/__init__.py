"""A package of a site's own."""

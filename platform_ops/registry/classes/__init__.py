"""Classes of operators, hooks and the like: imported, or read from source, and described."""

"""DAG files as a scheduler sees them: read once, and again when what they are made of changes."""

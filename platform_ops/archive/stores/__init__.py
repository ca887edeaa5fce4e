"""The places an archive can lie in: one door, a disk and the object stores behind it."""

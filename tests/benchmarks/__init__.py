"""Benchmarks: each compares us with a named peer, side by side in one run; never a timed test."""

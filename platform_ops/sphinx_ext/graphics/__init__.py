"""Graphs and charts as inline SVG, laid out and drawn by the build."""

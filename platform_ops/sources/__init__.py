"""One file per system that data comes from, holding its hook and its operators."""

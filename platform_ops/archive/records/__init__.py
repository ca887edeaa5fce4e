"""What stands in the archive about a capture: manifests, their chain, and what was removed of them."""

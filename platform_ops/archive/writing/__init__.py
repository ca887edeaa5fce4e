"""One capture on its way in: measured, inspected, redacted, and committed once."""

"""What was captured, as it came: one body of many, compressed or packed, checked and compared."""

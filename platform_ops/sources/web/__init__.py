"""HTTP itself: one exchange, the pages of a delivery, logins, limits, and exports that take their time."""

"""The Chinese of every message: one table a room, keyed by the English template."""

"""What two right programs may differ by, and what the engine and torch do differ by. Nothing here imports torch."""

"""What goes through a model, and what should come out: letters, numbers, rows of files, first states, targets."""

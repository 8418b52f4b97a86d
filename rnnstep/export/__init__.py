"""What leaves the program: a checked run as JSON, CSV or npz, and a scenario as a PyTorch program."""

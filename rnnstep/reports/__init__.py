"""What leaves the program: a trace, gradients, a training, marks; each with its JSON, CSV and npz."""

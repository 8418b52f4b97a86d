"""torch computes: the forward pass, the gradients, the update and the training of a scenario."""

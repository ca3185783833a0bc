"""Models: groups, registration, deployment, predictions and training."""

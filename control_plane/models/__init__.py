"""Versions: on their way in, their changes, their evidence, and TorchServe brought to what is wanted."""

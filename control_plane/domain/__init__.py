"""The words of the service as values. Pure."""

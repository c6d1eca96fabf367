"""The service in front of TorchServe: identity of a request, deadlines, overload, readiness, history."""

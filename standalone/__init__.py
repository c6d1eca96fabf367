"""`make run`: PostgreSQL, TorchServe and the control plane on one machine, as children of one supervisor."""

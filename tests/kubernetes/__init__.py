"""What `deploy/kubernetes` renders to, and what must hold of it."""

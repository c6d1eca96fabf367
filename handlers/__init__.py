"""What runs inside TorchServe workers, and what builds the archives they run."""

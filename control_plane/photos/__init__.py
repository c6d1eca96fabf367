"""Pictures: checked while they come in, kept where somebody consented."""

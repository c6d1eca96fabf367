"""The public contract: what requests may say and what answers hold."""

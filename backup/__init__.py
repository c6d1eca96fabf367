"""Backups of the whole service, and the way back: database, kept pictures, model store, records still on a disk."""

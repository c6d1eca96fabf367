"""Checks an uploaded archive or checkpoint before anybody registers it: `python -m quarantine FOLDER`.

A process of its own without a network; the folder is its only channel. It may import handlers and standalone, never
control_plane, and control_plane never imports it.
"""

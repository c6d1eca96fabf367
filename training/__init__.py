"""Synthetic pictures, datasets, training and evaluation; never imported by what serves."""

import os

# Read when torch is first imported. Threads that spin while they wait make training ten times slower
# on a machine that also does something else; sleeping ones cost a few percent on a quiet one.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

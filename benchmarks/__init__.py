"""Measures Weedwatch against what it could be replaced by: `make bench`. It runs for minutes and is no test."""

"""The service's version, as the changelog counts it."""

VERSION = "0.1.0"

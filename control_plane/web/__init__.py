"""HTTP: uvicorn's server, what stands around every request, and what routes share."""

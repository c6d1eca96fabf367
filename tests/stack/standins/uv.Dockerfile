# Stands in for ghcr.io/astral-sh/uv: the same two programs, out of the Python package. They are to be copied into an
# image with a C library; here alone they do not run, as the official ones would.
# What it copies comes from named build contexts.
# hadolint global ignore=DL3022
FROM scratch
COPY --from=uv uv uvx /
WORKDIR /io
ENTRYPOINT ["/uv"]

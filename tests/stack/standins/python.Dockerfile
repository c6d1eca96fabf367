# Stands in for python:3.11…-slim-bookworm: Debian's Python at the official image's paths, for virtual environments.
FROM weedwatch-standin-base:bookworm
# As in the official image nothing is compiled, and nothing marks the installation as the system's.
# The base installs nothing that is only recommended, and versions are whatever Debian has.
# hadolint ignore=DL3008,DL3015
RUN apt-get update \
    && apt-get install -y python3 python3-venv netbase tzdata \
    && find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} + \
    && rm -rf /usr/lib/python3*/EXTERNALLY-MANAGED /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt \
    && for name in python python3 python3.11; do ln -s /usr/bin/python3.11 "/usr/local/bin/$name"; done
ENV LANG=C.UTF-8
CMD ["python3"]

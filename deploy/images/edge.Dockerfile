# nginx with the web pages. Built by `make images`.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.8
ARG NGINX_IMAGE=nginx:1.28.0-bookworm

FROM ${UV_IMAGE} AS uv

# Third-party files of the pages: those of this machine when they are current, else by the same setup as anywhere.
FROM ${PYTHON_IMAGE} AS pages
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PYTHON_DOWNLOADS=never
WORKDIR /build
COPY setup_environment.py ./
COPY ui ui
RUN --mount=type=cache,target=/root/.cache/uv --mount=type=cache,target=/root/.npm \
    python3 setup_environment.py --pages \
    && rm -r ui/package.json ui/package-lock.json ui/vendor/.made-from \
    && chmod -R a=rX ui

FROM ${NGINX_IMAGE} AS edge
COPY deploy/nginx/ /etc/nginx/
COPY --chmod=755 deploy/nginx/entrypoint.d/ /docker-entrypoint.d/
COPY deploy/nginx/errors /usr/share/nginx/errors
COPY --from=pages /build/ui /usr/share/nginx/html/ui
# A new volume takes its owner from here.
RUN install --directory --owner 10001 --group 10001 /certificates
USER 10001:10001
EXPOSE 8080 8443 9113
STOPSIGNAL SIGQUIT
# Through TLS, to a control plane: a port that answers by itself would prove nothing.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["curl", "--fail", "--silent", "--show-error", "--insecure", "https://127.0.0.1:8443/health/live"]
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Weedwatch edge" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

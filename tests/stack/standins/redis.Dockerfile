# Stands in for redis:…-bookworm: Debian's newest Redis with the official image's user, folder and start.
FROM weedwatch-standin-base:forky
# The base installs nothing that is only recommended, and versions are whatever Debian has.
# hadolint ignore=DL3008,DL3015
RUN groupadd --system --gid 999 redis \
    && useradd --system --gid 999 --uid 999 --no-create-home --home-dir /data --shell /bin/false redis \
    && apt-get update \
    && apt-get install -y redis-server redis-tools \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /etc/redis \
    && for name in server cli benchmark; do ln -sf "/usr/bin/redis-$name" "/usr/local/bin/redis-$name"; done \
    && install -d -o redis -g redis /data
COPY --chmod=0755 docker-entrypoint.sh /usr/local/bin/
WORKDIR /data
VOLUME /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]

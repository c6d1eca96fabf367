# Stands in for prom/prometheus: Debian's newest Prometheus at the official image's paths.
# What it copies comes from named build contexts.
# hadolint global ignore=DL3022
FROM weedwatch-standin-base:bookworm
COPY --from=busybox bin/busybox /bin/
COPY --from=monitoring usr/bin/prometheus usr/bin/promtool /bin/
RUN ln -s busybox /bin/wget \
    && install -d -o nobody -g nogroup /prometheus /etc/prometheus \
    && printf 'scrape_configs: []\n' >/etc/prometheus/prometheus.yml
USER 65534
WORKDIR /prometheus
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]

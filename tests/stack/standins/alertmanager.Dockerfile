# Stands in for prom/alertmanager: Debian's newest Alertmanager at the official image's paths.
# What it copies comes from named build contexts.
# hadolint global ignore=DL3022
FROM weedwatch-standin-base:bookworm
COPY --from=busybox bin/busybox /bin/
COPY --from=monitoring usr/bin/amtool /bin/
COPY --from=monitoring usr/bin/prometheus-alertmanager usr/bin/prometheus-alertmanager-unpacked /opt/alertmanager/usr/bin/
COPY --from=monitoring usr/share/prometheus/alertmanager /opt/alertmanager/usr/share/prometheus/alertmanager
RUN ln -s busybox /bin/wget \
    && ln -s /opt/alertmanager/usr/bin/prometheus-alertmanager /bin/alertmanager \
    && install -d -o nobody -g nogroup /alertmanager /etc/alertmanager \
    && printf 'route:\n  receiver: none\nreceivers:\n  - name: none\n' >/etc/alertmanager/alertmanager.yml
USER 65534
WORKDIR /alertmanager
VOLUME /alertmanager
EXPOSE 9093
ENTRYPOINT ["/bin/alertmanager"]
CMD ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]

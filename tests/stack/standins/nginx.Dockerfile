# Stands in for nginx:…-bookworm: Debian's newest nginx with the official image's paths, user and templates.
FROM weedwatch-standin-base:forky
# Debian's nginx keeps unfinished bodies in /var/lib/nginx, the official one in /var/cache/nginx.
# The base installs nothing that is only recommended, and versions are whatever Debian has.
# hadolint ignore=DL3008,DL3015
RUN apt-get update \
    && apt-get install -y nginx gettext-base curl \
    && groupadd --system --gid 101 nginx \
    && useradd --system --gid nginx --no-create-home --home-dir /nonexistent --shell /bin/false --uid 101 nginx \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/lib/nginx /etc/nginx/sites-* /etc/nginx/conf.d/* /etc/nginx/nginx.conf \
    && install -d -o nginx -g nginx /var/cache/nginx \
    && ln -s /var/cache/nginx /var/lib/nginx \
    && install -d /usr/share/nginx/html /etc/nginx/templates \
    && ln -sf /dev/stdout /var/log/nginx/access.log \
    && ln -sf /dev/stderr /var/log/nginx/error.log
COPY nginx.conf /etc/nginx/nginx.conf
COPY default.conf /etc/nginx/conf.d/default.conf
COPY --chmod=0755 docker-entrypoint.sh /
COPY --chmod=0755 20-envsubst-on-templates.sh /docker-entrypoint.d/
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]

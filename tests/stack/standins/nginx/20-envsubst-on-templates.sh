#!/bin/sh
# Fill in the templates. Only variables of the environment are replaced: nginx has variables of its own.
set -e

templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$templates" ] || exit 0
if [ ! -w "$output" ]; then
    echo "20-envsubst-on-templates.sh: $output cannot be written, the templates stay as they are" >&2
    exit 0
fi
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | grep -E "${NGINX_ENVSUBST_FILTER:-}" | sed 's/.*/${&}/' | tr '\n' ' ')
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    made=$output/${template#"$templates"/}
    made=${made%"$suffix"}
    mkdir -p "$(dirname "$made")"
    envsubst "$names" <"$template" >"$made"
done

#!/bin/sh
# Puts each secret file into the environment under the file's name, then becomes the command.
#
# A secret given this way stands in no image, no compose file and no `docker inspect`. A variable
# that is set already wins, unless it is empty.
set -eu
for file in "${SECRETS:-/secrets}"/*/[A-Z]*; do
    [ -r "$file" ] || continue
    name=${file##*/}
    [ -n "$(printenv "$name" || true)" ] || export "$name=$(cat "$file")"
done
exec "$@"

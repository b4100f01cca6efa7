#!/bin/sh
# Builds both images without a Docker engine, and tries each service's command in them.
#
#   sudo deploy/build_images.sh [FOLDER]
#
# Needs root, Debian's packages buildah and debootstrap, a Python with PyYAML (PYTHON; by default
# that of .venv), and a network. FOLDER (default: var/images) takes some 12 GB and may be deleted
# afterwards. The base is a Debian with its own Python, given through the same ARG that compose
# passes; where Docker exists, `docker compose build` does all of this on its own.
#
# What runs is said by deploy/try_services.py. Not tried: Docker's own work (its networks, volumes
# and restarts), and the images of PostgreSQL and Grafana.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-"$here/var/images"}
python=${PYTHON:-"$here/.venv/bin/python"}
suite=${SUITE:-bookworm}
base=localhost/jobchurn-base:$suite
mkdir -p "$folder/storage" "$folder/run"
cd "$here"

buildah() {
    command buildah --storage-driver vfs --root "$folder/storage" --runroot "$folder/run" "$@"
}

step() {
    echo "== $1 ($(date +%T))"
}

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    step "base: Debian $suite and its Python"
    rm -rf "$folder/debian"
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
        "$suite" "$folder/debian" >"$folder/debootstrap.log"
    rm -rf "$folder"/debian/var/cache/apt/archives/*.deb "$folder"/debian/var/lib/apt/lists/*
    # A network of one's own may have a certificate authority of its own.
    cp /etc/ssl/certs/ca-certificates.crt "$folder/debian/etc/ssl/certs/ca-certificates.crt"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$folder/debian" / >/dev/null
    buildah config \
        --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
        --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
        "$container"
    buildah commit --quiet --rm "$container" "$base" >/dev/null
    rm -rf "$folder/debian"
fi

for target in api full; do
    step "image: $target"
    buildah build --format docker --isolation chroot --layers=false --pull-never \
        --build-arg "BASE=$base" --file deploy/Dockerfile --ignorefile .dockerignore \
        --target "$target" --tag "localhost/jobchurn-$target" . >"$folder/$target.log" 2>&1 || {
        tail -30 "$folder/$target.log"
        exit 1
    }
done
buildah images

step "services"
api=$(buildah from --pull-never localhost/jobchurn-api)
full=$(buildah from --pull-never localhost/jobchurn-full)
status=0
buildah inspect "$api" >"$folder/api.json"
buildah inspect "$full" >"$folder/full.json"
unshare --net --mount --pid --fork --mount-proc --kill-child \
    "$python" deploy/try_services.py "$folder/volumes" \
    "jobchurn-api=$(buildah mount "$api"):$folder/api.json" \
    "jobchurn-full=$(buildah mount "$full"):$folder/full.json" || status=$?
buildah umount "$api" "$full" >/dev/null
buildah rm "$api" "$full" >/dev/null
exit "$status"

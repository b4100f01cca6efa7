#!/bin/sh
# The entrypoint of Grafana's container: completes our files, then becomes the command.
#
# Grafana does not start with a channel whose address is empty, and puts the environment neither
# into annotations nor into dashboards. So it is given a copy, in which that has been seen to.
set -eu

from=$(dirname "$0")
to=${GRAFANA_FILES:-/tmp/grafana}

# Grafana takes secrets from files for its own settings alone; provisioning reads variables.
for name in GF_SECURITY_ADMIN_PASSWORD GRAFANA_DATABASE_PASSWORD RUNBOOK_QUERY; do
    file=${SECRETS:-/secrets/grafana}/$name
    [ ! -r "$file" ] || export "$name=$(cat "$file")"
done
if [ -z "${GF_SECURITY_ADMIN_PASSWORD:-}" ]; then
    echo 'start.sh: without GF_SECURITY_ADMIN_PASSWORD Grafana would take its well-known one.' >&2
    exit 1
fi

rm -rf "$to"
mkdir -p "$to/provisioning/plugins"
cp -R "$from/dashboards" "$from/provisioning" "$to/"

# channel NAME ADDRESS: leaves a channel out that has no address, or has none any more.
told=
channel() {
    if [ -n "$2" ]; then
        told="$told $1"
    else
        cat >"$to/provisioning/alerting/channel-$1.yaml" <<END
apiVersion: 1
deleteContactPoints:
- orgId: 1
  uid: jobchurn-$1
END
    fi
}
channel teams "${GRAFANA_TEAMS_WEBHOOK:-}"
channel email "${GRAFANA_EMAIL:-}"
channel webhook "${GRAFANA_WEBHOOK:-}"
if [ -n "$told" ]; then
    echo "start.sh: Grafana sends alerts to:$told"
    channel nobody ''
else
    echo 'start.sh: Grafana sends alerts to nobody: no address is set.'
fi

# fill FILE PATTERN ADDRESS: writes an address in place of another, or of a variable's name.
fill() {
    case $3 in
    '' | *[!A-Za-z0-9:/.,_~%?=@+-]*)
        echo "start.sh: no address that can be used in its place: $3" >&2
        exit 1
        ;;
    esac
    sed "s|$2|$3|g" "$1" >"$1.filled"
    mv "$1.filled" "$1"
}
api=${API_PUBLIC_URL:-http://127.0.0.1:8000}
webapp=${WEBAPP_PUBLIC_URL:-http://127.0.0.1:8501}
runbook=${RUNBOOK_URL:-${api%/}/runbook}
for file in "$to"/dashboards/*.json; do
    fill "$file" 'http://127\.0\.0\.1:8000' "${api%/}"
    fill "$file" 'http://127\.0\.0\.1:8501' "${webapp%/}"
done
# Who follows a link holds no key of the API. The runbook's links are signed, where a secret of the
# API has made what they need; where keys are asked for, reports are read in the web app instead.
if [ -n "${RUNBOOK_QUERY:-}" ]; then
    case $RUNBOOK_QUERY in
    *[!A-Za-z0-9%=\&_-]*)
        echo 'start.sh: RUNBOOK_QUERY is no query.' >&2
        exit 1
        ;;
    esac
    query=$(printf %s "?$RUNBOOK_QUERY" | sed 's/&/\\&/g')
    # shellcheck disable=SC2016 # Not our variables: the files'.
    for file in "$to"/dashboards/*.json; do
        sed -e 's|\${api}/runbook/${__value.raw}|&'"$query|" \
            -e 's|\${api}/reports/${__value.raw}|${webapp}/ingestion|' "$file" >"$file.signed"
        mv "$file.signed" "$file"
    done
    if [ -z "${RUNBOOK_URL:-}" ]; then
        rules=$to/provisioning/alerting/rules.yaml
        # shellcheck disable=SC2016
        sed 's|\${RUNBOOK_URL}/[a-z-]*|&'"$query|" "$rules" >"$rules.signed"
        mv "$rules.signed" "$rules"
    fi
fi
# shellcheck disable=SC2016 # Not our variable: the files'.
fill "$to/provisioning/alerting/rules.yaml" '\${RUNBOOK_URL}' "${runbook%/}"

[ -z "${GF_SMTP_HOST:-}" ] || export GF_SMTP_ENABLED=true
export GF_PATHS_PROVISIONING="$to/provisioning" GRAFANA_DASHBOARDS="$to/dashboards"

# Grafana reads the administrator's password at its very first start alone. Where the secret has
# changed since, a demonstration's well-known one above all, it is told.
data=${GF_PATHS_DATA:-/var/lib/grafana}
mark=$(printf %s "${GF_SECURITY_ADMIN_PASSWORD:-}" | sha256sum)
if [ -e "$data/grafana.db" ] && [ "$(cat "$data/.admin" 2>/dev/null)" != "$mark" ]; then
    printf %s "$GF_SECURITY_ADMIN_PASSWORD" |
        grafana cli --homepath "${GF_PATHS_HOME:-/usr/share/grafana}" \
            admin reset-admin-password --password-from-stdin ||
        { echo 'start.sh: the password of admin could not be changed.' >&2; mark=; }
fi
printf %s "$mark" >"$data/.admin"

exec "$@"

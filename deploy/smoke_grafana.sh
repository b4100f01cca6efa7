#!/bin/sh
# Asks a running Grafana whether all that belongs to us is there and works.
#
# usage: GRAFANA_PASSWORD=… deploy/smoke_grafana.sh
#
# GRAFANA_URL (http://127.0.0.1:3000) and GRAFANA_USER (admin) may be set as well. Under Compose,
# `docker compose logs secrets` has told the password; it never stands in a command's arguments.
# Each check is a line; the exit code is 0 where all are well, 1 where one is not, 2 where nothing
# could be asked. Needs curl and python3.
set -eu

url=${GRAFANA_URL:-http://127.0.0.1:3000}
url=${url%/}
user=${GRAFANA_USER:-admin}
ours=${GRAFANA_FOLDER:-$(dirname "$0")/../grafana}

if [ -z "${GRAFANA_PASSWORD:-}" ]; then
    echo 'smoke_grafana.sh: set GRAFANA_PASSWORD in the environment.' >&2
    exit 2
fi
for program in curl python3; do
    command -v "$program" >/dev/null || {
        echo "smoke_grafana.sh: $program is needed." >&2
        exit 2
    }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
failed=0

well() { printf 'ok    %s\n' "$*"; }
bad() {
    printf 'FAIL  %s\n' "$*"
    failed=$((failed + 1))
}

# ask PATH [FILE]: GET, or POST of a file; the answer is in $work/answer, its status in $status.
ask() {
    # By curl's standard input: a list of processes shows arguments, and nothing of a builtin.
    status=$(
        printf 'user = "%s"\n' "$(printf %s "$user:$GRAFANA_PASSWORD" | sed 's/[\\"]/\\&/g')" |
            curl --config - --silent --max-time 30 --output "$work/answer" \
                --write-out '%{http_code}' --header 'Accept: application/json' \
                ${2:+--header 'Content-Type: application/json' --data-binary "@$2"} \
                "$url$1"
    ) || status=000
    [ -e "$work/answer" ] || : >"$work/answer"
}

# answered WHAT: whether the status is 200; says so where it is not.
answered() {
    [ "$status" = 200 ] && return
    case $status in
    000) bad "$1: no answer from $url" ;;
    401 | 403) bad "$1: Grafana refuses the sign-in (HTTP $status)" ;;
    *) bad "$1: HTTP $status: $(head -c 200 "$work/answer" | tr '\n' ' ')" ;;
    esac
    return 1
}

# read_answer WHAT [WORD…]: hands the answer to the Python program on standard input, which prints
# what is well, or leaves with words of what is not.
read_answer() {
    what=$1
    shift
    if said=$(python3 - "$work/answer" "$@" 2>"$work/fault"); then
        well "$what: $said"
    else
        bad "$what: $(tail -n 1 "$work/fault")"
    fi
}

ask /api/health
answered health || {
    printf 'Nothing more can be asked.\n'
    exit 1
}
read_answer health <<'PYTHON'
import json, sys
health = json.load(open(sys.argv[1]))
version = str(health.get("version", ""))
if health.get("database") != "ok":
    sys.exit(f"its own database is {health.get('database')!r}")
if version and int(version.split(".")[0]) < 12:
    sys.exit(f"Grafana {version} is older than 12")
print(f"Grafana {version}")
PYTHON

ask /api/datasources/uid/jobchurn
if answered 'data source jobchurn'; then
    read_answer 'data source jobchurn' <<'PYTHON'
import json, sys
source = json.load(open(sys.argv[1]))
if source.get("type") != "grafana-postgresql-datasource":
    sys.exit(f"it is a {source.get('type')!r}")
if source.get("user") != "jobchurn_reader":
    sys.exit(f"it signs in as {source.get('user')!r}, not as jobchurn_reader")
print(f"{source.get('user')} at {source.get('url')}")
PYTHON
    ask /api/datasources/uid/jobchurn/health
    # A source that fails its check is answered with 400 and the reason.
    [ "$status" != 400 ] || status=200
    if answered 'data source answers'; then
        read_answer 'data source answers' <<'PYTHON'
import json, sys
health = json.load(open(sys.argv[1]))
if health.get("status") != "OK":
    sys.exit(str(health.get("message") or health))
print(health.get("message", ""))
PYTHON
    fi
fi

for file in "$ours"/dashboards/*.json; do
    name=$(basename "$file" .json)
    ask "/api/dashboards/uid/$name"
    answered "dashboard $name" || continue
    read_answer "dashboard $name" "$file" <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[1]))["dashboard"]
wanted = json.load(open(sys.argv[2]))
missing = {panel["id"] for panel in wanted["panels"]} - {
    panel.get("id") for panel in found.get("panels", [])
}
if missing:
    sys.exit(f"panels are missing: {sorted(missing)}")
print(f"{found.get('title')}, {len(wanted['panels'])} panels")
PYTHON
done

ask /api/prometheus/grafana/api/v1/rules
if answered 'states of the rules'; then
    cp "$work/answer" "$work/states"
    sed -n 's/^  - uid: //p' "$ours/provisioning/alerting/rules.yaml" >"$work/rules"
    while read -r uid; do
        ask "/api/v1/provisioning/alert-rules/$uid"
        answered "rule $uid" || continue
        read_answer "rule $uid" "$work/states" <<'PYTHON'
import json, sys
rule = json.load(open(sys.argv[1]))
groups = json.load(open(sys.argv[2]))["data"]["groups"]
states = {}
for group in groups:
    for state in group["rules"]:
        states[state["name"]] = states[state.get("uid") or state["name"]] = state
state = states.get(rule["uid"]) or states.get(rule["title"])
if state is None:
    sys.exit("Grafana does not judge it")
if state.get("health") in ("error", "err", "nodata"):
    sys.exit(f"{state['health']}: {state.get('lastError') or 'no reason is given'}")
if state.get("health") == "unknown":
    print("not judged yet, which takes a minute from the start")
else:
    print(state.get("state"))
PYTHON
    done <"$work/rules"
fi

ask /api/v1/provisioning/contact-points
if answered 'contact point jobchurn'; then
    read_answer 'contact point jobchurn' <<'PYTHON'
import json, sys
channels = [point for point in json.load(open(sys.argv[1])) if point.get("name") == "jobchurn"]
if not channels:
    sys.exit("it is missing")
names = sorted(point["uid"].removeprefix("jobchurn-") for point in channels)
print("nobody is told: no address is set" if names == ["nobody"] else ", ".join(names))
PYTHON
fi

ask /api/v1/provisioning/policies
if answered 'notification policy'; then
    read_answer 'notification policy' <<'PYTHON'
import json, sys
policy = json.load(open(sys.argv[1]))
if policy.get("receiver") != "jobchurn":
    sys.exit(f"alerts go to {policy.get('receiver')!r}")
routes = {
    matcher[2]: route.get("repeat_interval")
    for route in policy.get("routes") or []
    for matcher in route.get("object_matchers") or []
    if matcher[0] == "severity" and route.get("receiver", "jobchurn") == "jobchurn"
}
missing = {"critical", "warning"} - set(routes)
if missing:
    sys.exit(f"no route for what is {' or '.join(sorted(missing))}")
print(", ".join(f"{name} again after {routes[name]}" for name in ("critical", "warning")))
PYTHON
fi

# The first panel that Grafana can answer alone: variables are filled in by the browser.
python3 - "$work/query" "$ours"/dashboards/*.json <<'PYTHON'
import json, sys
panels = [panel for path in sys.argv[2:] for panel in json.load(open(path))["panels"]]
target = next(t for panel in panels for t in panel["targets"] if "${" not in t["rawSql"])
query = {**target, "intervalMs": 60_000, "maxDataPoints": 240}
with open(sys.argv[1], "w") as file:
    json.dump({"queries": [query], "from": "now-6h", "to": "now"}, file)
PYTHON
ask /api/ds/query "$work/query"
# A query that fails is answered with 400 or 500 and the reason.
case $status in 400 | 500) status=200 ;; esac
if answered 'query of a panel'; then
    read_answer 'query of a panel' <<'PYTHON'
import json, sys
answer = json.load(open(sys.argv[1]))
result = (answer.get("results") or {}).get("A")
if result is None:
    sys.exit(str(answer.get("message") or answer))
if result.get("error") or not result.get("frames"):
    sys.exit(str(result.get("error") or "it has no frame"))
columns = [field["name"] for field in result["frames"][0]["schema"]["fields"]]
print(f"columns {', '.join(columns)}")
PYTHON
fi

if [ "$failed" -gt 0 ]; then
    printf '%s of the checks failed.\n' "$failed"
    exit 1
fi
printf 'All is well.\n'

# Steps that are all tried, one after the other or beside each other. Sourced by .ci/run, which sets
#
#   work    a folder, in which `steps` keeps how each went
#   limit   seconds that a step may take
#
# shellcheck shell=bash

began=$SECONDS
beside=''
mkdir -p "$work/steps"

say() {
    printf '\n== %s  %s\n' "$(date +%T)" "$*"
}

# step NUMBER NAME COMMAND…: run it to its end, and note how it went.
step() {
    local number=$1 name=$2 start=$SECONDS code=0 running alarm
    shift 2
    say "$name"
    printf '%s\n' "$name" >"$work/steps/$number.name"
    # In process groups of their own, so that each can be ended with all that it has started; and in
    # a shell of its own, in which the first failure ends the step: `if` would turn that off.
    set -m
    (set -e; "$@") </dev/null &
    running=$!
    alarm "$name" "$running" </dev/null &
    alarm=$!
    set +m
    printf '%s\n' "$running" "$alarm" >"$work/steps/$number.groups"
    wait "$running" || code=$?
    disown "$alarm"  # else its end would be told
    end_groups KILL "$alarm"
    rm "$work/steps/$number.groups"
    printf '%s %s\n' "$code" $((SECONDS - start)) >"$work/steps/$number.outcome"
}

# End a step, with all that it has started, that takes longer than it may.
alarm() {
    sleep "$limit"
    say "$1: not ended after $limit s"
    end_groups TERM "$2"
    sleep 20
    end_groups KILL "$2"
}

# aside NUMBER NAME COMMAND…: a step that keeps what it prints until the summary.
aside() {
    step "$@" >"$work/steps/$1.log" 2>&1
}

# begin_beside COMMAND: run what calls `aside`, beside all that follows.
begin_beside() {
    set -m
    "$@" </dev/null &
    beside=$!
    set +m
}

end_groups() {
    local signal=$1 group
    shift
    for group in "$@"; do
        kill "-$signal" -- "-$group" 2>/dev/null || true
    done
}

# End whatever still runs, as when somebody presses Ctrl-C.
end_steps() {
    [ -z "$beside" ] || end_groups KILL "$beside"
    local file
    for file in "$work"/steps/*.groups; do
        [ ! -e "$file" ] || mapfile -t groups <"$file"
        [ ! -e "$file" ] || end_groups TERM "${groups[@]}"
    done
}

# Wait for what runs beside, show what it has printed, and say how every step went; false where one
# failed, or has left no word of how it went.
summary() {
    local name number code seconds failed=0 lines=()
    [ -z "$beside" ] || wait "$beside" || failed=1
    beside=''
    for name in "$work"/steps/*.name; do
        number=$(basename "$name" .name)
        [ ! -e "$work/steps/$number.log" ] || cat "$work/steps/$number.log"
        code='was killed' seconds='?'
        [ ! -e "$work/steps/$number.outcome" ] || read -r code seconds <"$work/steps/$number.outcome"
        if [ "$code" = 0 ]; then
            lines+=("$(printf 'passed %6s s  %s' "$seconds" "$(cat "$name")")")
        else
            failed=1
            lines+=("$(printf 'FAILED %6s s  %s (%s)' "$seconds" "$(cat "$name")" "$code")")
        fi
    done
    say "summary, after $((SECONDS - began)) s"
    printf '%s\n' "${lines[@]}"
    return $failed
}

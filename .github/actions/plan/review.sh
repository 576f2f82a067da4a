#!/usr/bin/env bash
# Writes the review of every spec to $STEADY_COMMENT and the job's summary. Its exit code is an output, so that the
# comment is written before the check turns red. What a pull request names comes in as environment only.
set -euo pipefail
shopt -s globstar

head=$(cd "$STEADY_HEAD" && pwd)
base=${STEADY_BASE:+$(cd "$STEADY_BASE" && pwd)}

named() {
  cd "$1"
  while IFS= read -r pattern; do
    compgen -G "$pattern" || true
  done <<< "$STEADY_SPECS"
}

mapfile -t specs < <({ (named "$head"); [ -z "$base" ] || (named "$base"); } | sort -u)
read -ra options <<< "${STEADY_OPTIONS//$'\n'/ }"
[ -z "$base" ] || options+=(--base "$base")

code=0
if [ ${#specs[@]} -eq 0 ]; then
  echo "no spec files" > "$STEADY_COMMENT"
else
  (cd "$head" && steady plan -o markdown --detailed-exitcode "${options[@]}" -- "${specs[@]}") \
    > "$STEADY_COMMENT" || code=$?
fi
[ -s "$STEADY_COMMENT" ] || echo "no plan: the job's log says why" > "$STEADY_COMMENT"

cat "$STEADY_COMMENT" >> "$GITHUB_STEP_SUMMARY"
echo "exit-code=$code" >> "$GITHUB_OUTPUT"

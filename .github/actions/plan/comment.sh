#!/usr/bin/env bash
# One comment per pull request, found by its last line and edited in place. No text of the pull request is a part of
# any command: the body is read from a file.
set -euo pipefail

comments="repos/$GITHUB_REPOSITORY/issues/$STEADY_PULL/comments"
printf '\n\n<!-- steadyfleet: plan -->' >> "$STEADY_COMMENT"

ours='.[] | select(.user.type == "Bot" and (.body | endswith("<!-- steadyfleet: plan -->"))) | .id'
found=$(gh api --paginate "$comments?per_page=100" --jq "$ours")
first=${found%%$'\n'*}

if [ -n "$first" ]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$first" --field "body=@$STEADY_COMMENT"
else
  gh api --silent --method POST "$comments" --field "body=@$STEADY_COMMENT"
fi

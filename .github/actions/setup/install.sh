#!/usr/bin/env bash
# Installs steady from the checkout that this action lies in, with the dependencies that its tests have seen.
set -euo pipefail

root=$(cd "$STEADY_ACTION/../../.." && pwd)
pip install --quiet --constraint "$root/.ci/constraints.txt" "steadyfleet${STEADY_EXTRAS:+[$STEADY_EXTRAS]} @ file://$root"

case ",$STEADY_EXTRAS," in
  *,stacks,*)
    # The Pulumi CLI of the SDK's own version, where none that is new enough is on the path already.
    python -c 'from pulumi.automation import PulumiCommand; print(PulumiCommand.install().command)' \
      | xargs dirname >> "$GITHUB_PATH"
    ;;
esac

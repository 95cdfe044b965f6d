#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A sample of the benchmark `survival`: stores damaged at rest and in use, and kill -9 under load.
# shellcheck source=tests/smoke/daemon.bash
. "$(dirname "$0")/daemon.bash"
require node

cd "$BUILD" || die "$BUILD is no folder"
exec "$SOURCE/tests/bench/run" survival --stopped "${NNJIT_STOPPED:-40}" --running "${NNJIT_RUNNING:-8}" \
	--kills "${NNJIT_KILLS:-8}" --seed "${NNJIT_SEED:-$RANDOM}"

#!/bin/sh
# resume_kill_test.sh - tests/resume_test.sh with thirty kills, fifteen for each number of threads.
RESUME_KILLS=${RESUME_KILLS:-15} exec "$(dirname "$0")/../resume_test.sh"

#!/bin/sh
# resume_kill_test.sh - tests/resume_test.sh with thirty kills, on longer trainings.
KILLS=${KILLS:-30} STEPS=${STEPS:-4000} exec "$(dirname "$0")/../resume_test.sh"

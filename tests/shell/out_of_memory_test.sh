#!/bin/sh
# out_of_memory_test.sh - a few of the trials of tests/long/allocation_test.sh: the operations in which a
# wrong verdict would cost most.
exec bash "$(dirname "$0")/../long/allocation_test.sh" 6 json checkpoint resume "read safetensors" \
  "read npz"

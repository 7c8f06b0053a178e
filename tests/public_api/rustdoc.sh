#!/bin/sh
# The JSON output of rustdoc is unstable. Only rustdoc gets the variable that allows it: build scripts watch that
# variable, and Cargo would build their crates again for this test and once more afterwards.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"

# Finds a demand not met, and says so.
.include "common.s"
    say fail frames given back expected=0x2 seen=0x3 at=scenario.rs:7
    say end fail
    freeze
    end FAILURE

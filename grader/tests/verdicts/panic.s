# Gives up.
.include "common.s"
    say diagnosis panic no frame left at=pool.rs:7
    say end died
    freeze
    end FAILURE

# Gives up.
.include "common.s"
    say diagnosis panic no frame left
    say end died
    freeze
    end FAILURE

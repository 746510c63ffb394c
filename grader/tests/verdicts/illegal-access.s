# Ends itself since something touched what it may not.
.include "common.s"
    say diagnosis illegal-access write to 0x5000_0000
    say end died
    freeze
    end FAILURE

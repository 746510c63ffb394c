# Does everything right.
.include "common.s"
    say end pass
    end SUCCESS

# Says that it passed, and ends as if it had not.
.include "common.s"
    say end pass
    end FAILURE

# Says that it passed, and stands still, but not where tests are run.
.include "common.s"
    say end pass
    freeze
    end SUCCESS

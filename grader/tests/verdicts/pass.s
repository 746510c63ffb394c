# Does everything right: it says so where tests are run.
.include "common.s"
    call RUN_TEST
    end SUCCESS

run_test

# Says that it passed where tests are run, but on a stack that it made itself.
.include "common.s"
    mov esp, offset other_stack_top
    call RUN_TEST
    end SUCCESS

run_test

.bss
.skip 4096
other_stack_top:

# Says that it passed where tests are run, after it ran an instruction that it made in its data.
.include "common.s"
    mov byte ptr [made], 0xC3 # ret
    mov eax, offset made
    call eax
    call RUN_TEST
    end SUCCESS

run_test

.bss
made:
.skip 1

# What `make debug` starts GDB with, beside Droste's own commands: stops where the kernel dies.

set pagination off
set disassembly-flavor intel

break droste::trap::die
break droste::kmain::panic

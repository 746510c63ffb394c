# What `make debug` starts GDB with, beside Droste's own commands: a stop where the kernel dies.

set pagination off
set disassembly-flavor intel

break droste::system::crash::die

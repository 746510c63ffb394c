# What `make debug` starts GDB with: stops at kmain, and looks at page tables through the recursive window.

set pagination off
set disassembly-flavor intel

define pde
  x/xw 0xfffff000 + 4 * (($arg0 >> 22) & 0x3ff)
end
document pde
pde ADDRESS: the directory entry that translates ADDRESS, once the kernel's own page table is loaded.
end

define pte
  x/xw 0xffc00000 + 4 * (($arg0 >> 12) & 0xfffff)
end
document pte
pte ADDRESS: the page-table entry that translates ADDRESS; an error where there is no table.
end

break kmain
continue

//! Lets the comparison on the host have llfree, which is in no registry: `scripts/bench-host` says where it is built.
#![forbid(unsafe_code)]

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(llfree)");
    println!("cargo::rerun-if-env-changed=LLFREE_BUILT");
    if let Ok(built) = env::var("LLFREE_BUILT") {
        println!(
            "cargo::rustc-cfg=llfree\ncargo::rustc-link-search={built}\ncargo::rustc-link-search=dependency={built}/deps"
        );
    }
}

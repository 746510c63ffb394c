//! Every scenario on the software machine.
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod machine;

use droste::scenarios::{self, Machine, Outcome};
use machine::SoftMachine;

/// One test for each scenario, so that they run in parallel and fail by name.
macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let mut machine = SoftMachine::start(32);
                let (_, scenario) = scenarios::all::<SoftMachine>().find(|(name, _)| *name == $name).unwrap();
                finish(&mut machine, scenario);
            }
        )*

        #[test]
        fn every_scenario_has_a_test() {
            let tested = [$($name),*];
            let all: Vec<_> = scenarios::all::<SoftMachine>().map(|(name, _)| name).collect();
            assert_eq!(all, tested);
        }
    };
}

fn finish(machine: &mut SoftMachine, scenario: fn(&mut SoftMachine) -> Outcome) {
    if let Err(failure) = scenarios::run(machine, scenario) {
        panic!("{failure}");
    }
    assert!(machine.with(|memory| memory.frames.check()));
}

scenarios! {
    standard_pages: "standard-pages",
    standard_pages_short: "standard-pages-short",
    standard_pools: "standard-pools",
    recursive_entry: "recursive-entry",
    window_addresses: "window-addresses",
    identity_range: "identity-range",
    tables_in_process_pool: "tables-in-process-pool",
    new_space_is_empty: "new-space-is-empty",
    fresh_page_is_zero: "fresh-page-is-zero",
    recycled_tables_are_clean: "recycled-tables-are-clean",
    free_page: "free-page",
    free_page_keeps_the_rest: "free-page-keeps-the-rest",
    freed_page_is_flushed: "freed-page-is-flushed",
    last_page_gives_its_table_back: "last-page-gives-its-table-back",
    read_only_page: "read-only-page",
    out_of_frames: "out-of-frames",
    window_of_an_absent_table: "window-of-an-absent-table",
    every_page_up_to_the_windows: "every-page-up-to-the-windows",
    lazy_region: "lazy-region",
    sizes_round_up_to_pages: "sizes-round-up-to-pages",
    legitimate_at_every_edge: "legitimate-at-every-edge",
    refused_at_every_edge: "refused-at-every-edge",
    sizes_that_cannot_be: "sizes-that-cannot-be",
    released_hole_is_reused: "released-hole-is-reused",
    neighbours_coalesce: "neighbours-coalesce",
    exact_fit: "exact-fit",
    many_live_regions: "many-live-regions",
    ten_thousand_rounds: "ten-thousand-rounds",
    release_of_what_is_no_region: "release-of-what-is-no-region",
    half_touched_region: "half-touched-region",
    region_across_tables: "region-across-tables",
    pools_are_isolated: "pools-are-isolated",
    pools_that_cannot_be: "pools-that-cannot-be",
    dropped_pool_gives_back: "dropped-pool-gives-back",
    strict_after_register: "strict-after-register",
    metadata_grows_and_shrinks: "metadata-grows-and-shrinks",
    same_address_different_contents: "same-address-different-contents",
    faults_use_the_current_space: "faults-use-the-current-space",
    spaces_in_any_order: "spaces-in-any-order",
    current_space_is_not_destroyed: "current-space-is-not-destroyed",
    random_operations: "random-operations",
}

#[test]
fn fifty_thousand_random_operations_agree_with_the_model() {
    finish(&mut SoftMachine::start(32), |machine| scenarios::random_operations(machine, 50_000, 0xD205_7E00));
}

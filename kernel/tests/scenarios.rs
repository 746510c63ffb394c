//! Every scenario on the software machine.
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod machine;

use droste::scenarios::{self, Machine, Outcome};
use machine::SoftMachine;

/// One test for each scenario, so that they run in parallel and fail by name; each with its machine's MiB of memory.
macro_rules! scenarios {
    ($($test:ident: $name:literal, $megabytes:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let mut machine = SoftMachine::start($megabytes);
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

#[test]
fn frame_pools_alone() {
    for (name, scenario) in scenarios::FRAME_POOLS {
        if let Err(failure) = scenario() {
            panic!("{name}: {failure}");
        }
    }
}

fn finish(machine: &mut SoftMachine, scenario: fn(&mut SoftMachine) -> Outcome) {
    if let Err(failure) = scenarios::run(machine, scenario) {
        panic!("{failure}");
    }
    assert!(machine.with(|memory| memory.frames.check()));
}

scenarios! {
    standard_pages: "standard-pages", 32;
    standard_pages_short: "standard-pages-short", 32;
    standard_pools: "standard-pools", 32;
    recursive_entry: "recursive-entry", 32;
    window_addresses: "window-addresses", 32;
    identity_range: "identity-range", 32;
    tables_in_process_pool: "tables-in-process-pool", 32;
    new_space_is_empty: "new-space-is-empty", 32;
    fresh_page_is_zero: "fresh-page-is-zero", 32;
    backed_pages_are_the_kernels: "backed-pages-are-the-kernels", 32;
    recycled_tables_are_clean: "recycled-tables-are-clean", 32;
    free_page: "free-page", 32;
    free_page_keeps_the_rest: "free-page-keeps-the-rest", 32;
    freed_page_is_flushed: "freed-page-is-flushed", 32;
    last_page_gives_its_table_back: "last-page-gives-its-table-back", 32;
    read_only_page: "read-only-page", 32;
    out_of_frames: "out-of-frames", 32;
    window_of_an_absent_table: "window-of-an-absent-table", 32;
    every_page_up_to_the_windows: "every-page-up-to-the-windows", 32;
    lazy_region: "lazy-region", 32;
    sizes_round_up_to_pages: "sizes-round-up-to-pages", 32;
    legitimate_at_every_edge: "legitimate-at-every-edge", 32;
    refused_at_every_edge: "refused-at-every-edge", 32;
    sizes_that_cannot_be: "sizes-that-cannot-be", 32;
    released_hole_is_reused: "released-hole-is-reused", 32;
    neighbours_coalesce: "neighbours-coalesce", 32;
    exact_fit: "exact-fit", 32;
    many_live_regions: "many-live-regions", 32;
    ten_thousand_rounds: "ten-thousand-rounds", 32;
    release_of_what_is_no_region: "release-of-what-is-no-region", 32;
    half_touched_region: "half-touched-region", 32;
    region_across_tables: "region-across-tables", 32;
    pools_are_isolated: "pools-are-isolated", 32;
    many_pools: "many-pools", 32;
    pools_that_cannot_be: "pools-that-cannot-be", 32;
    dropped_pool_gives_back: "dropped-pool-gives-back", 32;
    strict_after_register: "strict-after-register", 32;
    metadata_grows_and_shrinks: "metadata-grows-and-shrinks", 32;
    release_of_a_metadata_page: "release-of-a-metadata-page", 32;
    unused_metadata_page_goes: "unused-metadata-page-goes", 32;
    no_room_after_all: "no-room-after-all", 32;
    a_pools_handle_dies_with_it: "a-pools-handle-dies-with-it", 32;
    same_address_different_contents: "same-address-different-contents", 32;
    faults_use_the_current_space: "faults-use-the-current-space", 32;
    spaces_in_any_order: "spaces-in-any-order", 32;
    current_space_is_not_destroyed: "current-space-is-not-destroyed", 32;
    thousand_spaces: "thousand-spaces", 32;
    twenty_thousand_spaces: "twenty-thousand-spaces", 512;
    spaces_until_frames_run_out: "spaces-until-frames-run-out", 32;
    sixty_thousand_regions: "sixty-thousand-regions", 32;
    seven_hundred_tables: "seven-hundred-tables", 32;
    regions_across_every_border: "regions-across-every-border", 32;
    scattered_touches: "scattered-touches", 32;
    create_runs_out: "create-runs-out", 32;
    register_runs_out: "register-runs-out", 32;
    allocate_runs_out: "allocate-runs-out", 32;
    fault_runs_out: "fault-runs-out", 32;
    random_operations: "random-operations", 32;
    random_spaces: "random-spaces", 32;
    audited_standard_pages: "audited-standard-pages", 32;
    audited_standard_pools: "audited-standard-pools", 32;
    audited_lazy_region: "audited-lazy-region", 32;
    audited_release: "audited-release", 32;
    audited_spaces: "audited-spaces", 32;
    audited_random: "audited-random", 32;
}

#[test]
fn fifty_thousand_random_operations_agree_with_the_model() {
    finish(&mut SoftMachine::start(32), |machine| scenarios::random_operations(machine, 50_000));
}

#[test]
fn a_hundred_thousand_random_operations_on_several_spaces_agree_with_the_model() {
    finish(&mut SoftMachine::start(64), |machine| scenarios::random_spaces(machine, 100_000));
}

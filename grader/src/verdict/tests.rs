use super::*;
use signal_hook::consts::{SIGABRT, SIGKILL, SIGSEGV, SIGTERM};

const PASSING: &str = "droste 1\nbegin t\nend pass\n";
const SILENT: &str = "it ended without a word at the exit device";
const DYING: &str = "droste 1\nbegin t\nreport where  no region holds 0x5000_0000\n\
    diagnosis illegal-access write of 0x5000_0000\nend died\n";

fn run(control: &str, status: i32) -> Run {
    Run {
        control: control.into(),
        console: "PASS\nend pass\nguard page\n".into(),
        ..Run::nothing(Ended::Status(status))
    }
}

fn passes() -> Expects {
    Expects::Test { name: "t".into(), outcome: Outcome::Passes, checkpoints: Vec::new() }
}

fn dies(kind: &str, says: &str) -> Expects {
    let outcome = Outcome::Dies(vec![Death { kind: kind.into(), says: vec![says.into()] }]);
    Expects::Test { name: "t".into(), outcome, checkpoints: Vec::new() }
}

fn lists(names: &[&str]) -> Expects {
    let names = names.iter().map(|&name| name.into()).collect();
    Expects::Test { name: "list".into(), outcome: Outcome::Lists(names), checkpoints: Vec::new() }
}

#[test]
fn records_and_status_together_pass() {
    assert_eq!(judge(&passes(), &run(PASSING, SUCCESS)), Verdict::Pass);
}

#[test]
fn a_triple_fault_after_the_last_record_is_a_reset() {
    assert_eq!(judge(&passes(), &run(PASSING, 0)), Verdict::Reset(SILENT));
}

#[test]
fn good_records_do_not_outweigh_another_status() {
    for status in [1, 2, FAILURE, 65] {
        assert_eq!(judge(&passes(), &run(PASSING, status)).name(), "FAIL", "{status}");
    }
}

#[test]
fn a_good_status_does_not_outweigh_missing_records() {
    for control in [
        "",
        "droste 1\n",
        "droste 1\nend pass\n",
        "begin t\nend pass\n",
        "droste 1\nbegin t\n",
        "droste 1\nbegin t\nend pa",
        "droste 1\nbegin t\nend pass",
        "droste 1\nbegin t\nend pass\nend pass\n",
    ] {
        assert_eq!(judge(&passes(), &run(control, SUCCESS)).name(), "FAIL", "{control:?}");
    }
}

#[test]
fn a_console_that_says_pass_is_not_a_pass() {
    let silent = run("", SUCCESS);
    assert!(silent.console.contains("PASS"));
    assert_eq!(judge(&passes(), &silent).name(), "FAIL");
}

#[test]
fn a_pass_of_another_test_is_not_a_pass() {
    let other = "droste 1\nbegin other\nend pass\n";
    assert_eq!(judge(&passes(), &run(other, SUCCESS)).name(), "FAIL");
}

#[test]
fn a_failed_check_fails_the_test_whatever_follows() {
    let control = "droste 1\nbegin t\nfail free frames expected=0x1b00 seen=0x1aff at=pools.rs:1\nend pass\n";
    let check = Check { at: Some("pools.rs:1".into()), ..Check::new("free frames", "0x1b00", "0x1aff") };
    for status in [SUCCESS, FAILURE, 0] {
        assert_eq!(judge(&passes(), &run(control, status)), Verdict::Fail(vec![check.clone()]));
    }
}

#[test]
fn an_end_that_says_fail_fails_even_with_the_status_of_success() {
    let control = "droste 1\nbegin t\nend fail\n";
    assert_eq!(judge(&passes(), &run(control, SUCCESS)).name(), "FAIL");
    assert_eq!(judge(&passes(), &run(control, FAILURE)).name(), "FAIL");
}

#[test]
fn a_death_that_nobody_expects_is_told_in_its_own_words() {
    let verdict = judge(&passes(), &run(DYING, FAILURE));
    assert_eq!(verdict, Verdict::IllegalAccess("illegal-access write of 0x5000_0000".into()));
}

#[test]
fn an_expected_death_passes_with_its_words_in_the_report() {
    assert_eq!(judge(&dies("illegal-access", "no region holds"), &run(DYING, FAILURE)), Verdict::Pass);
}

#[test]
fn an_expected_death_fails_without_its_words_in_the_report_whatever_the_console_shows() {
    assert!(run(DYING, FAILURE).console.contains("guard page"));
    assert_eq!(judge(&dies("illegal-access", "guard page"), &run(DYING, FAILURE)).name(), "FAIL");
}

#[test]
fn a_death_of_another_kind_is_not_the_expected_one() {
    for kind in ["illegal", "panic"] {
        assert_eq!(judge(&dies(kind, "no region"), &run(DYING, FAILURE)).name(), "ILLEGAL ACCESS");
    }
    let panic = "droste 1\nbegin t\ndiagnosis panic words\nend died\n";
    assert_eq!(judge(&dies("illegal-access", "no region"), &run(panic, FAILURE)).name(), "PANIC");
}

#[test]
fn a_death_test_that_survives_fails() {
    assert_eq!(judge(&dies("illegal-access", "no region"), &run(PASSING, SUCCESS)).name(), "FAIL");
}

#[test]
fn a_death_without_diagnosis_or_with_another_status_does_not_pass() {
    let expected = dies("illegal-access", "no region");
    assert_eq!(judge(&expected, &run("droste 1\nbegin t\nend died\n", FAILURE)).name(), "FAIL");
    assert_eq!(judge(&expected, &run(DYING, 0)), Verdict::Reset(SILENT));
    assert_eq!(judge(&expected, &run(DYING, SUCCESS)).name(), "FAIL");
}

#[test]
fn a_machine_ended_at_its_limit_timed_out_even_after_a_good_last_record() {
    let limit = Duration::from_secs(10);
    let late = Run { ended: Ended::OverLimit(limit), ..run(PASSING, 0) };
    assert_eq!(judge(&passes(), &late), Verdict::Timeout(limit));
    assert_eq!(judge(&Expects::Boot { status: SUCCESS }, &late), Verdict::Timeout(limit));
}

#[test]
fn only_what_others_ended_is_not_held_against_the_kernel() {
    for (ended, name) in [
        (Ended::Signal(SIGKILL), "INFRASTRUCTURE"),
        (Ended::Signal(SIGTERM), "INFRASTRUCTURE"),
        (Ended::Signal(SIGABRT), "FAIL"),
        (Ended::Signal(SIGSEGV), "FAIL"),
        (Ended::Status(1), "FAIL"),
    ] {
        let stderr = "qemu-system-i386: ../hw/x.c:7: f: Assertion `false' failed.\n".into();
        let gone = Run { ended: ended.clone(), ran: true, stderr, ..run(PASSING, 0) };
        assert_eq!(judge(&passes(), &gone).name(), name, "{ended:?}");
        let words = judge(&passes(), &gone).checks()[0].seen.clone();
        assert!(name != "FAIL" || words.contains("Assertion `false' failed"), "{words}");
        let silent = Run { stderr: String::new(), ..gone };
        assert_eq!(judge(&passes(), &silent).name(), name, "{ended:?} without a word");
    }
}

#[test]
fn without_a_machine_nothing_is_held_against_the_kernel() {
    let missing = Run { ended: Ended::NotStarted("no qemu".into()), ..run("", 0) };
    assert_eq!(judge(&passes(), &missing), Verdict::Infrastructure("no qemu".into()));
    for words in ["qemu-system-i386: no kernel", "need: bochs is missing: run 'make setup'"] {
        let refused = Run { console: String::new(), stderr: format!("{words}\nmore\n"), ..run("", 1) };
        assert_eq!(judge(&passes(), &refused), Verdict::Infrastructure(words.into()));
        assert_eq!(judge(&Expects::Boot { status: 0 }, &refused), Verdict::Infrastructure(words.into()));
    }
    let warned = Run { stderr: "qemu-system-i386: warning: a device\n".into(), ..run("", 1) };
    assert_eq!(judge(&Expects::Boot { status: SUCCESS }, &warned).name(), "FAIL");
}

#[test]
fn a_boot_passes_by_its_status_alone() {
    let expected = Expects::Boot { status: SUCCESS };
    assert_eq!(judge(&expected, &run("", SUCCESS)), Verdict::Pass);
    assert_eq!(judge(&expected, &run("", 0)), Verdict::Reset(SILENT));
    assert_eq!(judge(&expected, &run("", FAILURE)).name(), "FAIL");
    let by_script = Expects::Boot { status: 0 };
    assert_eq!(judge(&by_script, &run("", 0)), Verdict::Pass);
    assert_eq!(judge(&by_script, &run("", 1)).name(), "FAIL");
}

#[test]
fn a_list_passes_if_it_is_the_manifests() {
    let control = "droste 1\nbegin list\ntest a\ntest b\nend pass\n";
    assert_eq!(judge(&lists(&["a", "b"]), &run(control, SUCCESS)), Verdict::Pass);
    assert_eq!(judge(&lists(&["a"]), &run(control, SUCCESS)).checks()[0].what, "b");
    assert_eq!(judge(&lists(&["a", "b", "c"]), &run(control, SUCCESS)).checks()[0].what, "c");
    let twice = "droste 1\nbegin list\ntest a\ntest a\nend pass\n";
    assert_eq!(judge(&lists(&["a"]), &run(twice, SUCCESS)).name(), "FAIL");
}

#[test]
fn only_a_pass_has_nothing_to_say() {
    assert!(Verdict::Pass.checks().is_empty());
    assert_eq!(Verdict::Reset(SILENT).checks().len(), 1);
}

#[test]
fn what_the_auditor_found_outweighs_every_word_of_the_kernel() {
    let found = Check::new("page 0x400", "backed", "absent");
    let audited = Run { findings: vec![found.clone()], ended: Ended::Frozen, ..run(PASSING, 0) };
    assert_eq!(judge(&passes(), &audited), Verdict::Fail(vec![found]));
}

#[test]
fn a_checkpoint_that_never_came_fails_the_test() {
    let checkpoint = Checkpoint { name: "filled".into(), faults: None, backed: None, claims: 0 };
    let expects = Expects::Test { name: "t".into(), outcome: Outcome::Passes, checkpoints: vec![checkpoint] };
    assert_eq!(judge(&expects, &run(PASSING, SUCCESS)).name(), "FAIL");
    let audited = Run { held: vec!["filled".into()], ..run(PASSING, SUCCESS) };
    assert_eq!(judge(&expects, &audited), Verdict::Pass);
}

#[test]
fn a_machine_that_stands_still_at_the_freeze_port_says_failure() {
    let frozen = |control| Run { ended: Ended::Frozen, ..run(control, 0) };
    assert_eq!(judge(&dies("illegal-access", "no region holds"), &frozen(DYING)), Verdict::Pass);
    assert_eq!(judge(&passes(), &frozen(PASSING)).name(), "FAIL");
    assert_eq!(judge(&Expects::Boot { status: SUCCESS }, &frozen("")).name(), "FAIL");
}

#[test]
fn each_end_has_its_verdict() {
    let place = CodeLocation { address: 0x10_0000, function: "droste::spin".into(), line: None };
    for (ended, name) in [
        (Ended::Reset, "RESET"),
        (Ended::Status(0), "RESET"),
        (Ended::TripleFault(vec!["#PF".into()]), "TRIPLE FAULT"),
        (Ended::Halted(place.clone()), "HALTED"),
        (Ended::Spinning(place.clone(), Duration::from_secs(8)), "HANG"),
        (Ended::FaultLoop { address: 0, place, times: 30 }, "FAULT LOOP"),
    ] {
        assert_eq!(judge(&passes(), &Run { ended: ended.clone(), ..run("droste 1\nbegin t\n", 0) }).name(), name);
        assert_eq!(judge(&passes(), &Run { ended, ..run(PASSING, 0) }).name(), name);
    }
}

#[test]
fn a_report_is_held_against_what_the_kernel_calls_by_name() {
    let control = |said: &str| {
        format!("droste 1\nbegin t\nname start 0x1\nname start 0x5000_0000\nreport {said}\ndiagnosis panic\nend died\n")
    };
    let wanted = dies("panic", "region {start}");
    assert_eq!(judge(&wanted, &run(&control("in region 0x5000_0000"), FAILURE)), Verdict::Pass);
    let missing = Check::new("the report", "\"region 0x5000_0000\"", "not there");
    assert_eq!(judge(&wanted, &run(&control("in region 0x1"), FAILURE)), Verdict::Fail(vec![missing]));
}

#[test]
fn of_two_deaths_that_are_right_each_has_its_own_words() {
    let death = |kind: &str, says: &str| Death { kind: kind.into(), says: vec![says.into()] };
    let outcome = Outcome::Dies(vec![death("locked", "damaged"), death("illegal-access", "no region")]);
    let wanted = Expects::Test { name: "t".into(), outcome, checkpoints: Vec::new() };
    assert_eq!(judge(&wanted, &run(DYING, FAILURE)), Verdict::Pass);
    let locked = DYING.replace("illegal-access", "locked");
    assert_eq!(judge(&wanted, &run(&locked, FAILURE)).name(), "FAIL");
    let another = DYING.replace("illegal-access", "panic");
    assert_eq!(judge(&wanted, &run(&another, FAILURE)).name(), "PANIC");
}

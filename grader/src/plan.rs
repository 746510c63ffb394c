//! The plan: what is run, in the order in which people read it.

use crate::job::Job;
use crate::manifest::{Group, MATRIX, Manifest, is_of};
use crate::matrix;
use crate::qemu::Reference;
use crate::verdict::{Expects, Outcome};
use crate::vm::Machine;
use std::collections::BTreeMap;
use std::path::Path;

/// All that could be run. The first two jobs come before the rest, and are run whatever is selected.
pub struct Plan {
    /// Groups in reading order.
    pub groups: Vec<Group>,
    /// All jobs. The first is a boot that does nothing: what a machine costs, and so what time limits are made of. The
    /// second compares the kernel's list of tests with the manifest.
    pub jobs: Vec<Job>,
}

/// How many jobs come before the rest.
pub const FIRST: usize = 2;

impl Plan {
    /// Makes the plan for `kernel`. With `deterministic`, time is counted in instructions.
    ///
    /// # Errors
    ///
    /// In words, if the manifest lacks a group or the test `noop`.
    pub fn new(manifest: &Manifest, kernel: &Path, deterministic: bool) -> Result<Self, String> {
        let reference = |memory: &str, programs: bool, drive: Option<u32>, command_line: String| {
            let (kernel, memory) = (kernel.into(), memory.into());
            Machine::Reference(Reference { kernel, memory, command_line, programs, drive, deterministic })
        };
        let group_of: BTreeMap<&str, &str> =
            manifest.tests.iter().map(|test| (test.id.as_str(), test.group.as_str())).collect();
        let groups = manifest.groups();
        let group = |id: &str| groups.get(id).copied().ok_or_else(|| format!("the manifest lacks the group {id}"));
        let mut jobs = Vec::new();
        for test in &manifest.tests {
            let group = group(&test.group)?;
            jobs.push(Job {
                group: test.group.clone(),
                id: test.id.clone(),
                sentence: test.sentence.clone(),
                points: test.worth(group),
                lab: test.lab(group),
                partial: test.partial,
                needs: test.needs.iter().map(|need| format!("{}/{need}", group_of[need.as_str()])).collect(),
                visibility: test.visibility,
                hint: test.hint.clone().unwrap_or_else(|| group.hint.clone()),
                cause: test.cause.clone().unwrap_or_else(|| group.cause.clone()),
                limit: test.limit,
                expects: test.expects(),
                machine: reference(&test.memory, test.programs, test.drive, format!("test={}", test.id)),
            });
        }
        let noop = jobs.iter().position(|job| job.id == "noop").ok_or("the manifest lacks the test noop")?;
        jobs[..=noop].rotate_right(1);
        let list = Job {
            id: "list".into(),
            sentence: "the kernel has the tests of the manifest, and no others".into(),
            points: 0,
            hint: "testing.md".into(),
            cause: "a test that only one of the kernel and the manifest has, or a kernel built with another overlay"
                .into(),
            expects: Expects::Test {
                name: "list".into(),
                outcome: Outcome::Lists(manifest.names()),
                checkpoints: Vec::new(),
            },
            machine: reference("32M", false, None, "test=list".into()),
            ..jobs[0].clone()
        };
        jobs.insert(1, list);
        jobs.extend(matrix::jobs(kernel, deterministic, group(MATRIX)?));
        Ok(Self { groups: manifest.groups.clone(), jobs })
    }

    /// Keeps the tests of `lab` and those that are in each lab, but no whole boots.
    pub fn select_lab(&mut self, lab: u32) {
        self.jobs.retain(|job| job.group != MATRIX && is_of(lab, job.lab));
    }

    /// Keeps what there is to run in a tree that was handed out for `lab`: nothing of later labs, and no whole boots, which
    /// need all of them.
    pub fn select_up_to_lab(&mut self, lab: u32) {
        self.jobs.retain(|job| job.group != MATRIX && job.lab.is_none_or(|own| own <= lab));
    }

    /// Keeps the jobs whose name contains one of `filters`, and the first two; all of them if there is no filter.
    pub fn select(&mut self, filters: &[String]) {
        let mut index = 0;
        self.jobs.retain(|job| {
            index += 1;
            index <= FIRST || filters.is_empty() || job.is_named(filters)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Visibility;

    fn plan() -> Plan {
        let manifest = Manifest::load(None).expect("well-formed");
        Plan::new(&manifest, Path::new("droste.elf"), false).expect("a plan")
    }

    #[test]
    fn two_thirds_of_the_points_rest_on_what_the_auditor_saw() {
        let kernel = Path::new("none");
        let plan = Plan::new(&Manifest::load(None).expect("well-formed"), kernel, false).expect("a plan");
        let points = |jobs: &mut dyn Iterator<Item = &Job>| jobs.map(|job| job.points).sum::<u32>();
        let is_audited =
            |job: &&Job| matches!(&job.expects, Expects::Test { checkpoints, .. } if !checkpoints.is_empty());
        let (audited, all) = (points(&mut plan.jobs.iter().filter(is_audited)), points(&mut plan.jobs.iter()));
        assert!(3 * audited >= 2 * all, "{audited} of {all}");
    }

    #[test]
    fn every_test_says_what_is_wrong_most_often_where_it_fails() {
        let without: Vec<String> = Manifest::load(None)
            .expect("it is well-formed")
            .tests
            .into_iter()
            .filter(|test| test.cause.is_none())
            .map(|test| test.id)
            .collect();
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn names_in_a_plan_differ() {
        let plan = plan();
        let names: std::collections::BTreeSet<String> = plan.jobs.iter().map(Job::name).collect();
        assert_eq!(names.len(), plan.jobs.len());
    }

    #[test]
    fn a_filter_keeps_what_it_names_and_the_first_two() {
        let mut plan = plan();
        plan.select(&["matrix/memory-1G".into()]);
        let names: Vec<String> = plan.jobs.iter().map(Job::name).collect();
        assert_eq!(names, ["boot/noop", "boot/list", "matrix/memory-1G"]);
    }

    #[test]
    fn a_lab_keeps_its_tests_and_a_tree_for_one_what_led_there() {
        let labs = |select: fn(&mut Plan)| {
            let mut plan = plan();
            select(&mut plan);
            assert!(plan.jobs[0].id == "noop" && plan.jobs.iter().all(|job| job.group != MATRIX));
            plan.jobs
                .iter()
                .map(|job| job.lab)
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(labs(|plan| plan.select_lab(2)), [None, Some(2)]);
        assert_eq!(labs(|plan| plan.select_up_to_lab(2)), [None, Some(1), Some(2)]);
    }

    #[test]
    fn a_job_says_what_its_test_does_of_limit_marks_and_who_sees_it() {
        let mut manifest = Manifest::load(None).expect("well-formed");
        let test = manifest.tests.last_mut().expect("there are tests");
        (test.limit, test.points, test.partial, test.visibility) = (7, Some(9), true, Visibility::Hidden);
        let id = test.id.clone();
        let plan = Plan::new(&manifest, Path::new("droste.elf"), false).expect("a plan");
        let job = plan.jobs.iter().find(|job| job.id == id).expect("each test is a job");
        assert_eq!((job.limit, job.points, job.partial, job.visibility), (7, 9, true, Visibility::Hidden));
    }
}

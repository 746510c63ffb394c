# What an instructor makes.

.PHONY: handout grade gradescope mutants check-grading

# The instructor finds the grader beside itself.
INSTRUCTOR = scripts/cargo build --quiet --package grader && scripts/cargo run --quiet --package instructor --

handout: ## Make the tree that students start from, build/handout
	@$(INSTRUCTOR) handout

grade: ## Grade a submission, results in build/results/NAME: SUBMISSION=dir [OVERLAY=dir: hidden tests]
	@$(INSTRUCTOR) grade $(if $(RESULTS),--results $(RESULTS)) $(if $(OVERLAY),--overlay $(OVERLAY)) $(or $(SUBMISSION),$(error SUBMISSION=dir says what is graded))

gradescope: ## Pack an autograder for Gradescope, build/autograder.zip
	@$(INSTRUCTOR) gradescope $(if $(OVERLAY),--overlay $(OVERLAY))

mutants: ## Plant mistakes, one at a time, and demand that the grader catches each: ONLY='words of names'
	@$(INSTRUCTOR) mutants $(if $(ONLY),$(ONLY),--table docs/src/mutants.md)

check-grading: mutants ## Show that the grader sees what it must: mutants, and submissions of all kinds
	scripts/cargo test --package instructor -- --ignored

# What an instructor makes.

.PHONY: handout grade gradescope mutants check-grading

INSTRUCTOR = scripts/cargo run --quiet --package instructor --

handout: ## Make the tree that students start from, build/handout
	@$(INSTRUCTOR) handout

grade: ## Grade a submission, results in build/grades/NAME: SUBMISSION=dir [OVERLAY=dir: hidden tests] [RESULTS=dir]
	$(if $(SUBMISSION),,$(error SUBMISSION=dir says what is graded))@$(INSTRUCTOR) grade \
		$(if $(RESULTS),--results '$(RESULTS)') $(if $(OVERLAY),--overlay '$(OVERLAY)') '$(SUBMISSION)'

gradescope: ## Pack an autograder for Gradescope, build/autograder.zip [OVERLAY=dir: hidden tests]
	@$(INSTRUCTOR) gradescope $(if $(OVERLAY),--overlay '$(OVERLAY)')

mutants: ## Plant mistakes, one at a time, and demand that the grader catches each: [ONLY='words of names']
	@scripts/need qemu-system-i386 ld
	@$(INSTRUCTOR) mutants $(if $(ONLY),$(ONLY),--table docs/src/mutants.md)

check-grading: mutants ## Check the grader by mistakes that it must catch, and grading by submissions of all kinds
	@scripts/cargo test --quiet --package instructor --test submissions

# Two commands for newcomers: `make demo` and `make test`. Everything they need they set up themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-webcam setup-tests setup-browser build sim demo demo-many teleop-demo eval-demo train-mini rollout lockstep-grid graph-grid collision-proof test test-graph test-slow test-explore test-gpu launch-reference fuzz model-check fieldtrial-record lint format bench bench-gpu lock clean

# Tests and pages start hundreds of Pythons: what one has compiled, the next finds.
unexport PYTHONDONTWRITEBYTECODE

RUN := . requirements/env.sh &&
N ?= 20
EPISODES ?= 100
SEED ?= 0
SEEDS ?= 5
POLICY ?= expert
TASK ?= place_cube_in_box

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1mmake %-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Create .venv with everything pinned, install Debian libraries (when root), build the ROS packages
	@requirements/setup.sh

build: ## Build the ROS packages again (colcon)
	@requirements/build.sh --force

demo: setup ## The whole robot stack at work in simulation; results in runs/demo (POLICY=learned, TASK=place@seen, CHECKPOINT=folder)
	@$(RUN) vitra-demo --out runs/demo --seed $(SEED) --policy $(POLICY) --task $(TASK) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT))

sim: setup ## The simulated robot with the web console; prints the link to open (ARGS="--arms both")
	@$(RUN) vitra-sim $(ARGS)

demo-many: setup ## The demo N times with random object poses (N=20)
	@$(RUN) vitra-demo --out runs/demo-many --episodes $(N) --seed $(SEED) --policy $(POLICY) --task $(TASK) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT))

teleop-demo: setup ## A simulated operator records five episodes in simulation; they are checked and converted
	@$(RUN) vitra-teleop-demo --out runs/teleop-demo --episodes 5 --seed $(SEED)

setup-webcam: setup ## The webcam tracker's own environment (.venv-webcam: MediaPipe)
	@requirements/setup-webcam.sh

setup-tests: ## And what tests and lint need
	@requirements/setup.sh --tests

setup-browser: ## Chromium for the tests of the web pages (Debian package, when root)
	@requirements/setup-browser.sh

.PHONY: setup-hands label-demo
setup-hands: setup ## The labeling pipeline's hand networks (35 MB, out of MediaPipe 0.10.21's wheel)
	@requirements/setup-hands.sh

label-demo: setup setup-hands ## Rendered (and, where there is one, real) egocentric video becomes captioned episodes; results in runs/label-demo
	@$(RUN) vitra-label demo --out runs/label-demo

rollout: setup ## Scripted expert in lockstep simulation, faster than real time (EPISODES=100)
	@$(RUN) python -m vitra_sim.rollout --policy expert --episodes $(EPISODES) --seed $(SEED)

lockstep-grid: setup ## Expert in lockstep over chunk rate, speed limit and delay; table in docs/benchmarks/lockstep_grid.md
	@$(RUN) python -m vitra_sim.lockstep.grid

graph-grid: setup ## The same through the real-time graph; docs/benchmarks/graph_grid.md
	@$(RUN) python -m vitra_bringup.graph_grid

collision-proof: setup ## 200,000 random targets of both arms, with the smallest distance of any two shapes (about an hour)
	@$(RUN) python ros2_ws/src/vitra_control/benchmarks/two_arm_targets.py --targets 200000

eval-demo: setup ## A blind trial session of two policies through the robot graph, with report; results in runs/eval-demo
	@$(RUN) python -m vitra_evaluation.eval_demo --out runs/eval-demo

train-mini: setup ## Pretrain and fine-tune the mini model on made-up data on a CPU; see that it learned and that the robot takes it
	@$(RUN) vitra-train pretrain --config mini-synthetic && vitra-train finetune --config mini-finetune && \
	  vitra-train check --demand learning runs/train/mini-synthetic runs/train/mini-finetune --out runs/train/train_mini.json

# Tests that run nodes, a browser or threads against the clock are tried up to twice more, and the summary names them with what they met
# (conftest.py); elsewhere only a graph that does not come up (GraphError). RERUNS=0: none at all.
RERUNS ?= 1
PYTEST := pytest --reruns $(RERUNS) --only-rerun GraphError
# What runs nodes, threads or a browser against the clock (conftest.py) runs one by one, all else two at a time.

test: setup-tests setup-browser ## Every test but those of `make test-slow` and `make test-gpu`
ifdef ARGS
	@$(RUN) $(PYTEST) -m "not slow and not gpu" $(ARGS)
else
	@$(RUN) status=0; OMP_NUM_THREADS=1 $(PYTEST) -n 2 --dist loadfile -q -m "not clock and not slow and not gpu" || status=$$?; \
	  $(PYTEST) --max-suite-reruns 12 -m "clock and not slow and not gpu" || status=$$?; exit $$status
endif

test-graph: setup-tests setup-browser ## Of these, only the ones that launch nodes: demo, kill -9 of every node
	@$(RUN) $(PYTEST) -m "graph and not slow and not gpu" $(ARGS)

test-slow: setup-tests setup-browser ## Tests that take minutes
	@$(RUN) pytest -m slow $(ARGS)

test-explore: setup-tests ## Property tests with fresh random examples, and more of them
	@$(RUN) pytest --hypothesis-profile=explore $$(grep -rl "from hypothesis" --include="test_*.py" urdf vitra_policy vitra_training ros2_ws/src) $(ARGS)

fuzz: setup ## 1,000,000 made-up commands against guard and limiter, 100,000 damaged messages, 1,000,000 chunks through the whole chain
	@$(RUN) python -m vitra_safety.fuzz --commands 1000000 --seed $(SEED) && \
	  python tests/fuzz_frames.py --frames 100000 --seed $(SEED) && \
	  python -m vitra_sim.lockstep.fuzz_chunks --chunks 1000000 --seed $(SEED) --jobs 2

.PHONY: faults
faults: setup ## Every kind of fault, SEEDS times each, over the running simulation (hours, resumable); table and plots in docs/reliability
	@$(RUN) python -m vitra_bringup.faults.campaign --seeds $(SEEDS) --out runs/faults; \
	  python -m vitra_bringup.faults.campaign --out runs/faults --report docs/reliability

soak: setup ## Two hours of episodes in simulation, each recorded; memory, gaps and warnings in runs/soak (ARGS="--hours 0.5")
	@$(RUN) python -m vitra_bringup.soak $(ARGS)

model-check: setup-tests ## STOP, permit, epoch, latch and orders in all interleavings of twelve events (minutes)
	@$(RUN) pytest -q -m slow ros2_ws/src/vitra_control/tests/test_safety_model.py $(ARGS)

fieldtrial-record: setup ## Record fieldtrial's answers again, which ours are compared with (needs PyPI)
	@$(RUN) python -m pip install --quiet --no-deps --target .setup/fieldtrial fieldtrial==0.3.0 && \
	  PYTHONPATH=.setup/fieldtrial:$$PYTHONPATH python ros2_ws/src/vitra_evaluation/tests/data/record_fieldtrial.py \
	    ros2_ws/src/vitra_evaluation/tests/data/fieldtrial.json

test-gpu: setup-tests ## Tests that need a CUDA GPU
	@$(RUN) pytest -m gpu $(ARGS)

launch-reference: setup-tests ## What the genuine ros2 launch makes of our launch files, written down again (docs/native_launch.md; LAUNCH_SITE=)
	@$(RUN) AMENT_PREFIX_PATH=$(LAUNCH_SITE):$$AMENT_PREFIX_PATH PYTHONPATH=$(LAUNCH_SITE):$$PYTHONPATH python launch/tests/vitra_launch/reference/native.py

lint: setup-tests ## ruff, mypy --strict, import rules, repeats
	@$(RUN) ruff check . && ruff format --check . && mypy && pytest -q tests/test_import_rules.py tests/test_repeats.py

.PHONY: coverage mutation
PURE_TESTS := urdf/tests/safety vitra_policy/tests/chunks ros2_ws/src/vitra_control/tests
coverage: setup-tests ## Branches of the safety and chunk rooms that tests take; 95 % are asked for
	@$(RUN) pytest -q -m "not slow and not gpu and not graph" --cov --cov-config=pyproject.toml --cov-report=term-missing:skip-covered --cov-fail-under=95 $(PURE_TESTS)

mutation: setup-tests ## Small faults put into the rooms of safety and chunks, and how many the tests find (N= at random, ROOM=safety)
	@$(RUN) python tests/mutation.py --number $(N) --seed $(SEED) $(if $(ROOM),--room $(ROOM))

format: setup-tests ## Let ruff format and fix
	@$(RUN) ruff check --fix . && ruff format .

.PHONY: docs docs-reference
docs: setup docs-reference ## The documentation as a site in runs/site; a warning is an error
	@requirements/setup-docs.sh && .venv-docs/bin/mkdocs build --quiet && echo "open runs/site/index.html"

docs-reference: setup ## docs/reference, from the code
	@$(RUN) python docs/generate_reference.py

bench: setup-tests ## Performance figures of this machine, as JSON in runs/bench
	@$(RUN) python -m vitra_bringup.bench_control --out runs/bench/control.json
	@$(RUN) python -m vitra_bringup.bench_glass_to_joint --out runs/bench/glass_to_joint.json
	@$(RUN) python -m vitra_bringup.bench_policy_graph --out runs/bench/policy_graph.json
	@$(RUN) python -m vitra_bringup.bench_restart --out runs/bench/restart.json
	@$(RUN) python -m vitra_policy.benchmarks.bench_policy --out runs/bench/policy.json
	@$(RUN) python -m vitra_training.benchmarks.bench_data --out runs/bench/data.json

bench-gpu: ## Latency of the 3B model on this machine's GPU (needs only torch, numpy, safetensors)
	@PYTHONPATH=vitra_policy $${PYTHON:-python3} -m vitra_policy.benchmarks.bench_gpu --out runs/bench/policy_gpu.json
	@PYTHONPATH=vitra_policy:vitra_training $${PYTHON:-python3} -m vitra_training.benchmarks.bench_train_gpu --out runs/bench/train_gpu.json

lock: setup-tests ## Freeze the versions in .venv for this Python version
	@$(RUN) requirements/lock.sh

clean: ## Remove what was built and measured (keeps .venv)
	@rm -rf ros2_ws/build ros2_ws/install ros2_ws/log runs .setup/build

"""The plan that `vitra-eval init` writes: every key, what it means, what is allowed, and what it is when left out."""

TEMPLATE = """\
# A blind trial session. Check it: vitra-eval plan FILE. Run it: vitra-eval run FILE --out runs/eval/NAME
# Keys with "default" may be left out. Nothing of a plan can be changed once its session is locked.

name: my-session            # title of the session and its report
robot: sim                  # sim | real
seed: 1                     # of the order of the blocks; who is who comes from a secret that is drawn at the start
calibration: sim            # name or file of the calibration; default sim. robot: real needs the robot's own
time_limit_s: 30            # longest trial [s], at most 3600; default 30
reset_s: 10                 # time you expect to need between two trials [s], for the estimate only; default 5
blind: true                 # hide who runs until the report; default true
latency: equal              # equal: all answer by one fixed schedule | own: at their own pace, not blind; default equal
# answer_s: 0.4             # that schedule [s], at most 10; default: measured, with room for the slowest policy

policies:                   # at least one; every block meets all of them in an order of its own
  ours: {policy: expert}    # name: {policy: NAME IN THE REGISTRY, options: {key: "text"}}
  baseline: {policy: perturbed_expert, options: {noise_m: "0.03"}}
# ours: {policy: vitra, options: {checkpoint: runs/checkpoint}}
# baseline: {policy: remote, options: {url: "ws://127.0.0.1:8000"}}

comparisons:                # what the session is for, declared before it starts; anything else is only a suggestion
  pairs: [[ours, baseline]] # default: every pair; fewer pairs need fewer trials (see vitra-eval power)
  alpha: 0.05               # how often equal policies may be called different, over all pairs (Holm); default 0.05
# sequential: {alpha: 0.05} # declare that the session may stop as soon as two policies differ (two policies only)

objects:                    # name: {words: in the instruction, sim_task: the simulator's task that has it (robot: sim)}
  red_cube: {words: red cube, sim_task: place_cube_in_box}
layouts:                    # start states. robot: sim: {seed: N}; one that comes again gets a new seed each time
  l1: {seed: 101}
  l2: {seed: 102}
# robot: real: point in base_link [m]; the image is optional: the first one taken becomes the reference
# near: {point_m: [0.36, -0.10, 0.82], note: "10 cm right of the middle", image: near.jpg}
tasks:                      # {object} stands for the object's words; the milestones below are the default
  place:
    side: right             # hand: left | right; default right
    instruction: "Left hand: None. Right hand: Put the {object} into the box."
    milestones: [reached, grasped, lifted, placed]
cells:                      # trials of EACH policy; condition: seen | unseen_object_background | unseen_category
  - {task: place, condition: seen, objects: [red_cube], layouts: [l1, l2], trials: 10}

failure_codes:              # what a failed trial may be labelled with; these are the default
  [no_motion, missed_grasp, dropped, wrong_object, collision, wrong_place, time_limit, stopped, object_lost, other]
"""

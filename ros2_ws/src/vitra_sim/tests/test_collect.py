import numpy as np

from vitra_sim.collect import Args, path_of, run


def test_episodes_are_collected_once_and_a_second_run_makes_what_is_missing(tmp_path):
    args = Args(tmp_path, family=("place@seen", "place@seen#1"), episodes=4, seed=40, still=True)
    assert run(args) == []
    files = [path_of(tmp_path, args.family[i % 2], 40 + i) for i in range(4)]
    assert all(file.exists() for file in files)
    before = [file.stat().st_mtime_ns for file in files]
    files[2].unlink()
    assert run(args) == []
    after = [file.stat().st_mtime_ns for file in files]
    assert [a == b for a, b in zip(after, before, strict=True)] == [True, True, False, True]
    with np.load(files[0], allow_pickle=False) as episode:
        assert episode["actions"].shape == (1, 16, 102)
        assert str(episode["task"]).split("_in_box")[0].removeprefix("place_") == str(episode["names"][0])
        assert str(episode["names"][-1]) == "box"
    assert list(tmp_path.rglob("*.partial")) == []


def test_looks_from_the_middle_are_collected_for_every_goal(tmp_path):
    families = ("grasp@seen#1", "pour_left@unseen_object", "sweep@unseen_category")
    assert run(Args(tmp_path, family=families, episodes=3, seed=7, still=True, midway=True)) == []
    for index, name in enumerate(families):
        with np.load(path_of(tmp_path, name, 7 + index), allow_pickle=False) as episode:
            assert episode["actions"].shape == (1, 16, 102)
            assert str(episode["names"][-1]) == "box"

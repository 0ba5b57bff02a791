import logging
import math
import re
import traceback
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from configs.schema import Config, ConfigError, load, validate
from configs.settings import CameraSettings, ClipNetworkName, expand_environment
from detector.features.clip_weights import WIDTHS

CONFIGS = Path(__file__).parents[2] / "configs"
SECRET = "s3cret"
GATE = "cameras:\n  - name: gate\n    source: rtsp://camera/\n"


@pytest.fixture
def site(tmp_path):
    """Write a site file and give back its path."""

    def write(text):
        path = tmp_path / "site.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def problems(site):
    """The lines told about a site file, without its folder."""

    def of(text):
        path = site(text)
        with pytest.raises(ConfigError) as caught:
            load(path)
        return str(caught.value).replace(str(path), "site.yaml").splitlines()

    return of


def leaves(model):
    """Dotted name of every option of every section, without the cameras'."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{leaf}" for leaf in leaves(field.annotation))
        else:
            yield name


def leaves_of_yaml(raw):
    for name, value in raw.items():
        yield from (f"{name}.{leaf}" for leaf in leaves_of_yaml(value)) if isinstance(value, dict) else [name]


# What comes with the product.


def test_default_yaml_is_the_schemas_defaults():
    assert load(CONFIGS / "default.yaml") == Config()


def test_default_yaml_names_every_option():
    raw = yaml.safe_load((CONFIGS / "default.yaml").read_text())
    assert sorted(leaves_of_yaml(raw)) == sorted(leaves(Config))


def test_default_yaml_explains_every_option_in_its_line():
    options = [line for line in (CONFIGS / "default.yaml").read_text().splitlines() if re.match(r"\s*\w+:", line)]
    assert len(options) == len(list(leaves(Config))) + 12  # and the lines that open the sections
    assert [line for line in options if not re.search(r" # \S.{5}", line)] == []


def test_default_yaml_tells_what_a_camera_has():
    text = (CONFIGS / "default.yaml").read_text().partition("cameras:")[2]
    assert [name for name in CameraSettings.model_fields if name not in text] == []


def test_demo_yaml_shortens_calibration_to_a_budget_it_can_support_and_changes_nothing_else():
    demo = load(CONFIGS / "demo.yaml")
    changed = {"minutes", "alerts_per_day", "folds", "steps"}
    assert demo == Config(calibration=demo.calibration)
    assert demo.calibration.model_fields_set == changed
    assert demo.calibration.alerts_per_day * demo.calibration.minutes > 24 * 60


def test_the_example_site_has_what_its_comments_say(monkeypatch):
    monkeypatch.setenv("CAM1_PASSWORD", SECRET)
    monkeypatch.setenv("CAM2_PASSWORD", "other")
    entrance, yard = load(CONFIGS / "site.example.yaml").cameras
    assert entrance.source == f"rtsp://monitor:{SECRET}@192.0.2.10:554/stream1"
    assert entrance.model == CONFIGS / "models" / "entrance.mulde"
    assert len(entrance.analysis.mask) == 2
    assert (entrance.policy.enter_count, entrance.policy.enter_window, entrance.policy.hold_s) == (4, 6, 3.0)
    assert (entrance.threshold, yard.threshold) == (4.5, None)
    assert (entrance.connection.transport, yard.connection.transport) == ("tcp", "udp")
    assert yard.policy.cooldown_s == 30.0
    assert yard.policy.enter_count == Config().policy.enter_count


# Sections of the site and of a camera.


def test_a_cameras_keys_override_the_sites_one_by_one(site):
    config = load(site("policy: {hold_s: 7, exit_ratio: 0.5}\n" + GATE + "    policy: {hold_s: 9}\n"))
    assert (config.cameras[0].policy.hold_s, config.cameras[0].policy.exit_ratio) == (9.0, 0.5)
    assert config.policy.hold_s == 7.0


def test_a_cameras_mask_replaces_the_sites(site):
    shared = "analysis:\n  mask: [[[0, 0], [1, 0], [1, 1]]]\n  rate_fps: 3\n"
    own, none = load(
        site(f"{shared}{GATE}    analysis: {{mask: []}}\n  - {{name: yard, source: rtsp://yard/}}\n")
    ).cameras
    assert own.analysis.mask == ()
    assert none.analysis.mask == (((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)),)
    assert own.analysis.rate_fps == none.analysis.rate_fps == 3.0


CLIP = "{network: hiera_base_16x224, weights: hiera.pth}"


def test_a_cameras_clip_keys_override_the_sites_one_by_one(site):
    yard = "  - {name: yard, source: 1, analysis: {clip: {network: null}}}\n"
    config = load(site(f"analysis: {{clip: {CLIP}}}\n{GATE}    analysis: {{clip: {{stride_s: 2}}}}\n{yard}"))
    gate, yard = (camera.analysis.clip for camera in config.cameras)
    assert (gate.network, gate.stride_s, yard.network) == ("hiera_base_16x224", 2.0, None)
    assert gate.model_fields_set == {"network", "weights", "stride_s"}


def test_a_section_whose_keys_are_all_commented_out_is_the_default(site):
    config = load(site("worker:\n  # device: cpu\nstore:\n" + GATE + "    policy:\n"))
    assert config.worker == Config().worker
    assert config.cameras[0].policy == Config().policy


def test_there_are_the_clip_networks_that_the_detector_knows():
    assert get_args(ClipNetworkName) == tuple(WIDTHS)


# Text that looks like something else.


@pytest.mark.parametrize("index", ["0", "'0'", "0 "])
def test_a_webcams_number_is_a_source(site, index):
    assert load(site(f"cameras: [{{name: desk, source: {index}}}]")).cameras[0].source == "0"


@pytest.mark.parametrize("name", ["1", "007", "on", "1_0", "0x10", "2026-01-31", "true"])
def test_a_name_stays_as_it_is_written(site, name):
    assert load(site(f"cameras: [{{name: {name}, source: 0}}]")).cameras[0].name == name


def test_the_command_line_may_give_a_webcams_number():
    assert validate({"cameras": [{"name": "desk", "source": 0}]}, "watch").cameras[0].source == "0"


# Paths.


def test_relative_paths_are_meant_from_the_files_folder(site, tmp_path, monkeypatch):
    monkeypatch.setenv("VIDEOS", "clips")
    config = load(
        site(
            f"store: {{folder: kept}}\nanalysis: {{clip: {CLIP}}}\n"
            "cameras: [{name: gate, source: '${VIDEOS}/a.mp4', model: gate.mulde}]"
        )
    )
    assert config.store.folder == tmp_path / "kept"
    assert config.cameras[0].model == tmp_path / "gate.mulde"
    assert config.analysis.clip.weights == config.cameras[0].analysis.clip.weights == tmp_path / "hiera.pth"
    assert config.cameras[0].source == str(tmp_path / "clips" / "a.mp4")


@pytest.mark.parametrize("source", ["/videos/a.mp4", "rtsp://gate/1", "demo://street?seed=2", "file:///videos/a.mp4"])
def test_a_source_that_says_where_it_is_stays_as_it_is(site, source):
    assert load(site(f"cameras: [{{name: gate, source: '{source}'}}]")).cameras[0].source == source


def test_paths_of_the_command_line_stay_as_they_are():
    camera = validate({"cameras": [{"name": "a", "source": "a.mp4", "model": "a.mulde"}]}, "watch").cameras[0]
    assert (camera.source, camera.model) == ("a.mp4", Path("a.mulde"))


def test_a_tilde_is_the_home_folder(site, monkeypatch):
    monkeypatch.setenv("HOME", "/home/guard")
    assert load(site("store: {folder: ~/alerts}")).store.folder == Path("/home/guard/alerts")


# One line for each mistake.


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("analysis:\n  rate_fps: 100", "2: analysis.rate_fps: must be at most 60, not 100"),
        ("analysis:\n  rate_fps: 0", "2: analysis.rate_fps: must be above 0, not 0"),
        ("analysis:\n  rate_fps: five", "2: analysis.rate_fps: must be a number, not 'five'"),
        ("analysis:\n  rate_fps: yes", "2: analysis.rate_fps: must be a number, not true"),
        ("analysis:\n  rate_fps:", "2: analysis.rate_fps: must be a number, not nothing"),
        ("analysis:\n  rate_fps: [5]", "2: analysis.rate_fps: must be a number, not a list"),
        ("analysis:\n  rate_fps: .nan", "2: analysis.rate_fps: must be a finite number, not nan"),
        ("policy: {hold_s: .inf}", "1: policy.hold_s: must be a finite number, not inf"),
        ("policy: {exit_ratio: 1.5}", "1: policy.exit_ratio: must be at most 1, not 1.5"),
        ("analysis: {long_side_px: 640.5}", "1: analysis.long_side_px: must be a whole number, not 640.5"),
        ("worker: {max_batch: yes}", "1: worker.max_batch: must be a whole number, not true"),
        ("worker: {max_batch: '8'}", "1: worker.max_batch: must be a whole number, not '8'"),
        ("worker: {device: gpu}", "1: worker.device: must be 'auto', 'cpu' or 'cuda', not 'gpu'"),
        ("connection: {transport: 5}", "1: connection.transport: must be 'tcp' or 'udp', not 5"),
        ("connection: {verify_tls: 1}", "1: connection.verify_tls: must be true or false, not 1"),
        ("store: {folder: 5}", "1: store.folder: must be a path, not 5"),
        (
            "analysis:\n  clip:\n    network: hiera_base_16x224",
            "2: analysis.clip.weights: must be given with network: the file that fetch-clip-weights made",
        ),
        ("analysis: {clip: {stride_s: 0}}", "1: analysis.clip.stride_s: must be at least 0.1, not 0"),
        (
            "store: {folder: ~nobody-here/x}",
            "1: store.folder: must name a folder that exists: ~nobody-here is nobody's",
        ),
        ("worker: 5", "1: worker: must be a mapping of keys, not 5"),
        ("worker: [cpu]", "1: worker: must be a mapping of keys, not a list"),
        ("cameras: 5", "1: cameras: must be a list, not 5"),
        ("cameras: [gate]", "1: cameras.0: must be a mapping of keys, not 'gate'"),
        (GATE + "    threshold: .nan", "4: cameras.0.threshold: must be a finite number, not nan"),
        (GATE + "    threshold: high", "4: cameras.0.threshold: must be a number, not 'high'"),
        (
            "cameras:\n  - name: the gate\n    source: 0",
            "2: cameras.0.name: must be 1 to 32 letters, digits, - or _, unique, not 'the gate'",
        ),
        (
            "cameras:\n  - source: 0",
            "2: cameras.0.name: must be given: 1 to 32 letters, digits, - or _, unique",
        ),
        (
            "policy:\n  enter_window: 2\n  enter_count: 3",
            "3: policy.enter_count: must be at most enter_window (2), not 3",
        ),
        (
            "connection:\n  backoff_max_s: 0.5",
            "1: connection.backoff_first_s: must be at most backoff_max_s (0.5), not 1",
        ),
        ("worker:\n  min_wait_ms: 200", "2: worker.min_wait_ms: must be at most max_wait_ms (100), not 200"),
        (
            GATE + "  - source: 0\n    name: gate",
            "5: cameras.1.name: must be unique, 'gate' is cameras.0, too",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_line_its_bound_and_what_was_given(problems, text, line):
    assert problems(text) == [f"site.yaml:{line}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("polcy: {}", "1: polcy: unknown key, did you mean policy?"),
        ("policy:\n  hold: 3", "2: policy.hold: unknown key, did you mean hold_s?"),
        ("hold_s: 3", "1: hold_s: unknown key, did you mean policy.hold_s?"),
        ("analysis: {stride_s: 1}", "1: analysis.stride_s: unknown key, did you mean clip.stride_s?"),
        (GATE + "    rate_fps: 3", "4: cameras.0.rate_fps: unknown key, did you mean analysis.rate_fps?"),
        (GATE + "    treshold: 3", "4: cameras.0.treshold: unknown key, did you mean threshold?"),
        ("store: {zzz: 3}", "1: store.zzz: unknown key; known here: folder, keep_days, keep_megabytes"),
        ("5: 3", "1: 5: unknown key; known here: " + ", ".join(Config.model_fields)),
    ],
)
def test_an_unknown_key_is_told_with_what_was_probably_meant(problems, text, line):
    assert problems(text) == [f"site.yaml:{line}"]


@pytest.mark.parametrize("point", ["5", "[0.5]", "[0.5, 0.5, 0.5]", "half"])
def test_a_point_of_a_mask_that_is_none_is_told(problems, point):
    (line,) = problems(f"analysis:\n  mask:\n    - [[0, 0], [1, 0], {point}]")
    assert line.startswith("site.yaml:3: analysis.mask.0.2: must be [x, y] in fractions of the frame; mask is a list")


def test_a_mask_outside_the_frame_and_one_without_area_are_told(problems):
    assert problems("analysis:\n  mask:\n    - [[0, 0], [1, 0], [1, 120]]\n    - [[0, 0], [1, 1]]") == [
        "site.yaml:3: analysis.mask.0.2.1: must be at most 1, not 120",
        "site.yaml:4: analysis.mask.1: must have at least 3 entries, not 2",
    ]


def test_all_mistakes_are_told_at_once(problems):
    text = "analysis:\n  rate_fps: 100\n  rate_fsp: 1\nworker:\n  device: x\n  device: x\ncameras:\n  - name: gate\n"
    assert problems(text) == [
        "site.yaml:2: analysis.rate_fps: must be at most 60, not 100",
        "site.yaml:3: analysis.rate_fsp: unknown key, did you mean rate_fps?",
        "site.yaml:6: worker.device: must be given once, is already in line 5",
        "site.yaml:6: worker.device: must be 'auto', 'cpu' or 'cuda', not 'x'",
        "site.yaml:8: cameras.0.source: must be given: URL, file, webcam index or demo://NAME",
    ]


def test_a_mistake_in_a_shared_section_is_told_once_and_a_cameras_own_as_well(problems):
    text = "policy: {exit_ratio: 2, enter_count: 9}\n" + GATE + "  - {name: b, source: 1, policy: {exit_ratio: 3}}\n"
    assert problems(text) == [
        "site.yaml:1: policy.exit_ratio: must be at most 1, not 2",
        "site.yaml:5: cameras.1.policy.exit_ratio: must be at most 1, not 3",
    ]


def test_a_cross_check_that_only_a_camera_fails_is_told_there(problems):
    text = "policy: {enter_window: 4}\n" + GATE + "    policy: {enter_count: 5}\n"
    assert problems(text) == ["site.yaml:5: cameras.0.policy.enter_count: must be at most enter_window (4), not 5"]


def test_a_key_given_twice_is_an_error_even_where_both_are_valid(problems):
    assert problems(GATE + "    source: rtsp://other/\n" + "cameras: []\n") == [
        "site.yaml:4: cameras.0.source: must be given once, is already in line 3",
        "site.yaml:5: cameras: must be given once, is already in line 1",
    ]


def test_keys_that_are_merged_from_an_anchor_may_be_overridden(site):
    text = "worker: &w {max_batch: 4}\n" + GATE.replace(
        "\n    source", "\n    <<: {threshold: 3}\n    threshold: 4\n    source"
    )
    assert load(site(text)).cameras[0].threshold == 4.0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": is empty: name at least one section (see configs/default.yaml)"),
        ("# nothing but this\n", ": is empty: name at least one section (see configs/default.yaml)"),
        ("- a\n- b\n", ":1: must be a mapping of sections (see configs/default.yaml)"),
        ("analysis\n", ":1: must be a mapping of sections (see configs/default.yaml)"),
        ("analysis:\n  rate_fps: [5\n", ":3: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\nb: 1\n", ":2: not valid YAML: but found another document"),
        ("worker: !secret x\n", ":1: not valid YAML: could not determine a constructor for the tag '!secret'"),
        ("worker: *all\n", ":1: not valid YAML: found undefined alias 'all'"),
        ("worker: {device: 2026-02-31}\n", ": not valid YAML: day is out of range for month"),
        ("? [a]\n: 1\n", ":1: not valid YAML: found unhashable key"),
    ],
)
def test_what_is_no_site_file_is_one_clear_line(problems, text, line):
    assert problems(text) == [f"site.yaml{line}"]


def test_bytes_that_are_no_text_are_one_clear_line(tmp_path):
    path = tmp_path / "site.yaml"
    for content, line in [
        (b"worker: \xff", "must be text in UTF-8: byte 8 is not"),
        (b"worker: \0", "not valid YAML: unacceptable character #x0000"),
        (b"[" * 100_000, "not valid YAML: maximum recursion depth exceeded"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: {line}")
        assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_clear_line(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file or directory$"):
        load(tmp_path / "no.yaml")
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory$"):
        load(tmp_path)


def test_the_command_lines_mistakes_are_told_without_line():
    with pytest.raises(ConfigError) as caught:
        validate({"cameras": [{"name": "a b", "source": "x"}], "worker": {"device": 1}}, "watch")
    assert str(caught.value).splitlines() == [
        "watch: worker.device: must be 'auto', 'cpu' or 'cuda', not 1",
        "watch: cameras.0.name: must be 1 to 32 letters, digits, - or _, unique, not 'a b'",
    ]


# The environment and what is secret.


def test_a_variable_that_is_not_set_is_told_with_its_line(problems, monkeypatch):
    monkeypatch.delenv("GATE_PASSWORD", raising=False)
    assert problems("cameras:\n  - name: gate\n    source: rtsp://u:${GATE_PASSWORD}@gate/") == [
        "site.yaml:3: cameras.0.source: environment variable GATE_PASSWORD is not set: export GATE_PASSWORD=..."
    ]


@pytest.mark.parametrize("text", ["${GATE-PASSWORD}", "${}", "${GATE", "x${"])
def test_a_variable_that_is_misspelt_is_no_password(text):
    with pytest.raises(ValueError, match="must have a variable's name in"):
        expand_environment(text)


def test_variables_are_replaced_once_and_nothing_else_is(monkeypatch):
    monkeypatch.setenv("A", "${B}")
    monkeypatch.setenv("B", "no")
    assert expand_environment("$A ${A} $ {A}") == "$A ${B} $ {A}"


def test_a_source_of_nothing_but_an_empty_variable_is_refused(problems, monkeypatch):
    monkeypatch.setenv("EMPTY", " ")
    assert problems("cameras:\n  - name: gate\n    source: ${EMPTY}") == [
        "site.yaml:3: cameras.0.source: must not be empty"
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"cameras: [{{name: gate, source: [rtsp://u:{SECRET}@gate/]}}]",
        f"cameras: [{{name: gate, source: rtsp://u:{SECRET}@gate/${{NO_SUCH_VARIABLE}}}}]",
        f"cameras: [{{name: gate, sorce: rtsp://u:{SECRET}@gate/}}]",
        f"cameras: [{{name: rtsp://u:{SECRET}@gate/, source: gate}}]",
        f"cameras: [{{name: gate, source: 0, model: 0, threshold: rtsp://u:{SECRET}@gate/}}]",
        f"cameras: [rtsp://u:{SECRET}@gate/]",
        f"cameras: rtsp://u:{SECRET}@gate/",
        f"cameras: [{{rtsp://u:{SECRET}@gate/}}]",
        f"cameras: [{{name: gate, source: rtsp://u:{SECRET}@gate/, source: 0}}]",
        f"cameras: [{{name: gate, source: rtsp://u:{SECRET}@gate/]",
        f"rtsp://u:{SECRET}@gate/",
        f"cameras:\n  - name: gate\n    source: 'rtsp://u:{SECRET}@gate/\n",
        f"worker: {{x: 1}}\ncameras: [{{name: gate, source: rtsp://u:{SECRET}@gate/}}]",
    ],
)
def test_a_source_is_in_no_message_and_in_no_traceback(site, text):
    with pytest.raises(ConfigError) as caught:
        load(site(text))
    told = "".join(traceback.format_exception(caught.value))
    assert str(caught.value) in told
    assert SECRET not in told


def test_a_source_is_in_no_representation(caplog):
    config = validate({"cameras": [{"name": "gate", "source": f"rtsp://u:{SECRET}@gate/"}]}, "watch")
    logging.getLogger("test").warning("%s %r", config, config.cameras)
    assert "gate" in caplog.text
    assert SECRET not in caplog.text


def test_the_configuration_cannot_be_changed(site):
    config = load(site(GATE))
    with pytest.raises(ValueError, match="frozen"):
        config.cameras[0].threshold = 3.0
    with pytest.raises(ValueError, match="frozen"):
        config.analysis.rate_fps = 5.0
    assert config.cameras[0].threshold is None
    assert math.isclose(config.analysis.rate_fps, 10.0)


@pytest.mark.parametrize("listen", ["127.0.0.1:9477", "[::1]:1", "0.0.0.0:65535", "monitor-1.example:9477"])
def test_the_health_endpoint_is_a_host_and_a_port(site, listen):
    assert load(site(f'health: {{listen: "{listen}"}}')).health.listen == listen


@pytest.mark.parametrize(
    "listen", ["9477", ":9477", "127.0.0.1", "::1:9477", "host:0", "host:65536", "http://host:80", "a b:1"]
)
def test_what_is_no_host_and_port_is_refused(problems, listen):
    (line,) = problems(f'health: {{listen: "{listen}"}}')
    assert line == (f"site.yaml:1: health.listen: must be HOST:PORT, as 127.0.0.1:9477 or [::1]:9477, not '{listen}'")
